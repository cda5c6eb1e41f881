// Events by handle and by name.
#include "ob/event.hpp"

#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/pool_tags.hpp"
#include "ob/service_result.hpp"
#include "ob/services.hpp"

namespace dirql::ob {
namespace {

constexpr ACCESS_MASK all_access = EVENT_ALL_ACCESS;

NTSTATUS create_event(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes, EVENT_TYPE type,
                      BOOLEAN signalled) noexcept {
    if (type != NotificationEvent && type != SynchronizationEvent) return STATUS_INVALID_PARAMETER;
    return create_by_handle<KEVENT>(result, access, attributes, event_type,
                                    [&](KEVENT& event) { KeInitializeEvent(&event, type, signalled); });
}

// Runs `act` on the event and hands its previous state out.
template <class Act> NTSTATUS on_event(HANDLE handle, PLONG previous, Act act) noexcept {
    return change_by_handle<KEVENT>(handle, EVENT_MODIFY_STATE, event_type, previous, [&](KEVENT& event, LONG& before) {
        before = act(&event);
        return STATUS_SUCCESS;
    });
}

// A kernel handle to the event of this name, made signalled where there is none. The pointer is good while the handle is open.
PKEVENT named_event(PUNICODE_STRING name, PHANDLE handle, EVENT_TYPE type) noexcept {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, name, OBJ_OPENIF | OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, nullptr,
                               nullptr);
    void* event = nullptr;
    if (!NT_SUCCESS(ZwCreateEvent(handle, EVENT_ALL_ACCESS, &attributes, type, TRUE))) return nullptr;
    if (!NT_SUCCESS(reference_by_handle(*handle, 0, &event_type, KernelMode, &event))) return nullptr;
    dereference(event);
    return static_cast<PKEVENT>(event);
}

} // namespace

constinit const ObjectType event_type{
    .name = u"Event",
    .index = TypeIndex::event,
    .tag = pool_tag("Even"),
    .mapping = standard_mapping(0x1, EVENT_MODIFY_STATE, SYNCHRONIZE, all_access),
    .valid_access = all_access,
    .wait_offset = 0,
};

constinit const ObjectType semaphore_type{
    .name = u"Semaphore",
    .index = TypeIndex::semaphore,
    .tag = pool_tag("Sema"),
    .mapping = standard_mapping(0x1, 0x2, SYNCHRONIZE, STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3),
    .valid_access = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3,
    .wait_offset = 0,
};

} // namespace dirql::ob

DIRQL_OBJECT_TYPE_EXPORT(ExEventObjectType, dirql::ob::event_type)
DIRQL_OBJECT_TYPE_EXPORT(ExSemaphoreObjectType, dirql::ob::semaphore_type)

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             EVENT_TYPE EventType, BOOLEAN InitialState) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateEvent);
        return ob::create_event(EventHandle, DesiredAccess, ObjectAttributes, EventType, InitialState);
    });
}

NTSTATUS NTAPI NtOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenEvent);
        return ob::open_service(EventHandle, DesiredAccess, ObjectAttributes, ob::event_type);
    });
}

NTSTATUS NTAPI NtSetEvent(HANDLE EventHandle, PLONG PreviousState) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetEvent);
        return ob::on_event(EventHandle, PreviousState,
                            [](PRKEVENT event) { return KeSetEvent(event, EVENT_INCREMENT, FALSE); });
    });
}

NTSTATUS NTAPI NtResetEvent(HANDLE EventHandle, PLONG PreviousState) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtResetEvent);
        return ob::on_event(EventHandle, PreviousState, [](PRKEVENT event) { return KeResetEvent(event); });
    });
}

NTSTATUS NTAPI NtClearEvent(HANDLE EventHandle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtClearEvent);
        return ob::on_event(EventHandle, nullptr, [](PRKEVENT event) { return KeResetEvent(event); });
    });
}

NTSTATUS NTAPI ZwCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                             EVENT_TYPE EventType, BOOLEAN InitialState) {
    DIRQL_DOOR(ZwCreateEvent);
    const ke::KernelModeCaller caller;
    return NtCreateEvent(EventHandle, DesiredAccess, ObjectAttributes, EventType, InitialState);
}

NTSTATUS NTAPI ZwOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenEvent);
    const ke::KernelModeCaller caller;
    return NtOpenEvent(EventHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI ZwSetEvent(HANDLE EventHandle, PLONG PreviousState) {
    DIRQL_DOOR(ZwSetEvent);
    const ke::KernelModeCaller caller;
    return NtSetEvent(EventHandle, PreviousState);
}

NTSTATUS NTAPI ZwResetEvent(HANDLE EventHandle, PLONG PreviousState) {
    DIRQL_DOOR(ZwResetEvent);
    const ke::KernelModeCaller caller;
    return NtResetEvent(EventHandle, PreviousState);
}

NTSTATUS NTAPI ZwClearEvent(HANDLE EventHandle) {
    DIRQL_DOOR(ZwClearEvent);
    const ke::KernelModeCaller caller;
    return NtClearEvent(EventHandle);
}

PKEVENT NTAPI IoCreateNotificationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle) {
    DIRQL_DOOR(IoCreateNotificationEvent);
    return ob::named_event(EventName, EventHandle, NotificationEvent);
}

PKEVENT NTAPI IoCreateSynchronizationEvent(PUNICODE_STRING EventName, PHANDLE EventHandle) {
    DIRQL_DOOR(IoCreateSynchronizationEvent);
    return ob::named_event(EventName, EventHandle, SynchronizationEvent);
}
}
