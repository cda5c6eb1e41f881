// A caller's security descriptor in the kernel's memory.
#pragma once

#include <ntifs.h>

namespace dirql::se {

// As one self-relative block, freed with free_descriptor. STATUS_ACCESS_VIOLATION, STATUS_UNKNOWN_REVISION, STATUS_INVALID_SID,
// STATUS_INVALID_ACL, STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS capture_descriptor(const void* descriptor, KPROCESSOR_MODE mode,
                                          PSECURITY_DESCRIPTOR* captured) noexcept;

} // namespace dirql::se
