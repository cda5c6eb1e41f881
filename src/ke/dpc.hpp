// Deferred procedure calls: queued at any IRQL, run at DISPATCH_LEVEL on the processor's own DPC stack, in order. Threaded ones run
// at PASSIVE_LEVEL in a thread of the processor's, of the highest priority.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// Runs what is queued (and expires timers) until the queue is empty. At DISPATCH_LEVEL.
void retire_dpcs(Processor* processor) noexcept;

void initialize_dpc(KDPC& dpc, PKDEFERRED_ROUTINE routine, void* context) noexcept;
// False when there is no such processor.
bool target_dpc(KDPC& dpc, unsigned processor) noexcept;

// Queues on its target processor; false when it is queued already.
bool insert_dpc(PKDPC dpc, void* argument1, void* argument2) noexcept;
// False when it was not queued.
bool cancel_dpc(KDPC& dpc) noexcept;

// Whether a threaded DPC is queued on it.
[[nodiscard]] bool threaded_dpcs_queued(const Processor& processor) noexcept;
// The first queued DPC, ordinary or threaded, on any processor, that `matches` with `data`; null when there is none.
[[nodiscard]] const KDPC* find_queued_dpc(const Machine& machine, bool (*matches)(const KDPC& dpc, const void* data),
                                          const void* data) noexcept;

} // namespace dirql::ke
