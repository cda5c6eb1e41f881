// Kernel timers: KTIMER, in virtual time.
//
// Due times are exact to the 100 ns unit: virtual time has no clock tick to round to. Who allows a timer to be late: coalescing.hpp.
#pragma once

#include "ke/clock.hpp"
#include "ke/machine.hpp"

namespace dirql::ke {

// When a due time, relative (negative) or absolute system time, comes: ns of the machine's time.
[[nodiscard]] std::uint64_t timer_due(const LARGE_INTEGER& due) noexcept;

// The timer is not in the list. IRQL <= DISPATCH_LEVEL.
void insert_timer(KTIMER& timer, const LARGE_INTEGER& due) noexcept;
// What KeSetCoalescableTimer does, without the reschedule: a due time that has come expires now. True when the timer was set already.
bool set_timer(KTIMER& timer, const LARGE_INTEGER& due, LONG period_ms, PKDPC dpc,
               ULONG tolerable_delay_ms = 0) noexcept;
// False when it was not in the list.
bool remove_timer(KTIMER& timer) noexcept;

// Expires every timer whose time has come: signals it, queues its DPC, sets its next period. At DISPATCH_LEVEL.
void expire_timers(Processor* processor) noexcept;

// The machine's time in NT's unit.
[[nodiscard]] inline std::uint64_t interrupt_time(const Machine& machine) noexcept {
    return machine.time() / ns_per_tick;
}
// As system time: since 1601, in the same unit.
[[nodiscard]] inline LARGE_INTEGER system_time(const Machine& machine) noexcept {
    return {.QuadPart = boot_system_time + static_cast<LONGLONG>(interrupt_time(machine))};
}

} // namespace dirql::ke
