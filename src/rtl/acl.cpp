#include "rtl/acl.hpp"

#include "rtl/memory.hpp"
#include "rtl/sid.hpp"

namespace dirql::rtl {
namespace {

constexpr std::size_t mask_end = sizeof(ACE_HEADER) + sizeof(ACCESS_MASK);

std::byte* bytes_of(const void* at) noexcept { return static_cast<std::byte*>(const_cast<void*>(at)); }
const std::byte* end_of(const ACL& acl) noexcept { return bytes_of(&acl) + acl.AclSize; }
bool revision_known(ULONG revision) noexcept { return revision >= MIN_ACL_REVISION && revision <= MAX_ACL_REVISION; }

// Kinds whose mask is followed by a SID: all that are defined but the compound one, which servers once had.
bool has_sid(UCHAR type) noexcept {
    return type <= ACCESS_MAX_MS_V5_ACE_TYPE && type != ACCESS_ALLOWED_COMPOUND_ACE_TYPE;
}

} // namespace

bool is_object_ace(UCHAR type) noexcept {
    return (type >= ACCESS_ALLOWED_OBJECT_ACE_TYPE && type <= SYSTEM_ALARM_OBJECT_ACE_TYPE) ||
           type == ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE || type == ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE ||
           type == SYSTEM_AUDIT_CALLBACK_OBJECT_ACE_TYPE || type == SYSTEM_ALARM_CALLBACK_OBJECT_ACE_TYPE;
}

AceView view_of(const ACE_HEADER& ace) noexcept {
    AceView view{&ace, 0, nullptr, nullptr, nullptr, 0};
    if (!has_sid(ace.AceType) || ace.AceSize < mask_end) return view;
    const std::byte* base = bytes_of(&ace);
    view.mask = *reinterpret_cast<const ACCESS_MASK*>(base + sizeof(ACE_HEADER));
    std::size_t at = mask_end;
    if (is_object_ace(ace.AceType)) {
        if (ace.AceSize < at + sizeof(ULONG)) return view;
        const ULONG flags = *reinterpret_cast<const ULONG*>(base + at);
        at += sizeof(ULONG);
        for (const auto& [flag, where] :
             {std::pair{ULONG{ACE_OBJECT_TYPE_PRESENT}, &view.object_type},
              std::pair{ULONG{ACE_INHERITED_OBJECT_TYPE_PRESENT}, &view.inherited_object_type}}) {
            if ((flags & flag) == 0) continue;
            if (ace.AceSize < at + sizeof(GUID)) return view;
            *where = reinterpret_cast<const GUID*>(base + at);
            at += sizeof(GUID);
        }
    }
    if (!valid_sid_within(base + at, ace.AceSize - at)) return view;
    view.sid = const_cast<std::byte*>(base + at);
    view.end_of_sid = at + length_of_sid(view.sid);
    return view;
}

bool valid_acl(const ACL* acl) noexcept {
    if (!revision_known(acl->AclRevision) || acl->AclSize < sizeof(ACL) || acl->AclSize % sizeof(ULONG) != 0)
        return false;
    const std::byte* end = end_of(*acl);
    const ACE_HEADER* ace = first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = next_ace(ace)) {
        if (bytes_of(ace) + sizeof(ACE_HEADER) > end) return false;
        if (ace->AceSize < sizeof(ACE_HEADER) || bytes_of(ace) + ace->AceSize > end) return false;
        if (ace->AceSize % sizeof(ULONG) != 0) return false;
        if (has_sid(ace->AceType) && view_of(*ace).sid == nullptr) return false;
    }
    return true;
}

bool valid_acl_within(const ACL* acl, std::size_t bytes) noexcept {
    return bytes >= sizeof(ACL) && acl->AclSize <= bytes && valid_acl(acl);
}

NTSTATUS create_acl(PACL acl, ULONG bytes, ULONG revision) noexcept {
    if (bytes < sizeof(ACL)) return STATUS_BUFFER_TOO_SMALL;
    if (!revision_known(revision) || bytes > MAXUSHORT) return STATUS_INVALID_PARAMETER;
    *acl = {static_cast<UCHAR>(revision), 0, static_cast<USHORT>(bytes & ~(sizeof(ULONG) - 1)), 0, 0};
    return STATUS_SUCCESS;
}

bool first_free_ace(PACL acl, void** place) noexcept {
    *place = nullptr;
    const std::byte* end = end_of(*acl);
    const ACE_HEADER* ace = first_ace(*acl);
    for (unsigned i = 0; i < acl->AceCount; ++i, ace = next_ace(ace)) {
        if (bytes_of(ace) + sizeof(ACE_HEADER) > end || ace->AceSize < sizeof(ACE_HEADER)) return false;
    }
    if (bytes_of(ace) > end) return false;
    if (bytes_of(ace) < end) *place = const_cast<ACE_HEADER*>(ace);
    return true;
}

std::size_t bytes_in_use(const ACL& acl) noexcept {
    const ACE_HEADER* ace = first_ace(acl);
    for (unsigned i = 0; i < acl.AceCount; ++i) ace = next_ace(ace);
    return static_cast<std::size_t>(bytes_of(ace) - bytes_of(&acl));
}

NTSTATUS add_simple_ace(PACL acl, ULONG revision, UCHAR type, ULONG flags, ACCESS_MASK mask, const void* sid) noexcept {
    if (!valid_sid(sid)) return STATUS_INVALID_SID;
    if (!revision_known(revision) || !revision_known(acl->AclRevision)) return STATUS_REVISION_MISMATCH;
    if ((flags & ~ULONG{VALID_INHERIT_FLAGS | SUCCESSFUL_ACCESS_ACE_FLAG | FAILED_ACCESS_ACE_FLAG}) != 0)
        return STATUS_INVALID_PARAMETER;
    void* place = nullptr;
    if (!valid_acl(acl) || !first_free_ace(acl, &place)) return STATUS_INVALID_ACL;
    const std::size_t size = mask_end + length_of_sid(sid);
    if (place == nullptr || bytes_of(place) + size > end_of(*acl)) return STATUS_ALLOTTED_SPACE_EXCEEDED;
    auto* header = static_cast<ACE_HEADER*>(place);
    *header = {type, static_cast<UCHAR>(flags), static_cast<USHORT>(size)};
    *reinterpret_cast<ACCESS_MASK*>(header + 1) = mask;
    copy_sid(bytes_of(place) + mask_end, sid);
    ++acl->AceCount;
    if (revision > acl->AclRevision) acl->AclRevision = static_cast<UCHAR>(revision);
    return STATUS_SUCCESS;
}

NTSTATUS insert_aces(PACL acl, ULONG revision, ULONG index, const void* aces, ULONG bytes) noexcept {
    void* free = nullptr;
    if (!revision_known(revision) || !valid_acl(acl) || !first_free_ace(acl, &free)) return STATUS_INVALID_PARAMETER;
    ULONG count = 0;
    for (ULONG at = 0; at < bytes; ++count) {
        const auto* ace = reinterpret_cast<const ACE_HEADER*>(bytes_of(aces) + at);
        if (bytes - at < sizeof(ACE_HEADER) || ace->AceSize < sizeof(ACE_HEADER) || ace->AceSize > bytes - at ||
            ace->AceSize % sizeof(ULONG) != 0) {
            return STATUS_INVALID_PARAMETER;
        }
        at += ace->AceSize;
    }
    const std::size_t used = bytes_in_use(*acl);
    if (used + bytes > acl->AclSize) return STATUS_BUFFER_TOO_SMALL;
    if (acl->AceCount + count > MAXUSHORT) return STATUS_INVALID_PARAMETER;
    std::byte* place = bytes_of(acl) + used;
    if (index < acl->AceCount) {
        const ACE_HEADER* ace = first_ace(*acl);
        for (ULONG i = 0; i < index; ++i) ace = next_ace(ace);
        place = bytes_of(ace);
        move_memory(place + bytes, place, static_cast<std::size_t>(bytes_of(acl) + used - place));
    }
    move_memory(place, aces, bytes);
    acl->AceCount = static_cast<USHORT>(acl->AceCount + count);
    if (revision > acl->AclRevision) acl->AclRevision = static_cast<UCHAR>(revision);
    return STATUS_SUCCESS;
}

NTSTATUS get_ace(PACL acl, ULONG index, void** ace) noexcept {
    if (!revision_known(acl->AclRevision) || index >= acl->AceCount) return STATUS_INVALID_PARAMETER;
    const ACE_HEADER* at = first_ace(*acl);
    for (ULONG i = 0;; ++i, at = next_ace(at)) {
        if (bytes_of(at) + sizeof(ACE_HEADER) > end_of(*acl)) return STATUS_INVALID_PARAMETER;
        if (i == index) break;
        if (at->AceSize < sizeof(ACE_HEADER)) return STATUS_INVALID_PARAMETER;
    }
    *ace = const_cast<ACE_HEADER*>(at);
    return STATUS_SUCCESS;
}

NTSTATUS delete_ace(PACL acl, ULONG index) noexcept {
    if (!valid_acl(acl) || index >= acl->AceCount) return STATUS_INVALID_PARAMETER;
    const std::size_t used = bytes_in_use(*acl);
    const ACE_HEADER* ace = first_ace(*acl);
    for (ULONG i = 0; i < index; ++i) ace = next_ace(ace);
    std::byte* place = bytes_of(ace);
    const USHORT size = ace->AceSize;
    std::byte* end = bytes_of(acl) + used;
    move_memory(place, place + size, static_cast<std::size_t>(end - (place + size)));
    fill_memory(end - size, 0, size);
    --acl->AceCount;
    return STATUS_SUCCESS;
}

} // namespace dirql::rtl
