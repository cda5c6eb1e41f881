// Access control lists, as drivers use them.
#include "ke/exports/se.hpp"
#include "rtl/acl.hpp"

using namespace dirql;

extern "C" {

VOID NTAPI RtlMapGenericMask(PACCESS_MASK AccessMask, PGENERIC_MAPPING GenericMapping) {
    DIRQL_DOOR(RtlMapGenericMask);
    *AccessMask = rtl::map_generic(*AccessMask, *GenericMapping);
}

NTSTATUS NTAPI RtlCreateAcl(PACL Acl, ULONG AclLength, ULONG AclRevision) {
    DIRQL_DOOR(RtlCreateAcl);
    return rtl::create_acl(Acl, AclLength, AclRevision);
}

BOOLEAN NTAPI RtlValidAcl(PACL Acl) {
    DIRQL_DOOR(RtlValidAcl);
    return rtl::valid_acl(Acl);
}

BOOLEAN NTAPI RtlFirstFreeAce(PACL Acl, PVOID* FirstFree) {
    DIRQL_DOOR(RtlFirstFreeAce);
    return rtl::first_free_ace(Acl, FirstFree);
}

NTSTATUS NTAPI RtlAddAccessAllowedAce(PACL Acl, ULONG AceRevision, ACCESS_MASK AccessMask, PSID Sid) {
    DIRQL_DOOR(RtlAddAccessAllowedAce);
    return rtl::add_simple_ace(Acl, AceRevision, ACCESS_ALLOWED_ACE_TYPE, 0, AccessMask, Sid);
}

NTSTATUS NTAPI RtlAddAccessAllowedAceEx(PACL Acl, ULONG AceRevision, ULONG AceFlags, ACCESS_MASK AccessMask, PSID Sid) {
    DIRQL_DOOR(RtlAddAccessAllowedAceEx);
    if ((AceFlags & ~ULONG{VALID_INHERIT_FLAGS}) != 0) return STATUS_INVALID_PARAMETER;
    return rtl::add_simple_ace(Acl, AceRevision, ACCESS_ALLOWED_ACE_TYPE, AceFlags, AccessMask, Sid);
}

NTSTATUS NTAPI RtlAddAccessDeniedAce(PACL Acl, ULONG AceRevision, ACCESS_MASK AccessMask, PSID Sid) {
    DIRQL_DOOR(RtlAddAccessDeniedAce);
    return rtl::add_simple_ace(Acl, AceRevision, ACCESS_DENIED_ACE_TYPE, 0, AccessMask, Sid);
}

NTSTATUS NTAPI RtlAddAccessDeniedAceEx(PACL Acl, ULONG AceRevision, ULONG AceFlags, ACCESS_MASK AccessMask, PSID Sid) {
    DIRQL_DOOR(RtlAddAccessDeniedAceEx);
    if ((AceFlags & ~ULONG{VALID_INHERIT_FLAGS}) != 0) return STATUS_INVALID_PARAMETER;
    return rtl::add_simple_ace(Acl, AceRevision, ACCESS_DENIED_ACE_TYPE, AceFlags, AccessMask, Sid);
}

NTSTATUS NTAPI RtlAddAce(PACL Acl, ULONG AceRevision, ULONG StartingAceIndex, PVOID AceList, ULONG AceListLength) {
    DIRQL_DOOR(RtlAddAce);
    return rtl::insert_aces(Acl, AceRevision, StartingAceIndex, AceList, AceListLength);
}

NTSTATUS NTAPI RtlDeleteAce(PACL Acl, ULONG AceIndex) {
    DIRQL_DOOR(RtlDeleteAce);
    return rtl::delete_ace(Acl, AceIndex);
}

NTSTATUS NTAPI RtlGetAce(PACL Acl, ULONG AceIndex, PPVOID Ace) {
    DIRQL_DOOR(RtlGetAce);
    return rtl::get_ace(Acl, AceIndex, Ace);
}

NTSTATUS NTAPI RtlQueryInformationAcl(PACL Acl, PVOID AclInformation, ULONG AclInformationLength,
                                      ACL_INFORMATION_CLASS AclInformationClass) {
    DIRQL_DOOR(RtlQueryInformationAcl);
    if (!rtl::valid_acl(Acl)) return STATUS_INVALID_PARAMETER;
    if (AclInformationClass == AclRevisionInformation) {
        if (AclInformationLength < sizeof(ACL_REVISION_INFORMATION)) return STATUS_BUFFER_TOO_SMALL;
        *static_cast<PACL_REVISION_INFORMATION>(AclInformation) = {Acl->AclRevision};
        return STATUS_SUCCESS;
    }
    if (AclInformationClass != AclSizeInformation) return STATUS_INVALID_INFO_CLASS;
    if (AclInformationLength < sizeof(ACL_SIZE_INFORMATION)) return STATUS_BUFFER_TOO_SMALL;
    const auto used = static_cast<ULONG>(rtl::bytes_in_use(*Acl));
    *static_cast<PACL_SIZE_INFORMATION>(AclInformation) = {Acl->AceCount, used, Acl->AclSize - used};
    return STATUS_SUCCESS;
}
}
