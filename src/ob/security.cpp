#include "ob/security.hpp"

#include "ke/user_memory.hpp"
#include "ob/namespace.hpp"
#include "ob/state.hpp"

#include <utility>

namespace dirql::ob {
namespace {

const SecurityHooks* hooks() noexcept { return current_state().security; }

// Types that keep their descriptors themselves get them where they are made.
bool gets_descriptor(ObjectHeader& header) noexcept {
    if (header.type->security != nullptr) return false;
    const NameInfo* info = header.name_info();
    return header.type->security_required || (info != nullptr && info->directory != nullptr);
}

} // namespace

AccessState::AccessState(const ObjectType* type, ACCESS_MASK access, const UNICODE_STRING& name) noexcept {
    state_.OriginalDesiredAccess = access;
    state_.RemainingDesiredAccess = type == nullptr ? access : map_generic(*type, access);
    state_.ObjectName = name;
    if (hooks() != nullptr) hooks()->begin_access(state_);
}

AccessState::~AccessState() {
    if (hooks() != nullptr) hooks()->end_access(state_);
}

PSECURITY_DESCRIPTOR descriptor_of(void* body) noexcept {
    ObjectHeader& header = header_of(body);
    if (header.type->descriptor != nullptr) return header.type->descriptor(body);
    return header.has(object_flags::not_inserted) ? nullptr : header.security_descriptor;
}

NTSTATUS check_open(void* body, KPROCESSOR_MODE mode, ACCESS_STATE& state) noexcept {
    const ObjectType& type = type_of(body);
    state.RemainingDesiredAccess = map_generic(type, state.RemainingDesiredAccess);
    PSECURITY_DESCRIPTOR descriptor = descriptor_of(body);
    if (mode != KernelMode && hooks() != nullptr && descriptor != nullptr)
        return hooks()->check(descriptor, type, mode, state);
    state.PreviouslyGrantedAccess |= granted_access(type, state.RemainingDesiredAccess);
    state.RemainingDesiredAccess = 0;
    return STATUS_SUCCESS;
}

NTSTATUS check_directory(Directory& directory, ACCESS_MASK rights, KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode || hooks() == nullptr) return STATUS_SUCCESS;
    PSECURITY_DESCRIPTOR descriptor = descriptor_of(&directory);
    return descriptor == nullptr ? STATUS_SUCCESS : hooks()->check_directory(descriptor, rights);
}

NTSTATUS capture_security(ObjectHeader& header, const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode) noexcept {
    if (attributes == nullptr || hooks() == nullptr) return STATUS_SUCCESS;
    OBJECT_ATTRIBUTES copy;
    if (const NTSTATUS status = ke::copy_in(copy, attributes, mode); !NT_SUCCESS(status)) return status;
    if (copy.SecurityDescriptor == nullptr) return STATUS_SUCCESS;
    return hooks()->capture(copy.SecurityDescriptor, mode, &header.security_descriptor);
}

NTSTATUS assign_security(ObjectHeader& header, KPROCESSOR_MODE mode) noexcept {
    if (hooks() == nullptr) return STATUS_SUCCESS;
    PSECURITY_DESCRIPTOR asked = std::exchange(header.security_descriptor, nullptr);
    NTSTATUS status = STATUS_SUCCESS;
    if (gets_descriptor(header)) {
        const NameInfo* info = header.name_info();
        PSECURITY_DESCRIPTOR parent =
            info == nullptr || info->directory == nullptr ? nullptr : descriptor_of(info->directory);
        status = hooks()->assign(*header.type, mode, asked, parent, &header.security_descriptor);
    }
    if (asked != nullptr) hooks()->release(asked);
    return status;
}

void release_security(ObjectHeader& header) noexcept {
    if (header.security_descriptor != nullptr) hooks()->release(std::exchange(header.security_descriptor, nullptr));
}

} // namespace dirql::ob
