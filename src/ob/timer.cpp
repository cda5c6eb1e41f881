// Timers by handle and by name.
#include "ob/timer.hpp"

#include "ke/apc.hpp"
#include "ke/dpc.hpp"
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ke/timer.hpp"
#include "ke/wait.hpp"
#include "ob/event.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/service_result.hpp"
#include "ob/services.hpp"

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_access = TIMER_ALL_ACCESS;

// The APC is no longer wanted. True: the reference that went with it is the caller's to drop.
bool forget_apc(TimerObject& object) noexcept {
    if (!object.has_apc) return false;
    object.has_apc = false;
    RemoveEntryList(&object.entry);
    return true;
}

// Nothing of it comes any more: no expiration, no DPC, no APC. Between two preemption points, as is its setting.
void stop_timer(TimerObject& object) noexcept {
    (void)ke::remove_timer(object.timer);
    if (!object.has_apc) return;
    (void)ke::cancel_dpc(object.dpc);
    ke::remove_apc(object.apc);
    if (forget_apc(object)) dereference(&object);
}

// An APC that is still queued is not queued again. Its thread has not ended: that would have cancelled the timer.
void NTAPI expired(PKDPC, PVOID context, PVOID low, PVOID high) noexcept {
    auto& object = *static_cast<TimerObject*>(context);
    if (object.has_apc) (void)ke::insert_apc(object.apc, low, high, 0);
}

// In the thread, before its routine is called. The timer may go with its last reference.
void NTAPI about_to_call(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) noexcept {
    TimerObject& object = *CONTAINING_RECORD(apc, TimerObject, apc);
    if (object.timer.Period == 0 && forget_apc(object)) dereference(&object);
}

void want_apc(TimerObject& object, PTIMER_APC_ROUTINE routine, PVOID context) noexcept {
    ke::Thread& thread = *ke::current_thread();
    const auto normal = reinterpret_cast<ke::NormalRoutine>(reinterpret_cast<void*>(routine));
    ke::initialize_apc(object.apc, thread, about_to_call, nullptr, normal, ke::previous_mode(), context);
    InsertTailList(&thread.apc_timers, &object.entry);
    object.has_apc = true;
    reference(&object);
}

// It may be running when its last handle goes.
void destroy_timer(void* body) noexcept { KeCancelTimer(&static_cast<TimerObject*>(body)->timer); }

NTSTATUS create_timer(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, TIMER_TYPE type) noexcept {
    if (type != NotificationTimer && type != SynchronizationTimer) return STATUS_INVALID_PARAMETER_4;
    return create_by_handle<TimerObject>(result, access, attributes, timer_type, [&](TimerObject& object) {
        KeInitializeTimerEx(&object.timer, type);
        ke::initialize_dpc(object.dpc, expired, &object);
        object.has_apc = false;
    });
}

struct TimerSetting {
    const LARGE_INTEGER* due;
    PTIMER_APC_ROUTINE routine;
    PVOID context;
    LONG period;
};

// Who waited for it waits on; what its former setting was to call is not called.
NTSTATUS set_timer(HANDLE handle, const TimerSetting& setting, PBOOLEAN previous) noexcept {
    if (setting.period < 0) return STATUS_INVALID_PARAMETER_6;
    LARGE_INTEGER when{};
    const NTSTATUS status = ke::copy_in(when, setting.due, ke::previous_mode());
    if (!NT_SUCCESS(status)) return status;
    return change_by_handle<TimerObject>(
        handle, TIMER_MODIFY_STATE, timer_type, previous, [&](TimerObject& object, BOOLEAN& before) {
            before = KeReadStateTimer(&object.timer);
            stop_timer(object);
            if (setting.routine != nullptr) want_apc(object, setting.routine, setting.context);
            ke::set_timer(object.timer, when, setting.period, setting.routine != nullptr ? &object.dpc : nullptr);
            ke::reschedule_if_asked();
            return STATUS_SUCCESS;
        });
}

NTSTATUS cancel_timer(HANDLE handle, PBOOLEAN state) noexcept {
    return change_by_handle<TimerObject>(handle, TIMER_MODIFY_STATE, timer_type, state,
                                         [](TimerObject& object, BOOLEAN& now) {
                                             stop_timer(object);
                                             now = KeReadStateTimer(&object.timer);
                                             return STATUS_SUCCESS;
                                         });
}

} // namespace

constinit const ObjectType timer_type{
    .name = u"Timer",
    .index = TypeIndex::timer,
    .tag = pool_tag("Time"),
    .mapping = standard_mapping(0x1, TIMER_MODIFY_STATE, SYNCHRONIZE, all_access),
    .valid_access = all_access,
    .wait_offset = 0,
    .destroy = destroy_timer,
};

void run_down_timers(ke::Thread& thread) noexcept {
    while (!IsListEmpty(&thread.apc_timers)) {
        TimerObject& object = *CONTAINING_RECORD(thread.apc_timers.Flink, TimerObject, entry);
        stop_timer(object);
    }
}

} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtCreateTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             TIMER_TYPE TimerType) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateTimer);
        return ob::create_timer(TimerHandle, DesiredAccess, ObjectAttributes, TimerType);
    });
}

NTSTATUS NTAPI ZwCreateTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             TIMER_TYPE TimerType) {
    DIRQL_DOOR(ZwCreateTimer);
    const ke::KernelModeCaller caller;
    return NtCreateTimer(TimerHandle, DesiredAccess, ObjectAttributes, TimerType);
}

NTSTATUS NTAPI NtOpenTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenTimer);
        return ob::open_service(TimerHandle, DesiredAccess, ObjectAttributes, ob::timer_type);
    });
}

NTSTATUS NTAPI ZwOpenTimer(PHANDLE TimerHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenTimer);
    const ke::KernelModeCaller caller;
    return NtOpenTimer(TimerHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI NtSetTimer(HANDLE TimerHandle, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE TimerApcRoutine,
                          PVOID TimerContext, BOOLEAN ResumeTimer, LONG Period, PBOOLEAN PreviousState) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetTimer);
        UNREFERENCED_PARAMETER(ResumeTimer); // nothing sleeps here
        return ob::set_timer(TimerHandle, {DueTime, TimerApcRoutine, TimerContext, Period}, PreviousState);
    });
}

NTSTATUS NTAPI ZwSetTimer(HANDLE TimerHandle, PLARGE_INTEGER DueTime, PTIMER_APC_ROUTINE TimerApcRoutine,
                          PVOID TimerContext, BOOLEAN ResumeTimer, LONG Period, PBOOLEAN PreviousState) {
    DIRQL_DOOR(ZwSetTimer);
    const ke::KernelModeCaller caller;
    return NtSetTimer(TimerHandle, DueTime, TimerApcRoutine, TimerContext, ResumeTimer, Period, PreviousState);
}

NTSTATUS NTAPI NtCancelTimer(HANDLE TimerHandle, PBOOLEAN CurrentState) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCancelTimer);
        return ob::cancel_timer(TimerHandle, CurrentState);
    });
}

NTSTATUS NTAPI ZwCancelTimer(HANDLE TimerHandle, PBOOLEAN CurrentState) {
    DIRQL_DOOR(ZwCancelTimer);
    const ke::KernelModeCaller caller;
    return NtCancelTimer(TimerHandle, CurrentState);
}
}
