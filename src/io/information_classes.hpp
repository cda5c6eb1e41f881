// What each information class asks of its caller: the least length of the buffer, the rights of the handle, the buffer's alignment.
#pragma once

#include <ntifs.h>

namespace dirql::io {

struct ClassRule {
    ULONG least;        // bytes; 0: the class is not known to the operation
    ACCESS_MASK access; // all of these
    ULONG alignment;    // of the caller's buffer: 4, or 8 where the structure holds 64-bit numbers
};

[[nodiscard]] ClassRule query_rule(FILE_INFORMATION_CLASS which) noexcept;
[[nodiscard]] ClassRule set_rule(FILE_INFORMATION_CLASS which) noexcept;
[[nodiscard]] ClassRule volume_query_rule(FS_INFORMATION_CLASS which) noexcept;
[[nodiscard]] ClassRule volume_set_rule(FS_INFORMATION_CLASS which) noexcept;

// STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH.
[[nodiscard]] inline NTSTATUS check_class(const ClassRule& rule, ULONG length) noexcept {
    if (rule.least == 0) return STATUS_INVALID_INFO_CLASS;
    return length < rule.least ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

} // namespace dirql::io
