// Security identifiers, as drivers use them.
#include "ex/pool.hpp"
#include "ex/rtl_strings.hpp"
#include "ke/exports/se.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"

#include <cstdarg>

using namespace dirql;

namespace {

constexpr ULONG sid_tag = ex::pool_tag("SeSd");

ULONG* sub_authorities(PSID sid) noexcept { return static_cast<SID*>(sid)->SubAuthority; }

} // namespace

extern "C" {

ULONG NTAPI RtlLengthSid(PSID Sid) {
    DIRQL_DOOR(RtlLengthSid);
    return static_cast<ULONG>(rtl::length_of_sid(Sid));
}

ULONG NTAPI RtlLengthRequiredSid(ULONG SubAuthorityCount) {
    DIRQL_DOOR(RtlLengthRequiredSid);
    return static_cast<ULONG>(rtl::sid_size(SubAuthorityCount));
}

BOOLEAN NTAPI RtlValidSid(PSID Sid) {
    DIRQL_DOOR(RtlValidSid);
    return rtl::valid_sid(Sid);
}

BOOLEAN NTAPI RtlEqualSid(PSID Sid1, PSID Sid2) {
    DIRQL_DOOR(RtlEqualSid);
    return rtl::equal_sids(Sid1, Sid2);
}

BOOLEAN NTAPI RtlEqualPrefixSid(PSID Sid1, PSID Sid2) {
    DIRQL_DOOR(RtlEqualPrefixSid);
    return rtl::equal_prefix(Sid1, Sid2);
}

NTSTATUS NTAPI RtlCopySid(ULONG Length, PSID Destination, PSID Source) {
    DIRQL_DOOR(RtlCopySid);
    if (rtl::length_of_sid(Source) > Length) return STATUS_BUFFER_TOO_SMALL;
    rtl::copy_sid(Destination, Source);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlInitializeSid(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount) {
    DIRQL_DOOR(RtlInitializeSid);
    return rtl::initialize_sid(Sid, *IdentifierAuthority, SubAuthorityCount) ? STATUS_SUCCESS
                                                                             : STATUS_INVALID_PARAMETER;
}

// NT's prototype: the last named parameter is promoted, and x64's calling convention has it in a register of its own all the same.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wvarargs"
NTSTATUS NTAPI RtlInitializeSidEx(PSID Sid, PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount,
                                  ...) {
    DIRQL_DOOR(RtlInitializeSidEx);
    if (!rtl::initialize_sid(Sid, *IdentifierAuthority, SubAuthorityCount)) return STATUS_INVALID_PARAMETER;
    va_list values;
    va_start(values, SubAuthorityCount);
    for (unsigned i = 0; i < SubAuthorityCount; ++i) sub_authorities(Sid)[i] = va_arg(values, ULONG);
    va_end(values);
    return STATUS_SUCCESS;
}
#pragma GCC diagnostic pop

// The SID is freed with RtlFreeSid.
NTSTATUS NTAPI RtlAllocateAndInitializeSid(PSID_IDENTIFIER_AUTHORITY IdentifierAuthority, UCHAR SubAuthorityCount,
                                           ULONG SubAuthority0, ULONG SubAuthority1, ULONG SubAuthority2,
                                           ULONG SubAuthority3, ULONG SubAuthority4, ULONG SubAuthority5,
                                           ULONG SubAuthority6, ULONG SubAuthority7, PSID* Sid) {
    DIRQL_DOOR(RtlAllocateAndInitializeSid);
    const ULONG values[] = {SubAuthority0, SubAuthority1, SubAuthority2, SubAuthority3,
                            SubAuthority4, SubAuthority5, SubAuthority6, SubAuthority7};
    if (SubAuthorityCount > std::size(values)) return STATUS_INVALID_SID;
    PSID sid = ex::allocate_pool(PagedPool, rtl::sid_size(SubAuthorityCount), sid_tag, ex::Fill::none);
    if (sid == nullptr) return STATUS_NO_MEMORY;
    rtl::initialize_sid(sid, *IdentifierAuthority, SubAuthorityCount);
    for (unsigned i = 0; i < SubAuthorityCount; ++i) sub_authorities(sid)[i] = values[i];
    *Sid = sid;
    return STATUS_SUCCESS;
}

// Null when it is freed.
PVOID NTAPI RtlFreeSid(PSID Sid) {
    DIRQL_DOOR(RtlFreeSid);
    ex::free_pool(Sid, sid_tag);
    return nullptr;
}

PSID_IDENTIFIER_AUTHORITY NTAPI RtlIdentifierAuthoritySid(PSID Sid) {
    DIRQL_DOOR(RtlIdentifierAuthoritySid);
    return &static_cast<SID*>(Sid)->IdentifierAuthority;
}

PULONG NTAPI RtlSubAuthoritySid(PSID Sid, ULONG SubAuthority) {
    DIRQL_DOOR(RtlSubAuthoritySid);
    return sub_authorities(Sid) + SubAuthority;
}

PUCHAR NTAPI RtlSubAuthorityCountSid(PSID Sid) {
    DIRQL_DOOR(RtlSubAuthorityCountSid);
    return &static_cast<SID*>(Sid)->SubAuthorityCount;
}

// STATUS_INVALID_SID, STATUS_BUFFER_OVERFLOW for a buffer that is too small, STATUS_NO_MEMORY.
NTSTATUS NTAPI RtlConvertSidToUnicodeString(PUNICODE_STRING UnicodeString, PSID Sid,
                                            BOOLEAN AllocateDestinationString) {
    DIRQL_DOOR(RtlConvertSidToUnicodeString);
    if (!rtl::valid_sid(Sid)) return STATUS_INVALID_SID;
    char16_t text[rtl::max_sid_text];
    const auto bytes = static_cast<ULONG>(rtl::write_sid(Sid, text) * sizeof(WCHAR));
    const auto terminator = AllocateDestinationString || UnicodeString->MaximumLength > bytes ? ex::Terminator::present
                                                                                              : ex::Terminator::absent;
    const NTSTATUS status = ex::make_room(UnicodeString, bytes, terminator, AllocateDestinationString);
    if (!NT_SUCCESS(status)) return status;
    rtl::move_memory(UnicodeString->Buffer, text, bytes);
    if (UnicodeString->MaximumLength >= bytes + sizeof(WCHAR)) UnicodeString->Buffer[bytes / sizeof(WCHAR)] = 0;
    return status;
}
}
