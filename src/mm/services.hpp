// System services of the memory manager that the WDK's kernel headers do not declare, though the kernel exports them:
// applications reach them through their own libraries. The others stand in <ntifs.h>.
#pragma once

#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "ob/handle_table.hpp"

#include <ntifs.h>

extern "C" {
NTKERNELAPI NTSTATUS NTAPI NtOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess,
                                         POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID* BaseAddress,
                                              ULONG_PTR ZeroBits, SIZE_T CommitSize, PLARGE_INTEGER SectionOffset,
                                              PSIZE_T ViewSize, SECTION_INHERIT InheritDisposition,
                                              ULONG AllocationType, ULONG Win32Protect);
NTKERNELAPI NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress);
NTKERNELAPI NTSTATUS NTAPI NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID* BaseAddress, PSIZE_T RegionSize,
                                                  ULONG NewProtect, PULONG OldProtect);
}

namespace dirql::mm {

// The process of a handle, referenced while this lives.
class ProcessReference {
public:
    ProcessReference() noexcept = default;
    ~ProcessReference() {
        if (process_ != nullptr) ob::dereference(process_);
    }
    ProcessReference(const ProcessReference&) = delete;
    ProcessReference& operator=(const ProcessReference&) = delete;

    // STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED.
    [[nodiscard]] NTSTATUS open(HANDLE handle, ACCESS_MASK access, KPROCESSOR_MODE mode) noexcept {
        void* body = nullptr;
        const NTSTATUS status = ob::reference_by_handle(handle, access, nullptr, mode, &body);
        if (!NT_SUCCESS(status)) return status;
        process_ = static_cast<ke::Process*>(body);
        return ob::type_of(body).index == ob::TypeIndex::process ? STATUS_SUCCESS : STATUS_OBJECT_TYPE_MISMATCH;
    }
    // Null for a process that has ended. The system process gets an arena when a driver first asks for memory there.
    [[nodiscard]] Arena* arena() const noexcept {
        ke::Machine& machine = ke::current_machine();
        if (process_->arena == nullptr && process_ == machine.system_process && !create_arena(machine, *process_))
            return nullptr;
        return arena_of(*process_);
    }

private:
    ke::Process* process_ = nullptr; // the body of some object, until open() has succeeded
};

} // namespace dirql::mm
