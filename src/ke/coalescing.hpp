// Timers that may be late, so that a processor need not wake for each.
//
//   coalescable   (KeSetCoalescableTimer) expires at some instant of [due, due + tolerance], whatever the processor does
//   no-wake       (EX_TIMER_NO_WAKE) expires when it is due, unless all processors sleep: then when one wakes for another reason, or
//                 for this timer when its tolerance is over
//
// What a timer may takes room in its KTIMER that it has no other use for: TimerControlFlags, and Processor and TimerType.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

// An instant, in 100 ns of interrupt time as `due` and `tolerance` are: the first one in the window at which another timer expires;
// else the coarsest beat in it that all coalescable timers have in common; else a tick of the clock; else the due time.
[[nodiscard]] std::uint64_t coalesced(const Machine& machine, std::uint64_t due, std::uint64_t tolerance) noexcept;

// Neither of the two: each setting of a timer begins so.
void expect_punctual(KTIMER& timer) noexcept;

// A periodic timer keeps its tolerance in steps of 10 ms, and of more than 630 ms only these. And by how much its expiration was
// put off, so that the next period is counted from when it was due.
void keep_tolerance(KTIMER& timer, std::uint64_t tolerance_ms) noexcept;
[[nodiscard]] std::uint64_t kept_tolerance(const KTIMER& timer) noexcept; // 100 ns
void keep_delay(KTIMER& timer, std::uint64_t delay) noexcept;             // 100 ns
[[nodiscard]] std::uint64_t kept_delay(const KTIMER& timer) noexcept;

// The timer is a no-wake timer from now on, until it is set again. Tolerances from 429 s are without an end.

void let_sleep(KTIMER& timer, std::uint64_t tolerance) noexcept; // 100 ns

// When all processors sleep: ns of the machine's time at which a timer wakes one; `never` when none is set. With nothing but timers
// that wake nobody, the first of them: something always happens in a real machine.
[[nodiscard]] std::uint64_t next_wake(const Machine& machine) noexcept;

} // namespace dirql::ke
