// Access control lists: a header and the entries behind it, each with its own size.
#pragma once

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::rtl {

// What stands before the SID of an entry, and where that is. Entries of object types have a GUID or two before it.
struct AceView {
    const ACE_HEADER* header;
    ACCESS_MASK mask;
    PSID sid; // null: an entry of a kind that has none, or that is too short for it
    const GUID* object_type;
    const GUID* inherited_object_type;
    std::size_t end_of_sid; // from the header; what follows is a condition
};
[[nodiscard]] AceView view_of(const ACE_HEADER& ace) noexcept;
[[nodiscard]] bool is_object_ace(UCHAR type) noexcept;

[[nodiscard]] inline const ACE_HEADER* first_ace(const ACL& acl) noexcept {
    return reinterpret_cast<const ACE_HEADER*>(&acl + 1);
}
[[nodiscard]] inline const ACE_HEADER* next_ace(const ACE_HEADER* ace) noexcept {
    return reinterpret_cast<const ACE_HEADER*>(reinterpret_cast<const std::byte*>(ace) + ace->AceSize);
}

// Revision, size, and that all entries lie inside; with `bytes` also that the list does.
[[nodiscard]] bool valid_acl(const ACL* acl) noexcept;
[[nodiscard]] bool valid_acl_within(const ACL* acl, std::size_t bytes) noexcept;

// STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER.
[[nodiscard]] NTSTATUS create_acl(PACL acl, ULONG bytes, ULONG revision) noexcept;

// Behind the last entry: null when the list is full to the last byte. False when an entry reaches beyond the list.
[[nodiscard]] bool first_free_ace(PACL acl, void** place) noexcept;

// An entry of one mask and one SID, at the end. STATUS_INVALID_SID, STATUS_REVISION_MISMATCH, STATUS_INVALID_ACL,
// STATUS_ALLOTTED_SPACE_EXCEEDED, STATUS_INVALID_PARAMETER (flags).
[[nodiscard]] NTSTATUS add_simple_ace(PACL acl, ULONG revision, UCHAR type, ULONG flags, ACCESS_MASK mask,
                                      const void* sid) noexcept;
// Ready entries, before the one of this index. STATUS_INVALID_PARAMETER, STATUS_BUFFER_TOO_SMALL.
[[nodiscard]] NTSTATUS insert_aces(PACL acl, ULONG revision, ULONG index, const void* aces, ULONG bytes) noexcept;
[[nodiscard]] NTSTATUS delete_ace(PACL acl, ULONG index) noexcept;
[[nodiscard]] NTSTATUS get_ace(PACL acl, ULONG index, void** ace) noexcept;

// The bytes that its entries take, with the header.
[[nodiscard]] std::size_t bytes_in_use(const ACL& acl) noexcept;

// Generic rights become the type's own.
[[nodiscard]] constexpr ACCESS_MASK map_generic(ACCESS_MASK mask, const GENERIC_MAPPING& mapping) noexcept {
    ACCESS_MASK mapped = mask & ~ACCESS_MASK{GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL};
    if ((mask & GENERIC_READ) != 0) mapped |= mapping.GenericRead;
    if ((mask & GENERIC_WRITE) != 0) mapped |= mapping.GenericWrite;
    if ((mask & GENERIC_EXECUTE) != 0) mapped |= mapping.GenericExecute;
    if ((mask & GENERIC_ALL) != 0) mapped |= mapping.GenericAll;
    return mapped;
}

} // namespace dirql::rtl
