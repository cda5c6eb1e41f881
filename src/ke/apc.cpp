#include "ke/apc.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <utility>

namespace dirql::ke {
namespace {

constexpr UCHAR apc_object = 0x12; // KOBJECTS
constexpr UCHAR of_driver = 1;     // KAPC::SpareByte0: its routines are a driver's
constexpr KPRIORITY alert_increment = 2;

enum : unsigned { kernel_routine, rundown_routine, normal_routine }; // KAPC::Reserved

NormalRoutine normal_of(const KAPC& apc) noexcept {
    return reinterpret_cast<NormalRoutine>(apc.Reserved[normal_routine]);
}
KernelRoutine kernel_of(const KAPC& apc) noexcept {
    return reinterpret_cast<KernelRoutine>(apc.Reserved[kernel_routine]);
}

bool is_special(const KAPC& apc) noexcept { return normal_of(apc) == nullptr; }
LIST_ENTRY& queue_of(Thread& thread, KPROCESSOR_MODE mode) noexcept { return thread.apcs[mode == KernelMode ? 0 : 1]; }

KAPC* first_apc(Thread& thread, KPROCESSOR_MODE mode) noexcept {
    LIST_ENTRY& list = queue_of(thread, mode);
    return IsListEmpty(&list) ? nullptr : CONTAINING_RECORD(list.Flink, KAPC, ApcListEntry);
}

// Special APCs go before normal ones, each kind in the order of insertion.
void link(Thread& thread, KAPC& apc) noexcept {
    LIST_ENTRY* list = &queue_of(thread, apc.ApcMode);
    if (!is_special(apc)) {
        InsertTailList(list, &apc.ApcListEntry);
    } else {
        LIST_ENTRY* before = list->Flink;
        while (before != list && is_special(*CONTAINING_RECORD(before, KAPC, ApcListEntry))) before = before->Flink;
        InsertTailList(before, &apc.ApcListEntry);
    }
    apc.Inserted = TRUE;
}

// May the first queued kernel APC run in this thread at PASSIVE_LEVEL?
bool first_is_deliverable(Thread& thread) noexcept {
    const KAPC* apc = first_apc(thread, KernelMode);
    if (apc == nullptr || thread.special_apc_disable != 0) return false;
    return is_special(*apc) || (thread.kernel_apc_disable == 0 && thread.kernel_apc_in_progress == 0);
}

void request_delivery(Thread& thread, KPRIORITY increment) noexcept {
    thread.kernel_apc_pending = 1;
    if (thread.state == ThreadState::running) {
        request_interrupt(thread.processor, APC_LEVEL);
    } else if (thread.state == ThreadState::waiting && thread.wait_irql < APC_LEVEL && first_is_deliverable(thread)) {
        end_wait(thread, STATUS_KERNEL_APC, increment);
    }
}

void wake_for_user_apc(Thread& thread, KPRIORITY increment) noexcept {
    if (thread.state != ThreadState::waiting || thread.wait_mode != UserMode || thread.wait_alertable == 0) return;
    thread.user_apc_pending = 1;
    end_wait(thread, STATUS_USER_APC, increment);
}

void unlink(KAPC& apc) noexcept {
    RemoveEntryList(&apc.ApcListEntry);
    apc.Inserted = FALSE;
}

CalloutSite site_of(const void* routine) noexcept { return {CalloutKind::other, routine}; }

// The kernel routine may free the APC; it may also change what follows.
UserCall run_kernel_routine(KAPC& apc) noexcept {
    UserCall next{normal_of(apc), apc.NormalContext, apc.SystemArgument1, apc.SystemArgument2};
    const KernelRoutine routine = kernel_of(apc);
    if (apc.SpareByte0 == of_driver) {
        callout(site_of(reinterpret_cast<const void*>(routine)), routine, &apc, &next.routine, &next.context,
                &next.argument1, &next.argument2);
    } else {
        routine(&apc, &next.routine, &next.context, &next.argument1, &next.argument2);
    }
    return next;
}

// A file's APC routine is given as a normal routine, though its parameters have other types.
DIRQL_CALLS_ANY_ROUTINE void deliver_one(Thread& thread, KAPC& apc) noexcept {
    unlink(apc);
    DIRQL_TRACE(apc_delivered, .text = is_special(apc) ? "special kernel" : "normal kernel");
    const bool drivers = apc.SpareByte0 == of_driver;
    const UserCall next = run_kernel_routine(apc);
    if (next.routine == nullptr) return;
    thread.kernel_apc_in_progress = 1;
    lower_irql(current_processor(), PASSIVE_LEVEL);
    if (drivers) {
        callout(site_of(reinterpret_cast<const void*>(next.routine)), next.routine, next.context, next.argument1,
                next.argument2);
    } else {
        next.routine(next.context, next.argument1, next.argument2);
    }
    (void)raise_irql(current_processor(), APC_LEVEL);
    thread.kernel_apc_in_progress = 0;
}

} // namespace

void initialize_apc(KAPC& apc, Thread& thread, KernelRoutine kernel, RundownRoutine rundown, NormalRoutine normal,
                    KPROCESSOR_MODE mode, void* context) noexcept {
    apc.Type = apc_object;
    apc.SpareByte0 = 0;
    apc.Size = sizeof(KAPC);
    apc.Thread = as_kthread(&thread);
    apc.ApcStateIndex = 0;
    apc.Reserved[kernel_routine] = reinterpret_cast<PVOID>(kernel);
    apc.Reserved[rundown_routine] = reinterpret_cast<PVOID>(rundown);
    apc.Reserved[normal_routine] = reinterpret_cast<PVOID>(normal);
    apc.ApcMode = normal == nullptr ? static_cast<KPROCESSOR_MODE>(KernelMode) : mode;
    apc.NormalContext = normal == nullptr ? nullptr : context;
    apc.Inserted = FALSE;
}

bool insert_apc(KAPC& apc, void* argument1, void* argument2, KPRIORITY increment) noexcept {
    Thread& thread = *thread_of(apc.Thread);
    if (apc.Inserted || thread.apc_queue_shut != 0 || thread.state == ThreadState::terminated) return false;
    apc.SystemArgument1 = argument1;
    apc.SystemArgument2 = argument2;
    link(thread, apc);
    if (apc.ApcMode == KernelMode) {
        request_delivery(thread, increment);
    } else {
        wake_for_user_apc(thread, increment);
    }
    return true;
}

bool remove_apc(KAPC& apc) noexcept {
    if (!apc.Inserted) return false;
    unlink(apc);
    return true;
}

// What is pending is all that is queued: as on NT, where the return from one user APC tests for the next.
bool take_user_apc(Thread& thread, UserCall& call) noexcept {
    thread.user_apc_pending = 0;
    KAPC* apc = first_apc(thread, UserMode);
    if (apc == nullptr) return false;
    (void)raise_irql(current_processor(), APC_LEVEL);
    unlink(*apc);
    DIRQL_TRACE(apc_delivered, .text = "user");
    call = run_kernel_routine(*apc);
    lower_irql(current_processor(), PASSIVE_LEVEL);
    return true;
}

bool alert_thread(Thread& thread, KPROCESSOR_MODE mode) noexcept {
    std::uint8_t& alerted = thread.alerted[mode == KernelMode ? 0 : 1];
    if (alerted != 0) return true;
    if (thread.state == ThreadState::waiting && thread.wait_alertable != 0 && mode <= thread.wait_mode) {
        end_wait(thread, STATUS_ALERTED, alert_increment);
    } else {
        alerted = 1;
    }
    return false;
}

bool test_alert(Thread& thread, KPROCESSOR_MODE mode) noexcept {
    if (std::exchange(thread.alerted[mode == KernelMode ? 0 : 1], std::uint8_t{0}) != 0) return true;
    if (mode == UserMode && !IsListEmpty(&thread.apcs[UserMode])) thread.user_apc_pending = 1;
    return false;
}

bool deliverable_kernel_apc(Thread& thread) noexcept { return first_is_deliverable(thread); }

void deliver_kernel_apcs(Thread& thread) noexcept {
    thread.kernel_apc_pending = 0;
    while (first_is_deliverable(thread)) deliver_one(thread, *first_apc(thread, KernelMode));
}

void check_apcs_after_region(Thread& thread) noexcept {
    if (first_apc(thread, KernelMode) == nullptr || !first_is_deliverable(thread)) return;
    thread.kernel_apc_pending = 1;
    request_interrupt(current_processor(), APC_LEVEL);
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeEnterCriticalRegion(VOID) {
    DIRQL_DOOR(KeEnterCriticalRegion);
    --current_thread()->kernel_apc_disable;
}

VOID NTAPI KeLeaveCriticalRegion(VOID) {
    DIRQL_DOOR(KeLeaveCriticalRegion);
    Thread& self = *current_thread();
    if (self.kernel_apc_disable == 0) {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3E, 0, 0, 0,
                  {.rule = "a critical region was left that was not entered",
                   .document = "KeLeaveCriticalRegion function (ntddk.h)"});
    }
    if (++self.kernel_apc_disable == 0) check_apcs_after_region(self);
    reschedule_if_asked();
}

VOID NTAPI KeEnterGuardedRegion(VOID) {
    DIRQL_DOOR(KeEnterGuardedRegion);
    --current_thread()->special_apc_disable;
}

VOID NTAPI KeLeaveGuardedRegion(VOID) {
    DIRQL_DOOR(KeLeaveGuardedRegion);
    Thread& self = *current_thread();
    if (self.special_apc_disable == 0) {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0004000E, 0, 0, 0,
                  {.rule = "a guarded region was left that was not entered",
                   .document = "KeLeaveGuardedRegion function (wdm.h)"});
    }
    if (++self.special_apc_disable == 0) check_apcs_after_region(self);
    reschedule_if_asked();
}

BOOLEAN NTAPI KeAreApcsDisabled(VOID) {
    DIRQL_DOOR(KeAreApcsDisabled);
    return apcs_disabled(*current_thread());
}

BOOLEAN NTAPI KeAreAllApcsDisabled(VOID) {
    DIRQL_DOOR(KeAreAllApcsDisabled);
    const Processor& processor = *current_processor();
    return processor.irql >= APC_LEVEL || processor.current->special_apc_disable != 0;
}

// The following are ntoskrnl's, and drivers declare them themselves: the kit's headers do not.
VOID NTAPI KeInitializeApc(PRKAPC Apc, PRKTHREAD Thread, int Environment, KernelRoutine KernelRoutine,
                           RundownRoutine RundownRoutine, NormalRoutine NormalRoutine, KPROCESSOR_MODE ApcMode,
                           PVOID NormalContext);
BOOLEAN NTAPI KeInsertQueueApc(PRKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment);
BOOLEAN NTAPI KeRemoveQueueApc(PRKAPC Apc);
BOOLEAN NTAPI KeAlertThread(PKTHREAD Thread, KPROCESSOR_MODE AlertMode);
BOOLEAN NTAPI KeTestAlertThread(KPROCESSOR_MODE AlertMode);

// Environment: the process that the thread was made in or the one that it is attached to now, which are one here.
VOID NTAPI KeInitializeApc(PRKAPC Apc, PRKTHREAD Thread, int Environment, KernelRoutine KernelRoutine,
                           RundownRoutine RundownRoutine, NormalRoutine NormalRoutine, KPROCESSOR_MODE ApcMode,
                           PVOID NormalContext) {
    DIRQL_DOOR(KeInitializeApc);
    initialize_apc(*Apc, *thread_of(Thread), KernelRoutine, RundownRoutine, NormalRoutine, ApcMode, NormalContext);
    constexpr int current_environment = 2;
    Apc->ApcStateIndex = static_cast<CCHAR>(Environment == current_environment ? 0 : Environment);
    Apc->SpareByte0 = of_driver;
}

BOOLEAN NTAPI KeInsertQueueApc(PRKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment) {
    DIRQL_DOOR(KeInsertQueueApc);
    const bool queued = insert_apc(*Apc, SystemArgument1, SystemArgument2, Increment);
    reschedule_if_asked();
    return queued;
}

BOOLEAN NTAPI KeRemoveQueueApc(PRKAPC Apc) {
    DIRQL_DOOR(KeRemoveQueueApc);
    return remove_apc(*Apc);
}

BOOLEAN NTAPI KeAlertThread(PKTHREAD Thread, KPROCESSOR_MODE AlertMode) {
    DIRQL_DOOR(KeAlertThread);
    const bool was_alerted = alert_thread(*thread_of(Thread), AlertMode);
    reschedule_if_asked();
    return was_alerted;
}

BOOLEAN NTAPI KeTestAlertThread(KPROCESSOR_MODE AlertMode) {
    DIRQL_DOOR(KeTestAlertThread);
    return test_alert(*current_thread(), AlertMode);
}
}
