// What is known of an object by handle, and what may be changed of a handle.
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ob/answer.hpp"
#include "ob/handle_table.hpp"
#include "ob/services.hpp"

#include <algorithm>

namespace dirql::ob {
namespace {

constexpr int handle_flags_class = 4; // ObjectHandleFlagInformation

struct HandleFlags {
    BOOLEAN inherit;
    BOOLEAN protect_from_close;
};

// ReturnLength says how long the answer is, whether that is the length or not.
template <class T> NTSTATUS give(const T& value, const Answer& answer) noexcept {
    const NTSTATUS status = answer.say_needed(sizeof value);
    return NT_SUCCESS(status) ? answer.give(value) : status;
}

NTSTATUS basic(ObjectHeader& header, const OBJECT_HANDLE_INFORMATION& handle, const Answer& answer) noexcept {
    PUBLIC_OBJECT_BASIC_INFORMATION information{};
    information.Attributes = handle.HandleAttributes & OBJ_INHERIT;
    if (header.has(object_flags::permanent)) information.Attributes |= OBJ_PERMANENT;
    if (header.has(object_flags::exclusive)) information.Attributes |= OBJ_EXCLUSIVE;
    information.GrantedAccess = handle.GrantedAccess;
    information.HandleCount = static_cast<ULONG>(header.handle_count);
    information.PointerCount = static_cast<ULONG>(header.pointer_count - 1); // without this call's
    return give(information, answer);
}

// The name's characters stand behind it in the caller's buffer.
NTSTATUS name(void* body, const Answer& answer) noexcept {
    const ULONG room = std::min<ULONG>(answer.length, sizeof(OBJECT_NAME_INFORMATION) + MAXUSHORT + 1);
    return answer.give_from_pool(room, [&](void* buffer, ULONG& size) {
        auto* made = static_cast<POBJECT_NAME_INFORMATION>(buffer);
        const NTSTATUS status = query_name_string(body, made, room, &size);
        if (NT_SUCCESS(status) && made->Name.Buffer != nullptr)
            made->Name.Buffer = reinterpret_cast<PWSTR>(static_cast<POBJECT_NAME_INFORMATION>(answer.to) + 1);
        return status;
    });
}

NTSTATUS tell(void* body, const OBJECT_HANDLE_INFORMATION& handle, int which, const Answer& answer) noexcept {
    switch (which) {
    case ObjectBasicInformation: return basic(header_of(body), handle, answer);
    case ObjectNameInformation: return name(body, answer);
    case ObjectTypeInformation:
        return answer.give_named(PUBLIC_OBJECT_TYPE_INFORMATION{}, &PUBLIC_OBJECT_TYPE_INFORMATION::TypeName,
                                 type_of(body).name);
    case handle_flags_class:
        return give(HandleFlags{(handle.HandleAttributes & handle_attributes::inherit) != 0,
                                (handle.HandleAttributes & handle_attributes::protect_from_close) != 0},
                    answer);
    default: return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS query_object(HANDLE handle, int which, const Answer& answer) noexcept {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    NTSTATUS status = reference_by_handle(handle, 0, nullptr, answer.mode, &body, &information);
    if (!NT_SUCCESS(status)) return status;
    status = tell(body, information, which, answer);
    dereference(body);
    return status;
}

NTSTATUS set_object(HANDLE handle, int which, const void* from, ULONG length) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (which != handle_flags_class) return STATUS_INVALID_INFO_CLASS;
    if (length != sizeof(HandleFlags)) return STATUS_INFO_LENGTH_MISMATCH;
    HandleFlags flags{};
    const NTSTATUS status = ke::copy_in(flags, static_cast<const HandleFlags*>(from), mode);
    if (!NT_SUCCESS(status)) return status;
    const HandlePlace place = locate(*ke::current_thread()->process, handle, mode);
    HandleEntry* entry = place.table == nullptr ? nullptr : place.table->find(place.value);
    if (entry == nullptr) return STATUS_INVALID_HANDLE;
    const ULONG attributes = (flags.inherit ? ULONG{handle_attributes::inherit} : 0) |
                             (flags.protect_from_close ? ULONG{handle_attributes::protect_from_close} : 0);
    entry->attributes = static_cast<std::uint16_t>(attributes);
    return STATUS_SUCCESS;
}

} // namespace
} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                             ULONG ObjectInformationLength, PULONG ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryObject);
        return ob::query_object(Handle, static_cast<int>(ObjectInformationClass),
                                {ObjectInformation, ObjectInformationLength, ReturnLength, ke::previous_mode()});
    });
}

NTSTATUS NTAPI ZwQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass, PVOID ObjectInformation,
                             ULONG ObjectInformationLength, PULONG ReturnLength) {
    DIRQL_DOOR(ZwQueryObject);
    const ke::KernelModeCaller caller;
    return NtQueryObject(Handle, ObjectInformationClass, ObjectInformation, ObjectInformationLength, ReturnLength);
}

NTSTATUS NTAPI NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass,
                                      PVOID ObjectInformation, ULONG ObjectInformationLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetInformationObject);
        return ob::set_object(Handle, static_cast<int>(ObjectInformationClass), ObjectInformation,
                              ObjectInformationLength);
    });
}

NTSTATUS NTAPI ZwSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS ObjectInformationClass,
                                      PVOID ObjectInformation, ULONG ObjectInformationLength) {
    DIRQL_DOOR(ZwSetInformationObject);
    const ke::KernelModeCaller caller;
    return NtSetInformationObject(Handle, ObjectInformationClass, ObjectInformation, ObjectInformationLength);
}
}
