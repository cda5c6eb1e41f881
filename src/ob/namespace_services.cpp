// System services for directories and symbolic links.
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/service_result.hpp"
#include "ob/services.hpp"
#include "ob/symbolic_link.hpp"

#include <algorithm>

namespace dirql::ob {

NTSTATUS open_service(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                      const ObjectType& type) noexcept {
    return hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        return open_by_name(attributes, &type, mode, access, nullptr, &handle);
    });
}

namespace {

NTSTATUS create_directory(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes) noexcept {
    return create_by_handle<Directory>(result, access, attributes, directory_type, [](Directory&) {}); // zeroed: empty
}

NTSTATUS create_link(PHANDLE result, ACCESS_MASK access, POBJECT_ATTRIBUTES attributes,
                     PUNICODE_STRING target) noexcept {
    return hand_out_handle(result, [&](KPROCESSOR_MODE mode, HANDLE& handle) {
        CapturedName captured;
        const NTSTATUS status = captured.capture(target, mode);
        if (status == STATUS_OBJECT_NAME_INVALID || (NT_SUCCESS(status) && captured.empty()))
            return STATUS_INVALID_PARAMETER;
        return NT_SUCCESS(status) ? make_link(attributes, mode, view(captured.get()), access, &handle) : status;
    });
}

// With a place for the length the terminator is copied and counted too.
NTSTATUS copy_target(const UNICODE_STRING& target, PUNICODE_STRING result, PULONG length,
                     KPROCESSOR_MODE mode) noexcept {
    UNICODE_STRING into;
    NTSTATUS status = ke::copy_in(into, result, mode);
    if (!NT_SUCCESS(status)) return status;
    const ULONG needed = length != nullptr ? target.MaximumLength : target.Length;
    status = ke::copy_out_if_wanted(length, ULONG{target.MaximumLength}, mode);
    if (!NT_SUCCESS(status)) return status;
    if (needed > into.MaximumLength) return STATUS_BUFFER_TOO_SMALL;
    into.Length = target.Length;
    status = ke::copy_bytes_out(into.Buffer, target.Buffer, needed, mode);
    return NT_SUCCESS(status) ? ke::copy_out(result, into, mode) : status;
}

NTSTATUS query_link(HANDLE handle, PUNICODE_STRING result, PULONG length) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    void* link = nullptr;
    NTSTATUS status = reference_by_handle(handle, SYMBOLIC_LINK_QUERY, &symbolic_link_type, mode, &link);
    if (!NT_SUCCESS(status)) return status;
    status = copy_target(static_cast<SymbolicLink*>(link)->target, result, length, mode);
    dereference(link);
    return status;
}

} // namespace
} // namespace dirql::ob

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateDirectoryObject);
        return ob::create_directory(Handle, DesiredAccess, ObjectAttributes);
    });
}

NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenDirectoryObject);
        return ob::open_service(Handle, DesiredAccess, ObjectAttributes, ob::directory_type);
    });
}

NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                          POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING TargetName) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateSymbolicLinkObject);
        return ob::create_link(Handle, DesiredAccess, ObjectAttributes, TargetName);
    });
}

NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                        POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtOpenSymbolicLinkObject);
        return ob::open_service(Handle, DesiredAccess, ObjectAttributes, ob::symbolic_link_type);
    });
}

NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Handle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQuerySymbolicLinkObject);
        return ob::query_link(Handle, LinkTarget, ReturnedLength);
    });
}

NTSTATUS NTAPI ZwCreateDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess,
                                       POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwCreateDirectoryObject);
    const ke::KernelModeCaller caller;
    return NtCreateDirectoryObject(DirectoryHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI ZwOpenDirectoryObject(PHANDLE DirectoryHandle, ACCESS_MASK DesiredAccess,
                                     POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenDirectoryObject);
    const ke::KernelModeCaller caller;
    return NtOpenDirectoryObject(DirectoryHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI ZwCreateSymbolicLinkObject(PHANDLE SymbolicLinkHandle, ACCESS_MASK DesiredAccess,
                                          POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING TargetName) {
    DIRQL_DOOR(ZwCreateSymbolicLinkObject);
    const ke::KernelModeCaller caller;
    return NtCreateSymbolicLinkObject(SymbolicLinkHandle, DesiredAccess, ObjectAttributes, TargetName);
}

NTSTATUS NTAPI ZwOpenSymbolicLinkObject(PHANDLE LinkHandle, ACCESS_MASK DesiredAccess,
                                        POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwOpenSymbolicLinkObject);
    const ke::KernelModeCaller caller;
    return NtOpenSymbolicLinkObject(LinkHandle, DesiredAccess, ObjectAttributes);
}

NTSTATUS NTAPI ZwQuerySymbolicLinkObject(HANDLE LinkHandle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength) {
    DIRQL_DOOR(ZwQuerySymbolicLinkObject);
    const ke::KernelModeCaller caller;
    return NtQuerySymbolicLinkObject(LinkHandle, LinkTarget, ReturnedLength);
}
}
