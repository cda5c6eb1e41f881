// A process's virtual memory as the system services change it: reserved, committed, protected, freed.
#pragma once

#include "mm/region.hpp"

#include <ntifs.h>

namespace dirql::mm {

// A range as a service gets it and hands it back, rounded to pages.
struct VirtualRange {
    void* base;
    SIZE_T bytes;
};

// Each is what its service does, on checked pointers. The range is changed on success alone.
[[nodiscard]] NTSTATUS allocate_virtual(Arena& arena, VirtualRange& range, ULONG_PTR zero_bits, ULONG type,
                                        ULONG protect, KPROCESSOR_MODE mode = KernelMode) noexcept;
[[nodiscard]] NTSTATUS free_virtual(Arena& arena, VirtualRange& range, ULONG type, KPROCESSOR_MODE mode) noexcept;
[[nodiscard]] NTSTATUS protect_virtual(Arena& arena, VirtualRange& range, ULONG protect, KPROCESSOR_MODE mode,
                                       ULONG& old) noexcept;
// The address lies in the user range; the arena may be null, for a process without one.
[[nodiscard]] MEMORY_BASIC_INFORMATION query_virtual(const Arena* arena, void* address) noexcept;

// The checks that need no process. STATUS_INVALID_PARAMETER_n by the service's parameters.
[[nodiscard]] NTSTATUS check_allocation(const VirtualRange& range, ULONG_PTR zero_bits, ULONG type,
                                        ULONG protect) noexcept;

} // namespace dirql::mm
