// Bug-check callbacks: drivers' routines that run when the machine bug checks, before it is left.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// On the flow that bug checks, when the stop is recorded. Raises to HIGH_LEVEL for good. A routine that bug checks itself, traps,
// waits or does not come back ends it: the first bug check counts, and the machine is left. Does nothing the second time.
void run_bug_check_callbacks(Processor& processor) noexcept;

} // namespace dirql::ke
