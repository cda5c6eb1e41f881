#include "ke/mutant.hpp"

#include "ke/apc.hpp"
#include "ke/exports/ke.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"

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

} // namespace

bool mutant_owned_by(const DISPATCHER_HEADER& header, const Thread& thread) noexcept {
    return mutant_of(header).OwnerThread == as_kthread(const_cast<Thread*>(&thread));
}

bool acquire_mutant(DISPATCHER_HEADER& header, Thread& thread) noexcept {
    KMUTANT& mutant = mutant_of(header);
    if (--header.SignalState != 0) return false;
    mutant.OwnerThread = as_kthread(&thread);
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

// Releasing a mutex that the thread does not own raises STATUS_MUTANT_NOT_OWNED.
LONG NTAPI KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait) {
    DIRQL_DOOR(KeReleaseMutex);
    Thread& self = *current_thread();
    if (!mutant_owned_by(Mutex->Header, self))
        raise_status(Mutex->Abandoned != 0 ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED);
    const LONG previous = Mutex->Header.SignalState++;
    if (Mutex->Header.SignalState == 1) release_last(*Mutex, self, 1);
    end_signal(Wait != FALSE, APC_LEVEL, "KeReleaseMutex function (wdm.h)");
    return previous;
}

LONG NTAPI KeReadStateMutex(PRKMUTEX Mutex) {
    DIRQL_DOOR(KeReadStateMutex);
    return Mutex->Header.SignalState;
}
}
