// What the services of information classes share.
#pragma once

#include "io/information_classes.hpp"

#include <ntifs.h>

namespace dirql::io {

// The caller's buffer by the rule of its class: length, alignment, memory. The kernel's own callers are trusted with all but the
// length, and may ask a driver for classes that are not listed.
[[nodiscard]] NTSTATUS check_buffer(const ClassRule& rule, KPROCESSOR_MODE mode, const void* buffer, ULONG length,
                                    bool write) noexcept;

// As FILE_MODE_INFORMATION and FILE_IO_COMPLETION_NOTIFICATION_INFORMATION have them.
[[nodiscard]] ULONG mode_of(PFILE_OBJECT file) noexcept;
[[nodiscard]] ULONG notification_modes_of(PFILE_OBJECT file) noexcept;

// Of an open file, into kernel memory.
[[nodiscard]] NTSTATUS query_by_object(PFILE_OBJECT file, FILE_INFORMATION_CLASS which, PVOID buffer, ULONG length,
                                       PULONG returned) noexcept;

} // namespace dirql::io
