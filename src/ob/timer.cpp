// Timers by handle and by name.
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ob/event.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/service_result.hpp"
#include "ob/services.hpp"

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_access = TIMER_ALL_ACCESS;

// It may be running when its last handle goes.
void destroy_timer(void* body) noexcept { KeCancelTimer(static_cast<PKTIMER>(body)); }

NTSTATUS create_timer(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, TIMER_TYPE type) noexcept {
    if (type != NotificationTimer && type != SynchronizationTimer) return STATUS_INVALID_PARAMETER_4;
    return create_by_handle<KTIMER>(result, access, attributes, timer_type,
                                    [&](KTIMER& timer) { KeInitializeTimerEx(&timer, type); });
}

NTSTATUS set_timer(HANDLE handle, const LARGE_INTEGER* due, bool wants_apc, LONG period, PBOOLEAN previous) noexcept {
    if (period < 0) return STATUS_INVALID_PARAMETER_6;
    if (wants_apc) return STATUS_NOT_SUPPORTED;
    LARGE_INTEGER when{};
    const NTSTATUS status = ke::copy_in(when, due, ke::previous_mode());
    if (!NT_SUCCESS(status)) return status;
    return change_by_handle<KTIMER>(handle, TIMER_MODIFY_STATE, timer_type, previous,
                                    [&](KTIMER& timer, BOOLEAN& before) {
                                        before = KeReadStateTimer(&timer);
                                        KeSetTimerEx(&timer, when, period, nullptr);
                                        return STATUS_SUCCESS;
                                    });
}

NTSTATUS cancel_timer(HANDLE handle, PBOOLEAN state) noexcept {
    return change_by_handle<KTIMER>(handle, TIMER_MODIFY_STATE, timer_type, state, [](KTIMER& timer, BOOLEAN& now) {
        KeCancelTimer(&timer);
        now = KeReadStateTimer(&timer);
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
        UNREFERENCED_PARAMETER(TimerContext);
        UNREFERENCED_PARAMETER(ResumeTimer); // nothing sleeps here
        return ob::set_timer(TimerHandle, DueTime, TimerApcRoutine != nullptr, Period, PreviousState);
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
