#include "io/extended_attributes.hpp"

#include "ke/exports/io.hpp"

#include <cstddef>
#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG name_offset = offsetof(FILE_FULL_EA_INFORMATION, EaName);

constexpr ULONG round_to_long(ULONG bytes) noexcept { return (bytes + 3) & ~3u; }

// The bytes of the entry at the beginning of `left` bytes: header, name, its terminator, value. 0: it does not fit, or its name
// does not end where it says.
ULONG entry_size(const std::byte* entry, ULONG left) noexcept {
    if (left < name_offset) return 0;
    FILE_FULL_EA_INFORMATION header{};
    std::memcpy(&header, entry, name_offset);
    const ULONG size = name_offset + header.EaNameLength + 1 + header.EaValueLength;
    if (size > left) return 0;
    return entry[name_offset + header.EaNameLength] == std::byte{0} ? size : 0;
}

ULONG next_entry_offset(const std::byte* entry) noexcept {
    ULONG offset;
    static_assert(offsetof(FILE_FULL_EA_INFORMATION, NextEntryOffset) == 0);
    std::memcpy(&offset, entry, sizeof offset);
    return offset;
}

} // namespace

NTSTATUS check_extended_attributes(const void* list, ULONG length, ULONG& error_offset) noexcept {
    const auto* bytes = static_cast<const std::byte*>(list);
    ULONG at = 0;
    for (;;) {
        error_offset = at;
        const ULONG left = length - at;
        const ULONG size = entry_size(bytes + at, left);
        if (size == 0) return STATUS_EA_LIST_INCONSISTENT;
        const ULONG next = next_entry_offset(bytes + at);
        if (next == 0) return STATUS_SUCCESS;
        if (next != round_to_long(size) || next > left) return STATUS_EA_LIST_INCONSISTENT;
        at += next;
    }
}

} // namespace dirql::io

extern "C" {

NTSTATUS NTAPI IoCheckEaBufferValidity(PFILE_FULL_EA_INFORMATION EaBuffer, ULONG EaLength, PULONG ErrorOffset) {
    DIRQL_DOOR(IoCheckEaBufferValidity);
    return dirql::io::check_extended_attributes(EaBuffer, EaLength, *ErrorOffset);
}
}
