// Stacks in a report: the drivers' frames with line numbers, and between them the exports by which they entered the
// kernel.
//
// The kernel's own frames depend on how dirql was compiled; they are left out. Which export a driver had called is read
// off the call instruction before the return address in the driver's frame, so the stack of a run is the same with
// every build.
#pragma once

#include "diag/machine_view.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dirql::diag {

// The frames' code addresses, innermost first.
using Frames = std::vector<std::uint64_t>;

// Where the machine stopped.
[[nodiscard]] Frames frames_of_stop(const MachineView& view);
// Where a thread that does not run will go on.
[[nodiscard]] Frames frames_of(const MachineView& view, const ke::Thread& thread);

// The export that the instruction before `return_address` calls, directly or through a linkage table. Empty when there
// is none.
[[nodiscard]] std::string export_called(const MachineView& view, std::uint64_t return_address);

// Is it an address to return to, rather than of an instruction that faulted?
[[nodiscard]] bool is_return_address(const MachineView& view, const Frames& frames, std::size_t index);

// The index of the innermost frame in driver code; frames.size() when there is none.
[[nodiscard]] std::size_t innermost_driver_frame(const MachineView& view, const Frames& frames);

// One line a frame, each with two blanks before and a newline after.
[[nodiscard]] std::string stack_text(const MachineView& view, const Frames& frames);

} // namespace dirql::diag
