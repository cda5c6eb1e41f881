#include "ke/spin_lock.hpp"

#include "diag/trace.hpp"
#include "ke/clock.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/machine.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"

#include <atomic>

namespace dirql::ke {
namespace {

constexpr const char* document = "KeAcquireSpinLock macro (wdm.h)";

KSPIN_LOCK mark_of(const Processor* processor) noexcept { return processor->number + 1; }

bool try_take(PKSPIN_LOCK lock, KSPIN_LOCK mark) noexcept {
    KSPIN_LOCK free = 0;
    return std::atomic_ref<KSPIN_LOCK>(*lock).compare_exchange_strong(free, mark, std::memory_order_acquire);
}

void spin(PKSPIN_LOCK lock, KSPIN_LOCK mark) noexcept {
    if (*lock == mark) spin_lock_already_owned(lock);
    Thread& thread = *current_processor()->current; // the flow is its, or a DPC's on top of it
    thread.awaited_lock = lock;
    do {
        if (*lock > max_processors) spin_lock_used_both_ways(lock); // the address of a queue's handle
        spin_once();
    } while (!try_take(lock, mark));
    thread.awaited_lock = nullptr;
}

} // namespace

void spin_lock_not_owned(const void* lock) noexcept {
    bug_check(SPIN_LOCK_NOT_OWNED, parameter(lock), 0, 0, 0,
              {.rule = "a spin lock was released that this processor does not hold", .document = document});
}

void spin_lock_already_owned(const void* lock) noexcept {
    bug_check(SPIN_LOCK_ALREADY_OWNED, parameter(lock), 0, 0, 0,
              {.rule = "a spin lock was acquired twice by one processor: it would spin forever", .document = document});
}

void spin_lock_used_both_ways(const KSPIN_LOCK* lock) noexcept {
    bug_check(SPIN_LOCK_NOT_OWNED, parameter(lock), *lock, 0, 0,
              {.rule = *lock <= max_processors
                           ? "a spin lock was acquired as a queued one while it was held as an ordinary one: one lock "
                             "is used in one of the two ways only"
                           : "a spin lock was acquired as an ordinary one while it was held as a queued one, or is "
                             "none: one lock is used in one of the two ways only",
               .document = "Queued Spin Locks"});
}

void forget_lock(Processor* processor, const void* lock) noexcept {
    HeldLocks& held = processor->held;
    if (held.count == 0) return;
    if (--held.count >= HeldLocks::capacity || held.lock[held.count] == lock) return;
    for (unsigned i = held.count; i-- != 0;) {
        if (held.lock[i] != lock) continue;
        held.lock[i] = held.lock[held.count];
        return;
    }
}

bool may_hold_lock(const Processor& processor, const void* lock) noexcept {
    const HeldLocks& held = processor.held;
    if (held.count > HeldLocks::capacity) return true;
    for (unsigned i = 0; i < held.count; ++i) {
        if (held.lock[i] == lock) return true;
    }
    return false;
}

Processor* spin_once() noexcept {
    charge(current_processor(), cost::spin);
    current_processor()->waiting_for_lock = 1;
    yield_to_executor();
    return current_processor();
}

void lower_after_release(KIRQL level, const char* rule, const char* rule_document) noexcept {
    Processor* processor = current_processor();
    if (level > processor->irql) [[unlikely]] {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, processor->irql, level, 0,
                  {.rule = rule, .document = rule_document});
    }
    lower_irql(processor, level);
}

void acquire_spin_lock(PKSPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    const KSPIN_LOCK mark = mark_of(processor); // at DISPATCH_LEVEL the flow stays on its processor
    if (!try_take(lock, mark)) [[unlikely]]
        spin(lock, mark);
    remember_lock(processor, lock);
}

void release_spin_lock(PKSPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    if (*lock != mark_of(processor)) [[unlikely]]
        spin_lock_not_owned(lock);
    forget_lock(processor, lock);
    std::atomic_ref<KSPIN_LOCK>(*lock).store(0, std::memory_order_release);
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(KeAcquireSpinLockRaiseToDpc, SpinLock);
    Processor* processor = current_processor();
    DIRQL_TRACE_ON(processor, irql_change, .value = DISPATCH_LEVEL, .text = "KeAcquireSpinLock");
    const KIRQL old = raise_irql(processor, DISPATCH_LEVEL);
    acquire_spin_lock(SpinLock);
    return old;
}

VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql) {
    DIRQL_DOOR_OF(KeReleaseSpinLock, SpinLock);
    release_spin_lock(SpinLock);
    Processor* processor = current_processor();
    if (NewIrql > processor->irql) [[unlikely]] {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, processor->irql, NewIrql, 0,
                  {.rule = "KeReleaseSpinLock was asked to raise the IRQL",
                   .document = "KeReleaseSpinLock function (wdm.h)"});
    }
    DIRQL_TRACE_ON(processor, irql_change, .value = NewIrql, .text = "KeReleaseSpinLock");
    lower_irql(processor, NewIrql);
}

VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(KeAcquireSpinLockAtDpcLevel, SpinLock);
    acquire_spin_lock(SpinLock);
}

VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(KeReleaseSpinLockFromDpcLevel, SpinLock);
    release_spin_lock(SpinLock);
}

// For threaded DPC routines, which run at PASSIVE_LEVEL or, where threaded DPCs are off, at DISPATCH_LEVEL.
KIRQL NTAPI KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR(KeAcquireSpinLockForDpc);
    Processor* processor = current_processor();
    const KIRQL old = processor->irql < DISPATCH_LEVEL ? raise_irql(processor, DISPATCH_LEVEL) : processor->irql;
    acquire_spin_lock(SpinLock);
    return old;
}

VOID NTAPI KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql) {
    DIRQL_DOOR(KeReleaseSpinLockForDpc);
    release_spin_lock(SpinLock);
    Processor* processor = current_processor();
    if (OldIrql < processor->irql) lower_irql(processor, OldIrql);
}

BOOLEAN NTAPI KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR(KeTryToAcquireSpinLockAtDpcLevel);
    Processor* processor = current_processor();
    if (!try_take(SpinLock, mark_of(processor))) return FALSE;
    remember_lock(processor, SpinLock);
    return TRUE;
}

BOOLEAN NTAPI KeTestSpinLock(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR(KeTestSpinLock);
    return *SpinLock == 0;
}
}
