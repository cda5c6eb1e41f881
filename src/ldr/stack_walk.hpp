// Stack traces by frame pointers, which driver code is built with.
#pragma once

#include <boost/container/static_vector.hpp>

#include <cstddef>
#include <cstdint>

namespace dirql::ldr {

inline constexpr std::size_t max_stack_frames = 64;

using StackTrace = boost::container::static_vector<std::uintptr_t, max_stack_frames>;

// The instruction pointer, then the return addresses up the chain of frame pointers, innermost first. The chain ends where
// it leaves [stack_low, stack_high), turns back, is misaligned, or returns to null. Reads inside those bounds alone, so it
// cannot fault when they are mapped, whatever the registers hold. A function stopped before it has set up its frame lacks
// its caller. Any IRQL, any context: no heap, no lock.
[[nodiscard]] StackTrace walk_stack(std::uintptr_t rip, std::uintptr_t rbp, std::uintptr_t stack_low,
                                    std::uintptr_t stack_high) noexcept;

} // namespace dirql::ldr
