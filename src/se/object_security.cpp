// Descriptors of objects as services and drivers ask for them and change them.
#include "ex/pool.hpp"
#include "ke/exports/se.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/answer.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/security.hpp"
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "se/assign.hpp"
#include "se/capture.hpp"
#include "se/descriptor.hpp"
#include "se/system_list.hpp"

#include <algorithm>
#include <utility>

namespace dirql::se {
namespace {

constexpr ULONG tag = ex::pool_tag("SeQd");
constexpr ULONG longest = 0x40000; // two lists of 64 KiB, two SIDs, and more
constexpr SECURITY_INFORMATION all_parts = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION |
                                           DACL_SECURITY_INFORMATION | SACL_SECURITY_INFORMATION |
                                           LABEL_SECURITY_INFORMATION;

// Objects whose descriptor is in their header.
NTSTATUS header_security(ob::SecurityRequest& request) noexcept {
    ob::ObjectHeader& header = ob::header_of(request.object);
    PSECURITY_DESCRIPTOR own = ob::descriptor_of(request.object);
    if (request.operation == QuerySecurityDescriptor)
        return query(own, request.which, request.descriptor, request.length);
    if (own == nullptr) return STATUS_NO_SECURITY_ON_OBJECT;
    PSECURITY_DESCRIPTOR changed = nullptr;
    const NTSTATUS status =
        change(own, request.which, request.descriptor, header.type->mapping, NonPagedPoolNx, &changed);
    if (!NT_SUCCESS(status)) return status;
    free_descriptor(std::exchange(header.security_descriptor, changed));
    return STATUS_SUCCESS;
}

NTSTATUS ask(ob::SecurityRequest& request) noexcept {
    const ob::ObjectType& type = ob::type_of(request.object);
    return type.security != nullptr ? type.security(request) : header_security(request);
}

NTSTATUS query_by_handle(HANDLE handle, SECURITY_INFORMATION which, PSECURITY_DESCRIPTOR to, ULONG length,
                         PULONG needed) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(needed, mode);
    if (!NT_SUCCESS(status)) return status;
    void* object = nullptr;
    status = ob::reference_by_handle(handle, rights_to_query(which), nullptr, mode, &object);
    if (!NT_SUCCESS(status)) return status;
    const ULONG room = std::min(length, longest);
    status = ob::Answer{to, length, needed, mode}.give_from_pool(room, [&](void* buffer, ULONG& size) {
        size = room;
        ob::SecurityRequest request{object, QuerySecurityDescriptor, which, buffer, &size};
        return ask(request);
    });
    ob::dereference(object);
    return status;
}

// Who is nobody else's owner may not make somebody else one.
NTSTATUS check_owner(const Token* token, PSID owner) noexcept {
    return owner != nullptr && token != nullptr && may_own(*token, owner) ? STATUS_SUCCESS : STATUS_INVALID_OWNER;
}

// Nobody labels an object above the own level, without a privilege for that.
NTSTATUS check_label(const Token* token, const ACL* system_list) noexcept {
    const ACE_HEADER* label = label_of(system_list);
    if (label == nullptr) return STATUS_SUCCESS;
    const SID_AND_ATTRIBUTES* own = token == nullptr ? nullptr : token->label();
    const ULONG level = own == nullptr ? 0 : level_of(own->Sid);
    if (level_of(rtl::view_of(*label).sid) <= level) return STATUS_SUCCESS;
    return token != nullptr && token->has_enabled(privilege(SE_RELABEL_PRIVILEGE)) ? STATUS_SUCCESS
                                                                                   : STATUS_PRIVILEGE_NOT_HELD;
}

// May the caller set this?
NTSTATUS check_new(const void* descriptor, SECURITY_INFORMATION which, bool owner_matters,
                   KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) return STATUS_SUCCESS;
    const rtl::DescriptorParts parts = rtl::parts_of(descriptor);
    SECURITY_SUBJECT_CONTEXT subject;
    ke::Thread* thread = ke::current_thread();
    capture_subject(thread, *thread->process, subject);
    const Token* token = effective_token(subject);
    NTSTATUS status = STATUS_SUCCESS;
    if (owner_matters && (which & OWNER_SECURITY_INFORMATION) != 0) status = check_owner(token, parts.owner);
    if (NT_SUCCESS(status) && (which & LABEL_SECURITY_INFORMATION) != 0) status = check_label(token, parts.sacl);
    release_subject(subject);
    return status;
}

NTSTATUS set_by_handle(HANDLE handle, SECURITY_INFORMATION which, PSECURITY_DESCRIPTOR from) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (from == nullptr) return STATUS_ACCESS_VIOLATION;
    void* object = nullptr;
    NTSTATUS status = ob::reference_by_handle(handle, rights_to_set(which), nullptr, mode, &object);
    if (!NT_SUCCESS(status)) return status;
    PSECURITY_DESCRIPTOR captured = nullptr;
    status = capture_descriptor(from, mode, &captured);
    if (NT_SUCCESS(status)) status = check_new(captured, which, true, mode);
    if (NT_SUCCESS(status)) {
        ob::SecurityRequest request{object, SetSecurityDescriptor, which, captured, nullptr};
        status = ask(request);
    }
    free_descriptor(captured);
    ob::dereference(object);
    return status;
}

// A copy in paged pool; null for an object that has none.
NTSTATUS get_object_security(void* object, PSECURITY_DESCRIPTOR* result) noexcept {
    *result = nullptr;
    const ob::ObjectType& type = ob::type_of(object);
    if (type.security == nullptr && ob::descriptor_of(object) == nullptr) return STATUS_SUCCESS;
    ULONG size = 256;
    for (;;) {
        void* buffer = ex::allocate_pool(PagedPool, size, tag, ex::Fill::zero);
        if (buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        const ULONG had = size;
        ob::SecurityRequest request{object, QuerySecurityDescriptor, all_parts, buffer, &size};
        const NTSTATUS status = ask(request);
        if (NT_SUCCESS(status)) {
            *result = buffer;
            return status;
        }
        ex::free_pool(buffer, tag);
        if (status != STATUS_BUFFER_TOO_SMALL || size <= had) return status;
    }
}

NTSTATUS assign_for_driver(PSECURITY_DESCRIPTOR parent, PSECURITY_DESCRIPTOR asked, PSECURITY_DESCRIPTOR* result,
                           BOOLEAN container, ULONG flags, PSECURITY_SUBJECT_CONTEXT subject, PGENERIC_MAPPING mapping,
                           POOL_TYPE pool) noexcept {
    *result = nullptr;
    const Token* token = effective_token(*subject);
    if (token == nullptr) return STATUS_BAD_IMPERSONATION_LEVEL;
    return assign({parent, asked, container != FALSE, flags, token, mapping, ke::previous_mode(), pool}, result);
}

// The old descriptor stays the caller's to free.
NTSTATUS set_info(PSECURITY_INFORMATION which, PSECURITY_DESCRIPTOR from, PSECURITY_DESCRIPTOR* descriptor, ULONG flags,
                  POOL_TYPE pool, PGENERIC_MAPPING mapping) noexcept {
    if (*descriptor == nullptr) return STATUS_NO_SECURITY_ON_OBJECT;
    if (!rtl::is_self_relative(*descriptor)) return STATUS_BAD_DESCRIPTOR_FORMAT;
    const bool owner_matters = (flags & SEF_AVOID_OWNER_CHECK) == 0;
    const NTSTATUS status = check_new(from, *which, owner_matters, ke::previous_mode());
    if (!NT_SUCCESS(status)) return status;
    return change(*descriptor, *which, from, *mapping, pool, descriptor);
}

} // namespace
} // namespace dirql::se

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                     PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Length, PULONG LengthNeeded) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQuerySecurityObject);
        return se::query_by_handle(Handle, SecurityInformation, SecurityDescriptor, Length, LengthNeeded);
    });
}

NTSTATUS NTAPI NtSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                   PSECURITY_DESCRIPTOR SecurityDescriptor) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetSecurityObject);
        return se::set_by_handle(Handle, SecurityInformation, SecurityDescriptor);
    });
}

NTSTATUS NTAPI ZwQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                     PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Length, PULONG LengthNeeded) {
    DIRQL_DOOR(ZwQuerySecurityObject);
    const ke::KernelModeCaller caller;
    return NtQuerySecurityObject(Handle, SecurityInformation, SecurityDescriptor, Length, LengthNeeded);
}

NTSTATUS NTAPI ZwSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION SecurityInformation,
                                   PSECURITY_DESCRIPTOR SecurityDescriptor) {
    DIRQL_DOOR(ZwSetSecurityObject);
    const ke::KernelModeCaller caller;
    return NtSetSecurityObject(Handle, SecurityInformation, SecurityDescriptor);
}

NTSTATUS NTAPI ObGetObjectSecurity(PVOID Object, PSECURITY_DESCRIPTOR* SecurityDescriptor, PBOOLEAN MemoryAllocated) {
    DIRQL_DOOR(ObGetObjectSecurity);
    *MemoryAllocated = FALSE;
    const NTSTATUS status = se::get_object_security(Object, SecurityDescriptor);
    *MemoryAllocated = *SecurityDescriptor != nullptr;
    return status;
}

VOID NTAPI ObReleaseObjectSecurity(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN MemoryAllocated) {
    DIRQL_DOOR(ObReleaseObjectSecurity);
    if (MemoryAllocated && SecurityDescriptor != nullptr) ex::free_pool(SecurityDescriptor, se::tag);
}

NTSTATUS NTAPI SeAssignSecurity(PSECURITY_DESCRIPTOR ParentDescriptor, PSECURITY_DESCRIPTOR ExplicitDescriptor,
                                PSECURITY_DESCRIPTOR* NewDescriptor, BOOLEAN IsDirectoryObject,
                                PSECURITY_SUBJECT_CONTEXT SubjectContext, PGENERIC_MAPPING GenericMapping,
                                POOL_TYPE PoolType) {
    DIRQL_DOOR(SeAssignSecurity);
    return se::assign_for_driver(ParentDescriptor, ExplicitDescriptor, NewDescriptor, IsDirectoryObject, 0,
                                 SubjectContext, GenericMapping, PoolType);
}

NTSTATUS NTAPI SeAssignSecurityEx(PSECURITY_DESCRIPTOR ParentDescriptor, PSECURITY_DESCRIPTOR ExplicitDescriptor,
                                  PSECURITY_DESCRIPTOR* NewDescriptor, GUID* ObjectType, BOOLEAN IsDirectoryObject,
                                  ULONG AutoInheritFlags, PSECURITY_SUBJECT_CONTEXT SubjectContext,
                                  PGENERIC_MAPPING GenericMapping, POOL_TYPE PoolType) {
    DIRQL_DOOR(SeAssignSecurityEx);
    UNREFERENCED_PARAMETER(ObjectType); // which entries for kinds of objects are inherited: see the export table
    return se::assign_for_driver(ParentDescriptor, ExplicitDescriptor, NewDescriptor, IsDirectoryObject,
                                 AutoInheritFlags, SubjectContext, GenericMapping, PoolType);
}

NTSTATUS NTAPI SeDeassignSecurity(PSECURITY_DESCRIPTOR* SecurityDescriptor) {
    DIRQL_DOOR(SeDeassignSecurity);
    se::free_descriptor(std::exchange(*SecurityDescriptor, nullptr));
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI SeValidSecurityDescriptor(ULONG Length, PSECURITY_DESCRIPTOR SecurityDescriptor) {
    DIRQL_DOOR(SeValidSecurityDescriptor);
    return rtl::valid_relative_descriptor(SecurityDescriptor, Length, 0);
}

NTSTATUS NTAPI SeQuerySecurityDescriptorInfo(PSECURITY_INFORMATION SecurityInformation,
                                             PSECURITY_DESCRIPTOR SecurityDescriptor, PULONG Length,
                                             PSECURITY_DESCRIPTOR* ObjectsSecurityDescriptor) {
    DIRQL_DOOR(SeQuerySecurityDescriptorInfo);
    return se::query(*ObjectsSecurityDescriptor, *SecurityInformation, SecurityDescriptor, Length);
}

NTSTATUS NTAPI SeSetSecurityDescriptorInfo(PVOID Object, PSECURITY_INFORMATION SecurityInformation,
                                           PSECURITY_DESCRIPTOR ModificationDescriptor,
                                           PSECURITY_DESCRIPTOR* ObjectsSecurityDescriptor, POOL_TYPE PoolType,
                                           PGENERIC_MAPPING GenericMapping) {
    DIRQL_DOOR(SeSetSecurityDescriptorInfo);
    UNREFERENCED_PARAMETER(Object);
    return se::set_info(SecurityInformation, ModificationDescriptor, ObjectsSecurityDescriptor, 0, PoolType,
                        GenericMapping);
}

NTSTATUS NTAPI SeSetSecurityDescriptorInfoEx(PVOID Object, PSECURITY_INFORMATION SecurityInformation,
                                             PSECURITY_DESCRIPTOR ModificationDescriptor,
                                             PSECURITY_DESCRIPTOR* ObjectsSecurityDescriptor, ULONG AutoInheritFlags,
                                             POOL_TYPE PoolType, PGENERIC_MAPPING GenericMapping) {
    DIRQL_DOOR(SeSetSecurityDescriptorInfoEx);
    UNREFERENCED_PARAMETER(Object);
    return se::set_info(SecurityInformation, ModificationDescriptor, ObjectsSecurityDescriptor, AutoInheritFlags,
                        PoolType, GenericMapping);
}
}
