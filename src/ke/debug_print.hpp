// Text for the machine's debug output, as a kernel debugger would show it.
#pragma once

#include <string_view>

namespace dirql::ke {

// Any IRQL. Outside of a machine the text goes to standard error.
void debug_print(std::string_view text) noexcept;

} // namespace dirql::ke
