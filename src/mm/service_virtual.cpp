// The system services of virtual memory.
#include "ke/exports/mm.hpp"
#include "ke/system_service.hpp"
#include "mm/services.hpp"
#include "mm/virtual_memory.hpp"

namespace dirql::mm {
namespace {

constexpr ACCESS_MASK query_access = PROCESS_QUERY_INFORMATION;

// What all that change a range do: capture it, act on the process's arena, hand it back rounded.
template <class Act> NTSTATUS on_range(HANDLE process, PVOID* base, PSIZE_T size, Act act) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    VirtualRange range{};
    NTSTATUS status = ke::probe_out(base, mode);
    if (NT_SUCCESS(status)) status = ke::probe_out(size, mode);
    if (NT_SUCCESS(status)) status = ke::copy_in(range.base, base, mode);
    if (NT_SUCCESS(status)) status = ke::copy_in(range.bytes, size, mode);
    if (!NT_SUCCESS(status)) return status;
    ProcessReference reference;
    status = reference.open(process, PROCESS_VM_OPERATION, mode);
    if (!NT_SUCCESS(status)) return status;
    if (reference.arena() == nullptr) return STATUS_PROCESS_IS_TERMINATING;
    status = act(*reference.arena(), range, mode);
    if (!NT_SUCCESS(status)) return status;
    status = ke::copy_out(base, range.base, mode);
    const NTSTATUS written = ke::copy_out(size, range.bytes, mode);
    return NT_SUCCESS(status) ? written : status;
}

NTSTATUS allocate(HANDLE process, PVOID* base, ULONG_PTR zero_bits, PSIZE_T size, ULONG type, ULONG protect) noexcept {
    return on_range(process, base, size, [&](Arena& arena, VirtualRange& range, KPROCESSOR_MODE mode) {
        return allocate_virtual(arena, range, zero_bits, type, protect, mode);
    });
}

NTSTATUS protect_range(HANDLE process, PVOID* base, PSIZE_T size, ULONG protect, PULONG old) noexcept {
    NTSTATUS status = ke::probe_out(old, ke::previous_mode());
    if (!NT_SUCCESS(status)) return status;
    ULONG before = 0;
    status = on_range(process, base, size, [&](Arena& arena, VirtualRange& range, KPROCESSOR_MODE mode) {
        return protect_virtual(arena, range, protect, mode, before);
    });
    return NT_SUCCESS(status) ? ke::copy_out(old, before, ke::previous_mode()) : status;
}

NTSTATUS query(HANDLE process, PVOID base, MEMORY_INFORMATION_CLASS kind, PVOID buffer, SIZE_T length,
               PSIZE_T returned) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    if (kind != MemoryBasicInformation) return STATUS_INVALID_INFO_CLASS;
    if (length < sizeof(MEMORY_BASIC_INFORMATION)) return STATUS_INFO_LENGTH_MISMATCH;
    auto* out = static_cast<MEMORY_BASIC_INFORMATION*>(buffer);
    NTSTATUS status = ke::probe_out(out, mode);
    if (NT_SUCCESS(status) && returned != nullptr) status = ke::probe_out(returned, mode);
    if (!NT_SUCCESS(status)) return status;
    if (!ke::in_user_range(base, 1)) return STATUS_INVALID_PARAMETER;
    ProcessReference reference;
    status = reference.open(process, query_access, mode);
    if (NT_SUCCESS(status)) status = ke::copy_out(out, query_virtual(reference.arena(), base), mode);
    const SIZE_T written = sizeof *out;
    return NT_SUCCESS(status) ? ke::copy_out_if_wanted(returned, written, mode) : status;
}

} // namespace
} // namespace dirql::mm

using namespace dirql;

extern "C" {

NTSTATUS NTAPI NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                       ULONG AllocationType, ULONG Protect) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtAllocateVirtualMemory);
        return mm::allocate(ProcessHandle, BaseAddress, ZeroBits, RegionSize, AllocationType, Protect);
    });
}

NTSTATUS NTAPI ZwAllocateVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                       ULONG AllocationType, ULONG Protect) {
    DIRQL_DOOR(ZwAllocateVirtualMemory);
    const ke::KernelModeCaller caller;
    return NtAllocateVirtualMemory(ProcessHandle, BaseAddress, ZeroBits, RegionSize, AllocationType, Protect);
}

NTSTATUS NTAPI NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, PSIZE_T RegionSize, ULONG FreeType) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtFreeVirtualMemory);
        return mm::on_range(ProcessHandle, BaseAddress, RegionSize,
                            [&](mm::Arena& arena, mm::VirtualRange& range, KPROCESSOR_MODE mode) {
                                return mm::free_virtual(arena, range, FreeType, mode);
                            });
    });
}

NTSTATUS NTAPI ZwFreeVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, PSIZE_T RegionSize, ULONG FreeType) {
    DIRQL_DOOR(ZwFreeVirtualMemory);
    const ke::KernelModeCaller caller;
    return NtFreeVirtualMemory(ProcessHandle, BaseAddress, RegionSize, FreeType);
}

NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, PSIZE_T RegionSize, ULONG NewProtect,
                                      PULONG OldProtect) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtProtectVirtualMemory);
        return mm::protect_range(ProcessHandle, BaseAddress, RegionSize, NewProtect, OldProtect);
    });
}

NTSTATUS NTAPI ZwProtectVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, PSIZE_T RegionSize, ULONG NewProtect,
                                      PULONG OldProtect) {
    DIRQL_DOOR(ZwProtectVirtualMemory);
    const ke::KernelModeCaller caller;
    return NtProtectVirtualMemory(ProcessHandle, BaseAddress, RegionSize, NewProtect, OldProtect);
}

NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress,
                                    MEMORY_INFORMATION_CLASS MemoryInformationClass, PVOID MemoryInformation,
                                    SIZE_T MemoryInformationLength, PSIZE_T ReturnLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryVirtualMemory);
        return mm::query(ProcessHandle, BaseAddress, MemoryInformationClass, MemoryInformation, MemoryInformationLength,
                         ReturnLength);
    });
}

NTSTATUS NTAPI ZwQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress,
                                    MEMORY_INFORMATION_CLASS MemoryInformationClass, PVOID MemoryInformation,
                                    SIZE_T MemoryInformationLength, PSIZE_T ReturnLength) {
    DIRQL_DOOR(ZwQueryVirtualMemory);
    const ke::KernelModeCaller caller;
    return NtQueryVirtualMemory(ProcessHandle, BaseAddress, MemoryInformationClass, MemoryInformation,
                                MemoryInformationLength, ReturnLength);
}
}
