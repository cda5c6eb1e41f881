// Altitudes: decimal numbers as text, of any length, with a fraction perhaps.
#pragma once

#include <string_view>

namespace dirql::ob {

// Below, at or above zero as `a` is lower than, equal to or higher than `b`. "0328000.50" is "328000.5".
[[nodiscard]] int compare_altitudes(std::u16string_view a, std::u16string_view b) noexcept;

} // namespace dirql::ob
