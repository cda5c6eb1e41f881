// Spin locks. A held lock's value is the number of its processor plus one, so that "acquired twice" and "not held" are seen.
#pragma once

#include "ke/processor.hpp"

namespace dirql::ke {

// At DISPATCH_LEVEL or above. Spins, letting the other processors run, while another processor holds the lock.
void acquire_spin_lock(PKSPIN_LOCK lock) noexcept;
void release_spin_lock(PKSPIN_LOCK lock) noexcept;

// The processor's list of what it holds: of all kinds of spin locks, for the doors and for reports.
inline void remember_lock(Processor* processor, const void* lock) noexcept {
    HeldLocks& held = processor->held;
    if (held.count < HeldLocks::capacity) held.lock[held.count] = static_cast<PKSPIN_LOCK>(const_cast<void*>(lock));
    ++held.count;
}
// Usually the last one acquired.
void forget_lock(Processor* processor, const void* lock) noexcept;
// Of a processor that holds more than the list has room for: yes.
[[nodiscard]] bool may_hold_lock(const Processor& processor, const void* lock) noexcept;

// One look at a lock that another processor holds: the others run. Returns the processor, which is the same at DISPATCH_LEVEL.
Processor* spin_once() noexcept;

[[noreturn, gnu::cold]] void spin_lock_not_owned(const void* lock) noexcept;
[[noreturn, gnu::cold]] void spin_lock_already_owned(const void* lock) noexcept;
// As an ordinary lock and as a queued one.
[[noreturn, gnu::cold]] void spin_lock_used_both_ways(const KSPIN_LOCK* lock) noexcept;
// KeRaiseIrql's rule for the release functions: they lower or keep the IRQL.
void lower_after_release(KIRQL level, const char* rule, const char* document) noexcept;

} // namespace dirql::ke
