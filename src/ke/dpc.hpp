// Deferred procedure calls: queued at any IRQL, run at DISPATCH_LEVEL on the processor's own DPC stack, in order.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// Runs what is queued (and expires timers) until the queue is empty. At DISPATCH_LEVEL.
void retire_dpcs(Processor* processor) noexcept;

// Queues on its target processor; false when it is queued already.
bool insert_dpc(PKDPC dpc, void* argument1, void* argument2) noexcept;

} // namespace dirql::ke
