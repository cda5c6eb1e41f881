#include "rtl/descriptor.hpp"

#include "rtl/acl.hpp"
#include "rtl/memory.hpp"
#include "rtl/sid.hpp"

#include <cstdint>

namespace dirql::rtl {
namespace {

template <class T> T* at_offset(const void* base, ULONG offset) noexcept {
    if (offset == 0) return nullptr;
    return reinterpret_cast<T*>(static_cast<std::byte*>(const_cast<void*>(base)) + offset);
}

std::size_t sid_bytes(const void* sid) noexcept { return sid == nullptr ? 0 : round_to_long(length_of_sid(sid)); }
std::size_t acl_bytes(const ACL* acl) noexcept { return acl == nullptr ? 0 : round_to_long(acl->AclSize); }

// What may be told of an offset before what is there is looked at. 0 is absent.
bool place_is_good(ULONG offset, std::size_t bytes, std::size_t smallest) noexcept {
    return offset >= sizeof(SECURITY_DESCRIPTOR_RELATIVE) && offset % sizeof(ULONG) == 0 && offset <= bytes &&
           bytes - offset >= smallest;
}

bool sid_is_good(const void* base, ULONG offset, std::size_t bytes, bool required) noexcept {
    if (offset == 0) return !required;
    return place_is_good(offset, bytes, sid_size(0)) && valid_sid_within(at_offset<void>(base, offset), bytes - offset);
}

bool acl_is_good(const void* base, bool present, ULONG offset, std::size_t bytes, bool required) noexcept {
    if (!present) return !required;
    if (offset == 0) return true; // a null list
    return place_is_good(offset, bytes, sizeof(ACL)) && valid_acl_within(at_offset<ACL>(base, offset), bytes - offset);
}

} // namespace

DescriptorParts parts_of(const void* descriptor) noexcept {
    DescriptorParts parts;
    if (is_self_relative(descriptor)) {
        const auto& from = *static_cast<const SECURITY_DESCRIPTOR_RELATIVE*>(descriptor);
        parts = {from.Control, at_offset<void>(descriptor, from.Owner), at_offset<void>(descriptor, from.Group),
                 at_offset<ACL>(descriptor, from.Sacl), at_offset<ACL>(descriptor, from.Dacl)};
    } else {
        const auto& from = *static_cast<const SECURITY_DESCRIPTOR*>(descriptor);
        parts = {from.Control, from.Owner, from.Group, from.Sacl, from.Dacl};
    }
    if (!parts.sacl_present()) parts.sacl = nullptr;
    if (!parts.dacl_present()) parts.dacl = nullptr;
    return parts;
}

bool valid_descriptor(const void* descriptor) noexcept {
    if (descriptor == nullptr) return false;
    if (static_cast<const SECURITY_DESCRIPTOR*>(descriptor)->Revision != SECURITY_DESCRIPTOR_REVISION) return false;
    const DescriptorParts parts = parts_of(descriptor);
    return (parts.owner == nullptr || valid_sid(parts.owner)) && (parts.group == nullptr || valid_sid(parts.group)) &&
           (parts.sacl == nullptr || valid_acl(parts.sacl)) && (parts.dacl == nullptr || valid_acl(parts.dacl));
}

bool valid_relative_descriptor(const void* descriptor, std::size_t bytes, SECURITY_INFORMATION required) noexcept {
    if (bytes < sizeof(SECURITY_DESCRIPTOR_RELATIVE) || reinterpret_cast<std::uintptr_t>(descriptor) % 4 != 0)
        return false;
    const auto& from = *static_cast<const SECURITY_DESCRIPTOR_RELATIVE*>(descriptor);
    if (from.Revision != SECURITY_DESCRIPTOR_REVISION || (from.Control & SE_SELF_RELATIVE) == 0) return false;
    const auto wanted = [&](SECURITY_INFORMATION which) { return (required & which) != 0; };
    return sid_is_good(descriptor, from.Owner, bytes, wanted(OWNER_SECURITY_INFORMATION)) &&
           sid_is_good(descriptor, from.Group, bytes, wanted(GROUP_SECURITY_INFORMATION)) &&
           acl_is_good(descriptor, (from.Control & SE_DACL_PRESENT) != 0, from.Dacl, bytes,
                       wanted(DACL_SECURITY_INFORMATION)) &&
           acl_is_good(descriptor, (from.Control & SE_SACL_PRESENT) != 0, from.Sacl, bytes,
                       wanted(SACL_SECURITY_INFORMATION));
}

std::size_t length_of_descriptor(const void* descriptor) noexcept {
    const DescriptorParts parts = parts_of(descriptor);
    const std::size_t header =
        is_self_relative(descriptor) ? sizeof(SECURITY_DESCRIPTOR_RELATIVE) : sizeof(SECURITY_DESCRIPTOR);
    return header + sid_bytes(parts.owner) + sid_bytes(parts.group) + acl_bytes(parts.sacl) + acl_bytes(parts.dacl);
}

std::size_t relative_size(const DescriptorParts& parts) noexcept {
    return sizeof(SECURITY_DESCRIPTOR_RELATIVE) + sid_bytes(parts.owner) + sid_bytes(parts.group) +
           acl_bytes(parts.sacl) + acl_bytes(parts.dacl);
}

void write_relative(const DescriptorParts& parts, void* block) noexcept {
    ULONG at = sizeof(SECURITY_DESCRIPTOR_RELATIVE);
    const auto put = [&](const void* part, std::size_t bytes) -> ULONG {
        if (part == nullptr) return 0;
        move_memory(static_cast<std::byte*>(block) + at, part, bytes);
        const std::size_t padded = round_to_long(bytes);
        fill_memory(static_cast<std::byte*>(block) + at + bytes, 0, padded - bytes);
        const ULONG offset = at;
        at += static_cast<ULONG>(padded);
        return offset;
    };
    SECURITY_DESCRIPTOR_RELATIVE header{};
    header.Revision = SECURITY_DESCRIPTOR_REVISION;
    header.Control = static_cast<SECURITY_DESCRIPTOR_CONTROL>(parts.control | SE_SELF_RELATIVE);
    header.Sacl = put(parts.sacl, parts.sacl == nullptr ? 0 : parts.sacl->AclSize);
    header.Dacl = put(parts.dacl, parts.dacl == nullptr ? 0 : parts.dacl->AclSize);
    header.Owner = put(parts.owner, parts.owner == nullptr ? 0 : length_of_sid(parts.owner));
    header.Group = put(parts.group, parts.group == nullptr ? 0 : length_of_sid(parts.group));
    *static_cast<SECURITY_DESCRIPTOR_RELATIVE*>(block) = header;
}

} // namespace dirql::rtl
