// The lockstep executor: one host thread runs all processors of a machine in turns, and lets time leap when all are idle.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

// Runs until done(context) holds (asked whenever a thread ended or all processors are idle) or the machine stops.
// On the host's own stack; not reentrant on one host thread.
void run(Machine& machine, bool (*done)(void*), void* context) noexcept;

// Which of the run's budgets has been used up, in words.
[[nodiscard]] const char* used_up_budget(const Machine& machine) noexcept;

// After a stop: lets each application thread leave the kernel, so that its C++ frames unwind.
void unwind_application_threads(Machine& machine) noexcept;

} // namespace dirql::ke
