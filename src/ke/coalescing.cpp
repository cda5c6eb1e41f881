#include "ke/coalescing.hpp"

#include "ke/clock.hpp"

#include <algorithm>

namespace dirql::ke {
namespace {

constexpr std::uint64_t ticks_per_ms = 10'000;
constexpr std::uint64_t tolerance_step = 10; // ms
constexpr std::uint64_t most_steps = 63;     // EncodedTolerableDelay has 6 bits
constexpr std::uint64_t beats_ms[] = {1'000, 500, 250, 100, 50};

const KTIMER& timer_of(const LIST_ENTRY* entry) noexcept {
    return *CONTAINING_RECORD(const_cast<LIST_ENTRY*>(entry), KTIMER, TimerListEntry);
}

std::uint64_t next_multiple(std::uint64_t time, std::uint64_t of) noexcept { return (time + of - 1) / of * of; }

// The bit says whether the timer lets the processors sleep, the contrary of what it is called by.
bool wakes(const KTIMER& timer) noexcept { return timer.Header.Wake == 0; }

std::uint64_t wake_time(const KTIMER& timer) noexcept {
    const std::uint64_t due = timer.DueTime.QuadPart * ns_per_tick;
    if (wakes(timer)) return due;
    const std::uint64_t tolerance = kept_delay(timer);
    return tolerance == MAXULONG || due > never - tolerance * ns_per_tick ? never : due + tolerance * ns_per_tick;
}

} // namespace

std::uint64_t coalesced(const Machine& machine, std::uint64_t due, std::uint64_t tolerance) noexcept {
    const std::uint64_t last = due + tolerance;
    for (const LIST_ENTRY* e = machine.timers.Flink; e != &machine.timers; e = e->Flink) {
        const KTIMER& other = timer_of(e);
        if (other.DueTime.QuadPart > last) break;
        if (other.DueTime.QuadPart >= due && wakes(other)) return other.DueTime.QuadPart;
    }
    for (const std::uint64_t beat : beats_ms) {
        const std::uint64_t at = next_multiple(due, beat * ticks_per_ms);
        if (at <= last) return at;
    }
    const std::uint64_t tick = next_multiple(due, machine.clock_interval);
    return tick <= last ? tick : due;
}

void expect_punctual(KTIMER& timer) noexcept {
    timer.Header.TimerControlFlags = 0;
    keep_delay(timer, 0);
}

void keep_tolerance(KTIMER& timer, std::uint64_t tolerance_ms) noexcept {
    timer.Header.EncodedTolerableDelay = std::min(tolerance_ms / tolerance_step, most_steps) & most_steps;
}

std::uint64_t kept_tolerance(const KTIMER& timer) noexcept {
    return timer.Header.EncodedTolerableDelay * tolerance_step * ticks_per_ms;
}

void keep_delay(KTIMER& timer, std::uint64_t delay) noexcept {
    const auto kept = static_cast<ULONG>(std::min<std::uint64_t>(delay, MAXULONG));
    timer.Processor = static_cast<USHORT>(kept);
    timer.TimerType = static_cast<USHORT>(kept >> 16);
}

std::uint64_t kept_delay(const KTIMER& timer) noexcept { return timer.Processor | ULONG{timer.TimerType} << 16; }

void let_sleep(KTIMER& timer, std::uint64_t tolerance) noexcept {
    timer.Header.Wake = 1;
    keep_delay(timer, tolerance);
}

std::uint64_t next_wake(const Machine& machine) noexcept {
    if (machine.next_timer == never || wakes(timer_of(machine.timers.Flink))) return machine.next_timer;
    std::uint64_t wake = never;
    for (const LIST_ENTRY* e = machine.timers.Flink; e != &machine.timers; e = e->Flink) {
        const KTIMER& timer = timer_of(e);
        if (timer.DueTime.QuadPart * ns_per_tick >= wake) break;
        wake = std::min(wake, wake_time(timer));
        if (wakes(timer)) break;
    }
    return wake == never ? machine.next_timer : wake;
}

} // namespace dirql::ke
