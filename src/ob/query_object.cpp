// What is known of an object by handle, and what may be changed of a handle.
#include "ex/pool.hpp"
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/pool_tags.hpp"
#include "ob/services.hpp"

#include <algorithm>

namespace dirql::ob {
namespace {

constexpr int handle_flags_class = 4; // ObjectHandleFlagInformation

struct HandleFlags {
    BOOLEAN inherit;
    BOOLEAN protect_from_close;
};

struct Query {
    PVOID to;
    ULONG length;
    PULONG needed;
    KPROCESSOR_MODE mode;

    [[nodiscard]] NTSTATUS says_needed(ULONG size) const noexcept { return ke::copy_out_if_wanted(needed, size, mode); }

    template <class T> [[nodiscard]] NTSTATUS give(const T& value) const noexcept {
        const NTSTATUS status = says_needed(sizeof value);
        if (!NT_SUCCESS(status)) return status;
        return length != sizeof value ? STATUS_INFO_LENGTH_MISMATCH : ke::copy_out(static_cast<T*>(to), value, mode);
    }
};

NTSTATUS basic(ObjectHeader& header, const OBJECT_HANDLE_INFORMATION& handle, const Query& query) noexcept {
    PUBLIC_OBJECT_BASIC_INFORMATION information{};
    information.Attributes = handle.HandleAttributes & OBJ_INHERIT;
    if (header.has(object_flags::permanent)) information.Attributes |= OBJ_PERMANENT;
    if (header.has(object_flags::exclusive)) information.Attributes |= OBJ_EXCLUSIVE;
    information.GrantedAccess = handle.GrantedAccess;
    information.HandleCount = static_cast<ULONG>(header.handle_count);
    information.PointerCount = static_cast<ULONG>(header.pointer_count - 1); // without this call's
    return query.give(information);
}

// The name is made in a buffer of the kernel, whose pointer is then made one into the caller's.
NTSTATUS name(void* body, const Query& query) noexcept {
    const ULONG room = std::min<ULONG>(query.length, sizeof(OBJECT_NAME_INFORMATION) + MAXUSHORT + 1);
    const ULONG size = std::max<ULONG>(room, sizeof(OBJECT_NAME_INFORMATION));
    auto* made =
        static_cast<POBJECT_NAME_INFORMATION>(ex::allocate_pool(PagedPool, size, pool_tag("ObNi"), ex::Fill::zero));
    if (made == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    ULONG needed = 0;
    NTSTATUS status = query_name_string(body, made, room, &needed);
    const NTSTATUS told = query.says_needed(needed);
    if (NT_SUCCESS(status)) status = told;
    if (NT_SUCCESS(status)) {
        if (made->Name.Buffer != nullptr)
            made->Name.Buffer = reinterpret_cast<PWSTR>(static_cast<POBJECT_NAME_INFORMATION>(query.to) + 1);
        status = ke::copy_bytes_out(query.to, made, std::min(needed, room), query.mode);
    }
    ex::free_pool(made, 0);
    return status;
}

NTSTATUS type(const ObjectType& type, const Query& query) noexcept {
    const auto text = static_cast<USHORT>(type.name.size() * sizeof(WCHAR));
    const ULONG size = sizeof(PUBLIC_OBJECT_TYPE_INFORMATION) + text + sizeof(WCHAR);
    NTSTATUS status = query.says_needed(size);
    if (!NT_SUCCESS(status)) return status;
    if (query.length < size) return STATUS_INFO_LENGTH_MISMATCH;
    auto* to = static_cast<PPUBLIC_OBJECT_TYPE_INFORMATION>(query.to);
    auto* characters = reinterpret_cast<PWSTR>(to + 1);
    PUBLIC_OBJECT_TYPE_INFORMATION information{};
    information.TypeName = {text, static_cast<USHORT>(text + sizeof(WCHAR)), characters};
    status = ke::copy_out(to, information, query.mode);
    if (NT_SUCCESS(status)) status = ke::copy_bytes_out(characters, type.name.data(), text, query.mode);
    constexpr WCHAR end = 0;
    return NT_SUCCESS(status) ? ke::copy_out(characters + type.name.size(), end, query.mode) : status;
}

NTSTATUS answer(void* body, const OBJECT_HANDLE_INFORMATION& handle, int which, const Query& query) noexcept {
    switch (which) {
    case ObjectBasicInformation: return basic(header_of(body), handle, query);
    case ObjectNameInformation: return name(body, query);
    case ObjectTypeInformation: return type(type_of(body), query);
    case handle_flags_class:
        return query.give(HandleFlags{(handle.HandleAttributes & handle_attributes::inherit) != 0,
                                      (handle.HandleAttributes & handle_attributes::protect_from_close) != 0});
    default: return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS query_object(HANDLE handle, int which, const Query& query) noexcept {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    NTSTATUS status = reference_by_handle(handle, 0, nullptr, query.mode, &body, &information);
    if (!NT_SUCCESS(status)) return status;
    status = answer(body, information, which, query);
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
    entry->attributes = (flags.inherit ? ULONG{handle_attributes::inherit} : 0) |
                        (flags.protect_from_close ? ULONG{handle_attributes::protect_from_close} : 0);
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
    DIRQL_CALLED(ZwQueryObject);
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
    DIRQL_CALLED(ZwSetInformationObject);
    const ke::KernelModeCaller caller;
    return NtSetInformationObject(Handle, ObjectInformationClass, ObjectInformation, ObjectInformationLength);
}
}
