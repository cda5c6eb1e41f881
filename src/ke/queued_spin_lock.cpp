// In-stack queued spin locks: who waits stands in a queue of handles, and the lock goes from one to the next.
//
// A held lock's word is the address of the last handle in the queue, which is the holder's own when nobody waits. Addresses are
// greater than any processor's number plus one, the word of a lock held plainly: a lock must be used in one way only, and
// a mixture is seen.
#include "diag/trace.hpp"
#include "ke/clock.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/irql.hpp"
#include "ke/machine.hpp"
#include "ke/spin_lock.hpp"
#include "ke/stop.hpp"

#include <cstdint>

namespace dirql::ke {
namespace {

constexpr KIRQL synch_level = 12; // SYNCH_LEVEL of x64

// KSPIN_LOCK_QUEUE::Lock: the lock's address, and in its low bits, which alignment leaves free, how the handle stands.
constexpr std::uintptr_t waits = 1;
constexpr std::uintptr_t owns = 2;
constexpr std::uintptr_t state_bits = 7;

PKSPIN_LOCK marked(PKSPIN_LOCK lock, std::uintptr_t state) noexcept {
    return reinterpret_cast<PKSPIN_LOCK>(reinterpret_cast<std::uintptr_t>(lock) | state);
}
std::uintptr_t state_of(const KLOCK_QUEUE_HANDLE& handle) noexcept {
    return reinterpret_cast<std::uintptr_t>(handle.LockQueue.Lock) & state_bits;
}
PKSPIN_LOCK lock_of(const KLOCK_QUEUE_HANDLE& handle) noexcept {
    return reinterpret_cast<PKSPIN_LOCK>(reinterpret_cast<std::uintptr_t>(handle.LockQueue.Lock) & ~state_bits);
}

// The processor that waits with this handle, for who hands the lock on. Behind OldIrql the structure has room.
UCHAR& waiter_of(KLOCK_QUEUE_HANDLE& handle) noexcept { return (&handle.OldIrql)[1]; }

bool held_plainly(KSPIN_LOCK word) noexcept { return word != 0 && word <= max_processors; }

void wait_in_queue(Processor* processor, PKSPIN_LOCK lock, KLOCK_QUEUE_HANDLE& handle) noexcept {
    Thread& thread = *processor->current; // the flow is its, or a DPC's on top of it
    waiter_of(handle) = static_cast<UCHAR>(processor->number);
    thread.awaited_lock = lock;
    while ((state_of(handle) & owns) == 0) spin_once();
    thread.awaited_lock = nullptr;
}

// At DISPATCH_LEVEL or above: the flow stays on its processor. Between look and link nothing else runs.
void acquire(PKSPIN_LOCK lock, KLOCK_QUEUE_HANDLE& handle) noexcept {
    Processor* processor = current_processor();
    const KSPIN_LOCK last = *lock;
    if (held_plainly(last)) [[unlikely]]
        spin_lock_used_both_ways(lock);
    if (last != 0 && may_hold_lock(*processor, lock)) [[unlikely]]
        spin_lock_already_owned(lock);
    handle.LockQueue.Next = nullptr;
    handle.LockQueue.Lock = marked(lock, last == 0 ? owns : waits);
    if (last != 0) reinterpret_cast<PKLOCK_QUEUE_HANDLE>(last)->LockQueue.Next = &handle.LockQueue;
    *lock = reinterpret_cast<KSPIN_LOCK>(&handle);
    if (last != 0) wait_in_queue(processor, lock, handle);
    remember_lock(processor, lock);
}

void release(KLOCK_QUEUE_HANDLE& handle) noexcept {
    Processor* processor = current_processor();
    PKSPIN_LOCK lock = lock_of(handle);
    if (state_of(handle) != owns || !may_hold_lock(*processor, lock)) [[unlikely]]
        spin_lock_not_owned(lock);
    forget_lock(processor, lock);
    handle.LockQueue.Lock = lock;
    if (*lock == reinterpret_cast<KSPIN_LOCK>(&handle)) {
        *lock = 0;
        return;
    }
    auto& next = *CONTAINING_RECORD(handle.LockQueue.Next, KLOCK_QUEUE_HANDLE, LockQueue);
    next.LockQueue.Lock = marked(lock, owns);
    processor->machine->processors[waiter_of(next)]->current->awaited_lock = nullptr;
}

void raise_and_acquire(PKSPIN_LOCK lock, KLOCK_QUEUE_HANDLE& handle, KIRQL level,
                       [[maybe_unused]] const char* name) noexcept {
    Processor* processor = current_processor();
    DIRQL_TRACE_ON(processor, irql_change, .value = level, .text = name);
    handle.OldIrql = raise_irql(processor, level);
    acquire(lock, handle);
}

} // namespace
} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR_OF(KeAcquireInStackQueuedSpinLock, SpinLock);
    raise_and_acquire(SpinLock, *LockHandle, DISPATCH_LEVEL, "KeAcquireInStackQueuedSpinLock");
}

// The hardware abstraction layer's, at SYNCH_LEVEL; the kit's headers do not declare it.
VOID NTAPI KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
VOID NTAPI KeAcquireInStackQueuedSpinLockRaiseToSynch(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR_OF(KeAcquireInStackQueuedSpinLockRaiseToSynch, SpinLock);
    raise_and_acquire(SpinLock, *LockHandle, synch_level, "KeAcquireInStackQueuedSpinLockRaiseToSynch");
}

VOID NTAPI KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR(KeReleaseInStackQueuedSpinLock);
    release(*LockHandle);
    DIRQL_TRACE(irql_change, .value = LockHandle->OldIrql, .text = "KeReleaseInStackQueuedSpinLock");
    lower_after_release(LockHandle->OldIrql, "KeReleaseInStackQueuedSpinLock was asked to raise the IRQL",
                        "KeReleaseInStackQueuedSpinLock function (wdm.h)");
}

VOID NTAPI KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR_OF(KeAcquireInStackQueuedSpinLockAtDpcLevel, SpinLock);
    acquire(SpinLock, *LockHandle);
}

VOID NTAPI KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    release(*LockHandle);
}

// For threaded DPC routines, at PASSIVE_LEVEL or DISPATCH_LEVEL.
VOID NTAPI KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR(KeAcquireInStackQueuedSpinLockForDpc);
    raise_and_acquire(SpinLock, *LockHandle, DISPATCH_LEVEL, "KeAcquireInStackQueuedSpinLockForDpc");
}

VOID NTAPI KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle) {
    DIRQL_DOOR(KeReleaseInStackQueuedSpinLockForDpc);
    release(*LockHandle);
    lower_after_release(LockHandle->OldIrql, "KeReleaseInStackQueuedSpinLockForDpc was asked to raise the IRQL",
                        "KeReleaseInStackQueuedSpinLockForDpc function (wdm.h)");
}

KIRQL NTAPI KeRaiseIrqlToSynchLevel(VOID) {
    DIRQL_DOOR(KeRaiseIrqlToSynchLevel);
    Processor* processor = current_processor();
    DIRQL_TRACE_ON(processor, irql_change, .value = synch_level, .text = "KeRaiseIrqlToSynchLevel");
    return raise_irql(processor, synch_level);
}
}
