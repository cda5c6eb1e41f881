// Reports on a machine that stopped, for people. Made on the host's stack after the stop; whatever a driver has left in
// the machine's memory, they come to an end and touch nothing that they must not.
//
// Addresses of code are told relative to their image. Pool and other addresses of the machine are as they are: they
// repeat from run to run.
#pragma once

#include "diag/symbolizer.hpp"

#include <string>

namespace dirql::ke {
struct Machine;
}

namespace dirql::diag {

// First line: `*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS (0x1, 0x2, 0x3, 0x4)`. Then the rule that was broken
// and the document that states it, who broke it and where, the IRP, the parameters, the stack of the drivers' code.
[[nodiscard]] std::string bug_check_report(const ke::Machine& machine, Symbolizer& symbolizer);

// First line: `*** STALL: nothing can ever run again`, or what budget is used up. Then each thread: what it waits for,
// who could end that, where it waits, and its requests; then each processor with its spin locks.
[[nodiscard]] std::string stall_report(const ke::Machine& machine, Symbolizer& symbolizer);

// Whichever fits Machine::stop; empty when the machine has not stopped.
[[nodiscard]] std::string stop_report(const ke::Machine& machine, Symbolizer& symbolizer);

} // namespace dirql::diag
