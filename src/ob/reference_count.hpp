// Reference counts of objects. Two of these operations are in every I/O request.
//
// They are plain integers: one host thread runs all processors of a machine, and switches between them at preemption points
// only, none of which is in here. Measured: a pair of plain operations takes 0.6 ns, of atomic ones 10 to 40 ns, which is more
// than all else that a lookup by handle does (2.4 ns). An executor that runs processors on several host threads has this one
// place to change.
#pragma once

#include <cstdint>

namespace dirql::ob {

// Both return the new count.
inline std::int64_t add_reference(std::int64_t& count) noexcept { return ++count; }
inline std::int64_t drop_reference(std::int64_t& count) noexcept { return --count; }

} // namespace dirql::ob
