#include "ke/spin_lock.hpp"

#include "diag/trace.hpp"
#include "ke/clock.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"

#include <atomic>

namespace dirql::ke {
namespace {

constexpr const char* document = "KeAcquireSpinLock macro (wdm.h)";

KSPIN_LOCK mark_of(const Processor* processor) noexcept { return processor->number + 1; }

[[noreturn]] void not_owned(PKSPIN_LOCK lock) noexcept {
    bug_check(SPIN_LOCK_NOT_OWNED, parameter(lock), 0, 0, 0,
              {.rule = "a spin lock was released that this processor does not hold", .document = document});
}

void remember(Processor* processor, PKSPIN_LOCK lock) noexcept {
    HeldLocks& held = processor->held;
    if (held.count < HeldLocks::capacity) held.lock[held.count] = lock;
    ++held.count;
}

// Usually the last one acquired.
void forget(Processor* processor, PKSPIN_LOCK lock) noexcept {
    HeldLocks& held = processor->held;
    if (held.count == 0) return;
    if (--held.count >= HeldLocks::capacity || held.lock[held.count] == lock) return;
    for (unsigned i = held.count; i-- != 0;) {
        if (held.lock[i] != lock) continue;
        held.lock[i] = held.lock[held.count];
        return;
    }
}

bool try_take(PKSPIN_LOCK lock, KSPIN_LOCK mark) noexcept {
    KSPIN_LOCK free = 0;
    return std::atomic_ref<KSPIN_LOCK>(*lock).compare_exchange_strong(free, mark, std::memory_order_acquire);
}

void spin(PKSPIN_LOCK lock, KSPIN_LOCK mark) noexcept {
    if (*lock == mark) {
        bug_check(
            SPIN_LOCK_ALREADY_OWNED, parameter(lock), 0, 0, 0,
            {.rule = "a spin lock was acquired twice by one processor: it would spin forever", .document = document});
    }
    Thread& thread = *current_processor()->current; // the flow is its, or a DPC's on top of it
    thread.awaited_lock = lock;
    do {
        Processor* processor = current_processor();
        charge(processor, cost::spin);
        processor = current_processor();
        processor->waiting_for_lock = 1;
        yield_to_executor();
    } while (!try_take(lock, mark));
    thread.awaited_lock = nullptr;
}

} // namespace

void acquire_spin_lock(PKSPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    const KSPIN_LOCK mark = mark_of(processor); // at DISPATCH_LEVEL the flow stays on its processor
    if (!try_take(lock, mark)) [[unlikely]]
        spin(lock, mark);
    remember(processor, lock);
}

void release_spin_lock(PKSPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    if (*lock != mark_of(processor)) [[unlikely]]
        not_owned(lock);
    forget(processor, lock);
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
    remember(processor, SpinLock);
    return TRUE;
}

BOOLEAN NTAPI KeTestSpinLock(PKSPIN_LOCK SpinLock) {
    DIRQL_DOOR(KeTestSpinLock);
    return *SpinLock == 0;
}
}
