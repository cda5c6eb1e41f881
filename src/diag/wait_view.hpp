// What threads wait for, in a report.
#pragma once

#include "diag/irp_view.hpp"
#include "diag/machine_view.hpp"

#include <string>
#include <vector>

namespace dirql::diag {

// The requests that a thread has issued and that are not finished.
[[nodiscard]] std::vector<IrpCopy> requests_of(const MachineView& view, const ThreadCopy& thread);

// `waits for a mutex 0x..., which thread 28 "b" of process 4 "System" owns, without a time-out`
[[nodiscard]] std::string wait_text(const MachineView& view, const ThreadCopy& thread,
                                    const std::vector<IrpCopy>& requests);

// The thread that alone can end this wait: the owner of the mutex, the thread whose end is awaited. 0: there is no such
// thread.
[[nodiscard]] std::uint64_t awaited_thread(const MachineView& view, const ThreadCopy& thread);

// The circles of threads that wait for each other: a line each, newline after each.
[[nodiscard]] std::string deadlocks_text(const MachineView& view);

} // namespace dirql::diag
