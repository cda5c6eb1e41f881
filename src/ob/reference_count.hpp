// Reference counts of objects. Two of these operations are in every I/O request.
#pragma once

#include <cstdint>

namespace dirql::ob {

// Both return the new count.
inline std::int64_t add_reference(std::int64_t& count) noexcept { return ++count; }
inline std::int64_t drop_reference(std::int64_t& count) noexcept { return --count; }

} // namespace dirql::ob
