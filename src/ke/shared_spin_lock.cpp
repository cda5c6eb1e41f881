// Reader-writer spin locks: EX_SPIN_LOCK, shared by any number of processors or held by one alone.
//
// The lock's word counts the processors that share it. A writer first sets the top bit, which keeps new readers out, and waits
// for those that are in; with the top bit alone the lock is its own.
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

constexpr std::uint32_t writer = 0x8000'0000;

using Word = volatile std::uint32_t;
Word& word_of(PEX_SPIN_LOCK lock) noexcept { return *reinterpret_cast<Word*>(lock); }

// Spins while `blocked` says so. In lockstep nothing runs between its last look and what the caller does next.
template <class Blocked> void spin_while(PEX_SPIN_LOCK lock, Blocked blocked) noexcept {
    if (!blocked()) return;
    Thread& thread = *current_processor()->current; // the flow is its, or a DPC's on top of it
    thread.awaited_lock = reinterpret_cast<PKSPIN_LOCK>(lock);
    while (blocked()) spin_once();
    thread.awaited_lock = nullptr;
}

// "Recursive acquisition of a spin lock causes deadlock and is not allowed": also where both are shared, and a writer between the two.
void refuse_own(PEX_SPIN_LOCK lock) noexcept {
    const Processor& processor = *current_processor();
    if (processor.held.count != 0 && processor.held.count <= HeldLocks::capacity && may_hold_lock(processor, lock))
        [[unlikely]]
        spin_lock_already_owned(lock);
}

void acquire_exclusive(PEX_SPIN_LOCK lock) noexcept {
    Word& word = word_of(lock);
    refuse_own(lock);
    spin_while(lock, [&] { return (word & writer) != 0; });
    word = word | writer;
    spin_while(lock, [&] { return word != writer; });
    remember_lock(current_processor(), lock);
}

void acquire_shared(PEX_SPIN_LOCK lock) noexcept {
    Word& word = word_of(lock);
    refuse_own(lock);
    spin_while(lock, [&] { return (word & writer) != 0; });
    word = word + 1;
    remember_lock(current_processor(), lock);
}

void release_exclusive(PEX_SPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    if (word_of(lock) != writer || !may_hold_lock(*processor, lock)) [[unlikely]]
        spin_lock_not_owned(lock);
    forget_lock(processor, lock);
    word_of(lock) = 0;
}

void release_shared(PEX_SPIN_LOCK lock) noexcept {
    Processor* processor = current_processor();
    if ((word_of(lock) & ~writer) == 0 || !may_hold_lock(*processor, lock)) [[unlikely]]
        spin_lock_not_owned(lock);
    forget_lock(processor, lock);
    word_of(lock) = word_of(lock) - 1;
}

KIRQL raise_to_dispatch([[maybe_unused]] const char* name) noexcept {
    Processor* processor = current_processor();
    DIRQL_TRACE_ON(processor, irql_change, .value = DISPATCH_LEVEL, .text = name);
    return raise_irql(processor, DISPATCH_LEVEL);
}

} // namespace
} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

KIRQL NTAPI ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExAcquireSpinLockExclusive, SpinLock);
    const KIRQL old = raise_to_dispatch("ExAcquireSpinLockExclusive");
    acquire_exclusive(SpinLock);
    return old;
}

KIRQL NTAPI ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExAcquireSpinLockShared, SpinLock);
    const KIRQL old = raise_to_dispatch("ExAcquireSpinLockShared");
    acquire_shared(SpinLock);
    return old;
}

VOID NTAPI ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExAcquireSpinLockExclusiveAtDpcLevel, SpinLock);
    acquire_exclusive(SpinLock);
}

VOID NTAPI ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExAcquireSpinLockSharedAtDpcLevel, SpinLock);
    acquire_shared(SpinLock);
}

VOID NTAPI ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql) {
    DIRQL_DOOR_OF(ExReleaseSpinLockExclusive, SpinLock);
    release_exclusive(SpinLock);
    DIRQL_TRACE(irql_change, .value = OldIrql, .text = "ExReleaseSpinLockExclusive");
    lower_after_release(OldIrql, "ExReleaseSpinLockExclusive was asked to raise the IRQL",
                        "ExReleaseSpinLockExclusive function (wdm.h)");
}

VOID NTAPI ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql) {
    DIRQL_DOOR_OF(ExReleaseSpinLockShared, SpinLock);
    release_shared(SpinLock);
    DIRQL_TRACE(irql_change, .value = OldIrql, .text = "ExReleaseSpinLockShared");
    lower_after_release(OldIrql, "ExReleaseSpinLockShared was asked to raise the IRQL",
                        "ExReleaseSpinLockShared function (wdm.h)");
}

VOID NTAPI ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExReleaseSpinLockExclusiveFromDpcLevel, SpinLock);
    release_exclusive(SpinLock);
}

VOID NTAPI ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExReleaseSpinLockSharedFromDpcLevel, SpinLock);
    release_shared(SpinLock);
}

// TRUE when the caller was alone with the lock and no writer waits.
LOGICAL NTAPI ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock) {
    DIRQL_DOOR_OF(ExTryConvertSharedSpinLockExclusive, SpinLock);
    if ((word_of(SpinLock) & ~writer) == 0 || !may_hold_lock(*current_processor(), SpinLock)) [[unlikely]]
        spin_lock_not_owned(SpinLock);
    if (word_of(SpinLock) != 1) return FALSE;
    word_of(SpinLock) = writer;
    return TRUE;
}
}
