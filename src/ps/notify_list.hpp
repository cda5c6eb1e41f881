// Registering and removing notify routines. No call of these passes a preemption point but the wait of remove_routine.
#pragma once

#include "ps/notify.hpp"

namespace dirql::ps {

// False when all places are taken.
[[nodiscard]] bool add_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept;
[[nodiscard]] bool has_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept;
// Waits for the calls under way: not from the routine itself. False when it is not registered. IRQL <= APC_LEVEL.
[[nodiscard]] bool remove_routine(NotifyList& list, const void* routine, NotifyKind kind) noexcept;

} // namespace dirql::ps
