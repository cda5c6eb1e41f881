#include "ke/mutant.hpp"

#include "ke/apc.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

namespace dirql::ke {
namespace {

KMUTANT& mutant_of(const DISPATCHER_HEADER& header) noexcept {
    return *CONTAINING_RECORD(const_cast<DISPATCHER_HEADER*>(&header), KMUTANT, Header);
}

void initialize_mutant(KMUTANT& mutant, bool disables_apcs) noexcept {
    initialize_header(mutant.Header, object_type::mutant, 1, sizeof(KMUTANT));
    mutant.OwnerThread = nullptr;
    mutant.Abandoned = FALSE;
    mutant.ApcDisable = disables_apcs;
    InitializeListHead(&mutant.MutantListEntry);
}

// SignalState: 1 free, 0 owned once, below: owned recursively.
void release_last(KMUTANT& mutant, Thread& owner, KPRIORITY increment) noexcept {
    RemoveEntryList(&mutant.MutantListEntry);
    InitializeListHead(&mutant.MutantListEntry);
    mutant.OwnerThread = nullptr;
    if (mutant.ApcDisable != 0) {
        ++owner.kernel_apc_disable;
        check_apcs_after_region(owner);
    }
    wake_waiters(mutant.Header, increment);
}

// What was taken at DISPATCH_LEVEL is released there, and nothing else is.
bool at_level_of_acquisition(const KMUTANT& mutant, const Thread& self) noexcept {
    const KIRQL level = self.wait_next != 0 ? self.wait_irql : current_processor()->irql;
    return (mutant.Spare1 != 0) == (level >= DISPATCH_LEVEL);
}

LONG release_mutant(KMUTANT& mutant, KPRIORITY increment, bool wait_follows, const char* document) {
    Thread& self = *current_thread();
    if (!mutant_owned_by(mutant.Header, self) || !at_level_of_acquisition(mutant, self))
        raise_status(mutant.Abandoned != 0 ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED);
    const LONG previous = mutant.Header.SignalState++;
    if (mutant.Header.SignalState == 1) release_last(mutant, self, increment);
    end_signal(wait_follows, APC_LEVEL, document);
    return previous;
}

} // namespace

bool mutant_owned_by(const DISPATCHER_HEADER& header, const Thread& thread) noexcept {
    return mutant_of(header).OwnerThread == as_kthread(const_cast<Thread*>(&thread));
}

bool acquire_mutant(DISPATCHER_HEADER& header, Thread& thread) noexcept {
    KMUTANT& mutant = mutant_of(header);
    if (--header.SignalState != 0) return false;
    mutant.OwnerThread = as_kthread(&thread);
    mutant.Spare1 = thread.wait_irql >= DISPATCH_LEVEL; // of the wait that takes it
    InsertTailList(&thread.mutants, &mutant.MutantListEntry);
    if (mutant.ApcDisable != 0) --thread.kernel_apc_disable;
    const bool abandoned = mutant.Abandoned != 0;
    mutant.Abandoned = FALSE;
    return abandoned;
}

void refuse_held_mutexes(Thread& thread) noexcept {
    for (LIST_ENTRY* entry = thread.mutants.Flink; entry != &thread.mutants; entry = entry->Flink) {
        const auto* mutant = CONTAINING_RECORD(entry, KMUTANT, MutantListEntry);
        if (mutant->ApcDisable == 0) continue;
        bug_check(THREAD_TERMINATE_HELD_MUTEX, parameter(&thread), parameter(mutant), 0, 0,
                  {.rule = "a thread ended while it owned a mutex",
                   .document = "Bug Check 0x4000008A: THREAD_TERMINATE_HELD_MUTEX"});
    }
}

void abandon_mutants(Thread& thread) noexcept {
    while (!IsListEmpty(&thread.mutants)) {
        auto& mutant = *CONTAINING_RECORD(thread.mutants.Flink, KMUTANT, MutantListEntry);
        mutant.Header.SignalState = 1;
        mutant.Abandoned = TRUE;
        release_last(mutant, thread, 1);
    }
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeInitializeMutex(PRKMUTEX Mutex, ULONG Level) {
    DIRQL_DOOR(KeInitializeMutex);
    UNREFERENCED_PARAMETER(Level);
    initialize_mutant(*Mutex, true);
}

// Releasing a mutex that the thread does not own, or at DISPATCH_LEVEL one that was not acquired there, or the other way round,
// raises STATUS_MUTANT_NOT_OWNED.
LONG NTAPI KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait) {
    DIRQL_DOOR(KeReleaseMutex);
    return release_mutant(*Mutex, 1, Wait != FALSE, "KeReleaseMutex function (wdm.h)");
}

LONG NTAPI KeReadStateMutex(PRKMUTEX Mutex) {
    DIRQL_DOOR(KeReadStateMutex);
    return Mutex->Header.SignalState;
}

// Mutants, unlike mutexes, disable no APCs: they are for user mode.
VOID NTAPI KeInitializeMutant(PRKMUTANT Mutant, BOOLEAN InitialOwner) {
    DIRQL_DOOR(KeInitializeMutant);
    initialize_mutant(*Mutant, false);
    Thread& self = *current_thread();
    self.wait_irql = current_processor()->irql;
    if (InitialOwner != FALSE) acquire_mutant(Mutant->Header, self);
}

// Abandoned: released for good, by whomever, and the next owner is told.
LONG NTAPI KeReleaseMutant(PRKMUTANT Mutant, KPRIORITY Increment, BOOLEAN Abandoned, BOOLEAN Wait) {
    DIRQL_DOOR(KeReleaseMutant);
    constexpr const char* document = "KeReleaseMutant function (ntifs.h)";
    if (Abandoned == FALSE) return release_mutant(*Mutant, Increment, Wait != FALSE, document);
    const LONG previous = Mutant->Header.SignalState;
    if (Mutant->OwnerThread != nullptr) {
        Mutant->Header.SignalState = 1;
        Mutant->Abandoned = TRUE;
        release_last(*Mutant, *thread_of(Mutant->OwnerThread), Increment);
    }
    end_signal(Wait != FALSE, APC_LEVEL, document);
    return previous;
}

LONG NTAPI KeReadStateMutant(PRKMUTANT Mutant) {
    DIRQL_DOOR(KeReadStateMutant);
    return Mutant->Header.SignalState;
}
}
