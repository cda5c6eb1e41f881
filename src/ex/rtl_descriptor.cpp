// Security descriptors, as drivers make and read them.
#include "ke/exports/se.hpp"
#include "rtl/acl.hpp"
#include "rtl/descriptor.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"

using namespace dirql;

namespace {

using Control = SECURITY_DESCRIPTOR_CONTROL;

// Parts are set in absolute descriptors only.
NTSTATUS absolute(PSECURITY_DESCRIPTOR descriptor, SECURITY_DESCRIPTOR*& to) noexcept {
    to = static_cast<SECURITY_DESCRIPTOR*>(descriptor);
    if (to->Revision != SECURITY_DESCRIPTOR_REVISION) return STATUS_UNKNOWN_REVISION;
    return rtl::is_self_relative(descriptor) ? STATUS_INVALID_SECURITY_DESCR : STATUS_SUCCESS;
}

void set_flag(SECURITY_DESCRIPTOR& to, Control flag, bool value) noexcept {
    to.Control = static_cast<Control>(value ? to.Control | flag : to.Control & ~flag);
}

bool known_revision(PSECURITY_DESCRIPTOR descriptor) noexcept {
    return static_cast<SECURITY_DESCRIPTOR*>(descriptor)->Revision == SECURITY_DESCRIPTOR_REVISION;
}

NTSTATUS get_list(PSECURITY_DESCRIPTOR descriptor, Control present_flag, Control defaulted_flag,
                  PACL rtl::DescriptorParts::*which, PBOOLEAN present, PACL* list, PBOOLEAN defaulted) noexcept {
    if (!known_revision(descriptor)) return STATUS_UNKNOWN_REVISION;
    const rtl::DescriptorParts parts = rtl::parts_of(descriptor);
    *present = (parts.control & present_flag) != 0;
    if (!*present) return STATUS_SUCCESS; // the other two are left alone
    *list = parts.*which;
    *defaulted = (parts.control & defaulted_flag) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS set_list(PSECURITY_DESCRIPTOR descriptor, Control present_flag, Control defaulted_flag,
                  PACL SECURITY_DESCRIPTOR::*which, bool present, PACL list, bool defaulted) noexcept {
    SECURITY_DESCRIPTOR* to = nullptr;
    const NTSTATUS status = absolute(descriptor, to);
    if (!NT_SUCCESS(status)) return status;
    set_flag(*to, present_flag, present);
    if (!present) return STATUS_SUCCESS;
    to->*which = list;
    set_flag(*to, defaulted_flag, defaulted);
    return STATUS_SUCCESS;
}

NTSTATUS set_sid(PSECURITY_DESCRIPTOR descriptor, Control defaulted_flag, PSID SECURITY_DESCRIPTOR::*which, PSID sid,
                 bool defaulted) noexcept {
    SECURITY_DESCRIPTOR* to = nullptr;
    const NTSTATUS status = absolute(descriptor, to);
    if (!NT_SUCCESS(status)) return status;
    to->*which = sid;
    set_flag(*to, defaulted_flag, defaulted);
    return STATUS_SUCCESS;
}

// A place for one part of an absolute descriptor.
struct Place {
    void* to;
    PULONG size;
    const void* from;
    ULONG needed;

    [[nodiscard]] bool fits() const noexcept { return *size >= needed; }
    void fill() const noexcept {
        if (from != nullptr) rtl::move_memory(to, from, needed);
        *size = needed;
    }
};
ULONG sid_length(PSID sid) noexcept { return sid == nullptr ? 0 : static_cast<ULONG>(rtl::length_of_sid(sid)); }
ULONG acl_length(PACL acl) noexcept { return acl == nullptr ? 0 : acl->AclSize; }

} // namespace

extern "C" {

NTSTATUS NTAPI RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Revision) {
    DIRQL_DOOR(RtlCreateSecurityDescriptor);
    if (Revision != SECURITY_DESCRIPTOR_REVISION) return STATUS_UNKNOWN_REVISION;
    *static_cast<SECURITY_DESCRIPTOR*>(SecurityDescriptor) = {
        SECURITY_DESCRIPTOR_REVISION, 0, 0, nullptr, nullptr, nullptr, nullptr};
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI RtlValidSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor) {
    DIRQL_DOOR(RtlValidSecurityDescriptor);
    return rtl::valid_descriptor(SecurityDescriptor);
}

BOOLEAN NTAPI RtlValidRelativeSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptorInput,
                                                 ULONG SecurityDescriptorLength,
                                                 SECURITY_INFORMATION RequiredInformation) {
    DIRQL_DOOR(RtlValidRelativeSecurityDescriptor);
    return rtl::valid_relative_descriptor(SecurityDescriptorInput, SecurityDescriptorLength, RequiredInformation);
}

ULONG NTAPI RtlLengthSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor) {
    DIRQL_DOOR(RtlLengthSecurityDescriptor);
    return static_cast<ULONG>(rtl::length_of_descriptor(SecurityDescriptor));
}

NTSTATUS NTAPI RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN DaclPresent, PACL Dacl,
                                            BOOLEAN DaclDefaulted) {
    DIRQL_DOOR(RtlSetDaclSecurityDescriptor);
    return set_list(SecurityDescriptor, SE_DACL_PRESENT, SE_DACL_DEFAULTED, &SECURITY_DESCRIPTOR::Dacl, DaclPresent,
                    Dacl, DaclDefaulted);
}

NTSTATUS NTAPI RtlSetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN SaclPresent, PACL Sacl,
                                            BOOLEAN SaclDefaulted) {
    DIRQL_DOOR(RtlSetSaclSecurityDescriptor);
    return set_list(SecurityDescriptor, SE_SACL_PRESENT, SE_SACL_DEFAULTED, &SECURITY_DESCRIPTOR::Sacl, SaclPresent,
                    Sacl, SaclDefaulted);
}

NTSTATUS NTAPI RtlGetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PBOOLEAN DaclPresent, PACL* Dacl,
                                            PBOOLEAN DaclDefaulted) {
    DIRQL_DOOR(RtlGetDaclSecurityDescriptor);
    return get_list(SecurityDescriptor, SE_DACL_PRESENT, SE_DACL_DEFAULTED, &rtl::DescriptorParts::dacl, DaclPresent,
                    Dacl, DaclDefaulted);
}

NTSTATUS NTAPI RtlGetSaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PBOOLEAN SaclPresent, PACL* Sacl,
                                            PBOOLEAN SaclDefaulted) {
    DIRQL_DOOR(RtlGetSaclSecurityDescriptor);
    return get_list(SecurityDescriptor, SE_SACL_PRESENT, SE_SACL_DEFAULTED, &rtl::DescriptorParts::sacl, SaclPresent,
                    Sacl, SaclDefaulted);
}

NTSTATUS NTAPI RtlSetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID Owner,
                                             BOOLEAN OwnerDefaulted) {
    DIRQL_DOOR(RtlSetOwnerSecurityDescriptor);
    return set_sid(SecurityDescriptor, SE_OWNER_DEFAULTED, &SECURITY_DESCRIPTOR::Owner, Owner, OwnerDefaulted);
}

NTSTATUS NTAPI RtlSetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID Group,
                                             BOOLEAN GroupDefaulted) {
    DIRQL_DOOR(RtlSetGroupSecurityDescriptor);
    return set_sid(SecurityDescriptor, SE_GROUP_DEFAULTED, &SECURITY_DESCRIPTOR::Group, Group, GroupDefaulted);
}

NTSTATUS NTAPI RtlGetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID* Owner,
                                             PBOOLEAN OwnerDefaulted) {
    DIRQL_DOOR(RtlGetOwnerSecurityDescriptor);
    if (!known_revision(SecurityDescriptor)) return STATUS_UNKNOWN_REVISION;
    const rtl::DescriptorParts parts = rtl::parts_of(SecurityDescriptor);
    *Owner = parts.owner;
    *OwnerDefaulted = (parts.control & SE_OWNER_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID* Group,
                                             PBOOLEAN GroupDefaulted) {
    DIRQL_DOOR(RtlGetGroupSecurityDescriptor);
    if (!known_revision(SecurityDescriptor)) return STATUS_UNKNOWN_REVISION;
    const rtl::DescriptorParts parts = rtl::parts_of(SecurityDescriptor);
    *Group = parts.group;
    *GroupDefaulted = (parts.control & SE_GROUP_DEFAULTED) != 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetControlSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor,
                                               PSECURITY_DESCRIPTOR_CONTROL Control, PULONG Revision) {
    DIRQL_DOOR(RtlGetControlSecurityDescriptor);
    const auto& from = *static_cast<SECURITY_DESCRIPTOR*>(SecurityDescriptor);
    *Revision = from.Revision;
    if (!known_revision(SecurityDescriptor)) return STATUS_UNKNOWN_REVISION;
    *Control = from.Control;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAbsoluteToSelfRelativeSD(PSECURITY_DESCRIPTOR AbsoluteSecurityDescriptor,
                                           PSECURITY_DESCRIPTOR SelfRelativeSecurityDescriptor, PULONG BufferLength) {
    DIRQL_DOOR(RtlAbsoluteToSelfRelativeSD);
    if (rtl::is_self_relative(AbsoluteSecurityDescriptor)) return STATUS_BAD_DESCRIPTOR_FORMAT;
    const rtl::DescriptorParts parts = rtl::parts_of(AbsoluteSecurityDescriptor);
    const auto needed = static_cast<ULONG>(rtl::relative_size(parts));
    const bool fits = *BufferLength >= needed;
    *BufferLength = needed;
    if (!fits) return STATUS_BUFFER_TOO_SMALL;
    rtl::write_relative(parts, SelfRelativeSecurityDescriptor);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlSelfRelativeToAbsoluteSD(PSECURITY_DESCRIPTOR SelfRelativeSecurityDescriptor,
                                           PSECURITY_DESCRIPTOR AbsoluteSecurityDescriptor,
                                           PULONG AbsoluteSecurityDescriptorSize, PACL Dacl, PULONG DaclSize, PACL Sacl,
                                           PULONG SaclSize, PSID Owner, PULONG OwnerSize, PSID PrimaryGroup,
                                           PULONG PrimaryGroupSize) {
    DIRQL_DOOR(RtlSelfRelativeToAbsoluteSD);
    if (!rtl::is_self_relative(SelfRelativeSecurityDescriptor)) return STATUS_BAD_DESCRIPTOR_FORMAT;
    const rtl::DescriptorParts parts = rtl::parts_of(SelfRelativeSecurityDescriptor);
    const Place places[] = {
        {AbsoluteSecurityDescriptor, AbsoluteSecurityDescriptorSize, nullptr, sizeof(SECURITY_DESCRIPTOR)},
        {Dacl, DaclSize, parts.dacl, acl_length(parts.dacl)},
        {Sacl, SaclSize, parts.sacl, acl_length(parts.sacl)},
        {Owner, OwnerSize, parts.owner, sid_length(parts.owner)},
        {PrimaryGroup, PrimaryGroupSize, parts.group, sid_length(parts.group)},
    };
    bool all_fit = true;
    for (const Place& place : places) all_fit = all_fit && place.fits();
    if (!all_fit) {
        for (const Place& place : places) *place.size = place.needed;
        return STATUS_BUFFER_TOO_SMALL;
    }
    for (const Place& place : places) place.fill();
    const auto& from = *static_cast<SECURITY_DESCRIPTOR*>(SelfRelativeSecurityDescriptor);
    *static_cast<SECURITY_DESCRIPTOR*>(AbsoluteSecurityDescriptor) = {
        from.Revision,
        from.Sbz1,
        static_cast<Control>(parts.control & ~SE_SELF_RELATIVE),
        parts.owner == nullptr ? nullptr : Owner,
        parts.group == nullptr ? nullptr : PrimaryGroup,
        parts.sacl == nullptr ? nullptr : Sacl,
        parts.dacl == nullptr ? nullptr : Dacl,
    };
    return STATUS_SUCCESS;
}
}
