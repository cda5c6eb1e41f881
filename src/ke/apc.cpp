#include "ke/apc.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <utility>

namespace dirql::ke {
namespace {

constexpr UCHAR apc_object = 0x12; // KOBJECTS

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

void deliver_one(Thread& thread, KAPC& apc) noexcept {
    RemoveEntryList(&apc.ApcListEntry);
    apc.Inserted = FALSE;
    DIRQL_TRACE(apc_delivered, .text = is_special(apc) ? "special kernel" : "normal kernel");
    // The kernel routine may free the APC; it may also change what follows.
    NormalRoutine normal = normal_of(apc);
    PVOID context = apc.NormalContext;
    PVOID argument1 = apc.SystemArgument1;
    PVOID argument2 = apc.SystemArgument2;
    kernel_of(apc)(&apc, &normal, &context, &argument1, &argument2);
    if (normal == nullptr) return;
    thread.kernel_apc_in_progress = 1;
    lower_irql(current_processor(), PASSIVE_LEVEL);
    normal(context, argument1, argument2);
    (void)raise_irql(current_processor(), APC_LEVEL);
    thread.kernel_apc_in_progress = 0;
}

} // namespace

void initialize_apc(KAPC& apc, Thread& thread, KernelRoutine kernel, RundownRoutine rundown, NormalRoutine normal,
                    KPROCESSOR_MODE mode, void* context) noexcept {
    apc.Type = apc_object;
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
    if (apc.Inserted || thread.state == ThreadState::terminated) return false;
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
    RemoveEntryList(&apc.ApcListEntry);
    apc.Inserted = FALSE;
    return true;
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
}
