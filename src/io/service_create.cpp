// NtCreateFile, NtOpenFile, and the services that cancel.
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/cancel.hpp"
#include "io/extended_attributes.hpp"
#include "io/file.hpp"
#include "io/file_create.hpp"
#include "io/request.hpp"
#include "io/services.hpp"
#include "io/types.hpp"
#include "ke/exports/io.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"

#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG synchronous_options = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;

// What a directory may be opened with, besides being one.
constexpr ULONG directory_options = FILE_DIRECTORY_FILE | synchronous_options | FILE_WRITE_THROUGH |
                                    FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_BY_FILE_ID | FILE_DELETE_ON_CLOSE |
                                    FILE_COMPLETE_IF_OPLOCKED | FILE_OPEN_REPARSE_POINT | FILE_NO_COMPRESSION |
                                    FILE_OPEN_FOR_FREE_SPACE_QUERY;
constexpr ULONG oplock_options = FILE_COMPLETE_IF_OPLOCKED | FILE_RESERVE_OPFILTER;

// Pipes and mailslots know few options, and only some dispositions.
bool valid_pipe(const CreateRequest& create) noexcept {
    const auto* parameters = static_cast<const NAMED_PIPE_CREATE_PARAMETERS*>(create.parameters);
    if (parameters == nullptr || (create.share_access & FILE_SHARE_DELETE) != 0) return false;
    if ((create.options & ~ULONG{FILE_VALID_PIPE_OPTION_FLAGS}) != 0) return false;
    if (create.disposition < FILE_OPEN || create.disposition > FILE_OPEN_IF) return false;
    return !parameters->TimeoutSpecified || parameters->DefaultTimeout.QuadPart < 0; // relative
}

bool valid_mailslot(const CreateRequest& create) noexcept {
    if (create.parameters == nullptr || (create.share_access & FILE_SHARE_DELETE) != 0) return false;
    if ((create.share_access & ~ULONG{FILE_SHARE_WRITE}) == 0) return false;
    return (create.options & ~ULONG{FILE_VALID_MAILSLOT_OPTION_FLAGS}) == 0 && create.disposition == FILE_CREATE;
}

// The combinations that the document calls invalid. Applications are held to them; the kernel's own callers are trusted.
bool valid(const CreateRequest& create) noexcept {
    if (create.type == CreateFileTypeNamedPipe && !valid_pipe(create)) return false;
    if (create.type == CreateFileTypeMailslot && !valid_mailslot(create)) return false;
    if (create.disposition > FILE_MAXIMUM_DISPOSITION) return false;
    if ((create.file_attributes & ~static_cast<ULONG>(FILE_ATTRIBUTE_VALID_FLAGS)) != 0) return false;
    if ((create.share_access & ~static_cast<ULONG>(FILE_SHARE_VALID_FLAGS)) != 0) return false;
    if ((create.options & ~static_cast<ULONG>(FILE_VALID_OPTION_FLAGS)) != 0) return false;
    if ((create.options & synchronous_options) != 0 && (create.access & SYNCHRONIZE) == 0) return false;
    if ((create.options & synchronous_options) == synchronous_options) return false;
    if ((create.options & FILE_DELETE_ON_CLOSE) != 0 && (create.access & DELETE) == 0) return false;
    if ((create.options & FILE_DIRECTORY_FILE) != 0 && (create.options & FILE_NON_DIRECTORY_FILE) == 0) {
        const bool makes_or_opens =
            create.disposition == FILE_CREATE || create.disposition == FILE_OPEN || create.disposition == FILE_OPEN_IF;
        if (!makes_or_opens || (create.options & ~directory_options) != 0) return false;
    }
    if ((create.options & oplock_options) == oplock_options) return false;
    if ((create.options & FILE_DIRECTORY_FILE) != 0 && (create.options & FILE_NON_DIRECTORY_FILE) != 0) return false;
    return (create.options & FILE_NO_INTERMEDIATE_BUFFERING) == 0 || (create.access & FILE_APPEND_DATA) == 0;
}

// The caller's extended attributes, for the driver to read in its own time.
class EaBuffer {
public:
    ~EaBuffer() {
        if (copy_ != nullptr) ex::free_pool(copy_, 0);
    }
    EaBuffer() = default;
    EaBuffer(const EaBuffer&) = delete;
    EaBuffer& operator=(const EaBuffer&) = delete;
    // STATUS_EA_LIST_INCONSISTENT, with the offset of the wrong entry.
    [[nodiscard]] NTSTATUS capture(KPROCESSOR_MODE mode, const void* from, ULONG length, ULONG& error_offset) noexcept {
        if (from == nullptr || length == 0) return STATUS_SUCCESS;
        copy_ = ex::allocate_pool(NonPagedPoolNx, length, 'aEoI', ex::Fill::none);
        if (copy_ == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        if (!NT_SUCCESS(ke::copy_bytes_in(copy_, from, length, mode))) return STATUS_ACCESS_VIOLATION;
        length_ = length;
        return check_extended_attributes(copy_, length, error_offset);
    }
    [[nodiscard]] void* get() const noexcept { return copy_; }
    [[nodiscard]] ULONG length() const noexcept { return length_; } // 0 where the caller gave a length and no list

private:
    void* copy_ = nullptr;
    ULONG length_ = 0;
};

NTSTATUS write_results(const CreateRequest& create, KPROCESSOR_MODE mode, HANDLE handle,
                       const IO_STATUS_BLOCK& result) noexcept {
    const bool written = NT_SUCCESS(ke::copy_out(create.handle, handle, mode)) &&
                         NT_SUCCESS(ke::copy_out(create.status_block, result, mode));
    return written ? result.Status : STATUS_ACCESS_VIOLATION;
}

// An error leaves the caller's status block alone; a warning is written there.
NTSTATUS failed(const CreateRequest& create, KPROCESSOR_MODE mode, NTSTATUS status, ULONG_PTR information) noexcept {
    const IO_STATUS_BLOCK result{{status}, information};
    if (NT_WARNING(status) && !NT_SUCCESS(ke::copy_out(create.status_block, result, mode)))
        return STATUS_ACCESS_VIOLATION;
    return status;
}

// IO_FORCE_ACCESS_CHECK and its like reach the driver as flags of its location, one for one.
static_assert(SL_FORCE_ACCESS_CHECK == IO_FORCE_ACCESS_CHECK && SL_OPEN_PAGING_FILE == IO_OPEN_PAGING_FILE &&
              SL_OPEN_TARGET_DIRECTORY == IO_OPEN_TARGET_DIRECTORY && SL_STOP_ON_SYMLINK == IO_STOP_ON_SYMLINK);
constexpr ULONG options_for_drivers = 0xF;

OpenRequest open_request(const CreateRequest& create, const EaBuffer& ea, LARGE_INTEGER& allocation) noexcept {
    OpenRequest open{};
    open.options = create.options;
    open.disposition = create.disposition;
    open.attributes = static_cast<USHORT>(create.file_attributes);
    open.share_access = static_cast<USHORT>(create.share_access);
    open.ea_buffer = ea.get();
    open.ea_length = ea.length();
    open.allocation_size = create.allocation_size == nullptr ? nullptr : &allocation;
    open.type = create.type;
    open.parameters = create.parameters;
    open.hint = create.hint;
    open.location_flags = static_cast<UCHAR>(create.io_options & options_for_drivers);
    open.ignores_sharing = (create.io_options & IO_IGNORE_SHARE_ACCESS_CHECK) != 0;
    open.attaching = (create.io_options & IO_ATTACH_DEVICE) != 0;
    return open;
}

} // namespace

NTSTATUS create_file(const CreateRequest& create) noexcept {
    const bool trusted = (create.io_options & IO_NO_PARAMETER_CHECKING) != 0;
    const KPROCESSOR_MODE mode =
        trusted ? static_cast<KPROCESSOR_MODE>(KernelMode) : ke::current_thread()->previous_mode;
    if (mode != KernelMode) {
        NTSTATUS status = ke::probe_user(create.handle, sizeof(HANDLE), true);
        if (NT_SUCCESS(status)) status = ke::probe_user(create.status_block, sizeof(IO_STATUS_BLOCK), true);
        if (!NT_SUCCESS(status)) return status;
    }
    const bool checked = mode != KernelMode || (create.io_options & IO_CHECK_CREATE_PARAMETERS) != 0;
    if (checked && !valid(create)) return STATUS_INVALID_PARAMETER;
    LARGE_INTEGER allocation{};
    if (!NT_SUCCESS(ke::copy_in_if_given(allocation, create.allocation_size, mode))) return STATUS_ACCESS_VIOLATION;
    if (checked && allocation.QuadPart < 0) return STATUS_INVALID_PARAMETER;
    EaBuffer ea;
    ULONG error_offset = 0;
    NTSTATUS status = ea.capture(mode, create.ea_buffer, create.ea_length, error_offset);
    if (!NT_SUCCESS(status)) return failed(create, mode, status, error_offset);
    OpenRequest open = open_request(create, ea, allocation);
    HANDLE handle = nullptr;
    status = ob::open_by_name(create.attributes, &file_type, mode, create.access, &open, &handle);
    if (!NT_SUCCESS(status)) return failed(create, mode, status, open.result.Information);
    return write_results(create, mode, handle, open.result);
}

namespace {

// The scope of a cancel: the requests of the current process on this file, all or the one with this status block.
struct CancelScope {
    PFILE_OBJECT file;
    PIO_STATUS_BLOCK status_block;
};

bool in_scope(PIRP irp, const void* context) noexcept {
    const auto& scope = *static_cast<const CancelScope*>(context);
    return irp->Tail.Overlay.OriginalFileObject == scope.file &&
           (scope.status_block == nullptr || irp->UserIosb == scope.status_block);
}

// A thread that cancels its own requests gets its buffers and status blocks back: NT looks every 10 ms, for as long as it takes.
void wait_for_end(ke::Thread& self, const CancelScope& scope) noexcept {
    LARGE_INTEGER pause;
    pause.QuadPart = -100'000;
    while (has_matching(self, in_scope, &scope)) KeDelayExecutionThread(KernelMode, FALSE, &pause);
}

NTSTATUS cancel_file(HANDLE handle, PIO_STATUS_BLOCK request, PIO_STATUS_BLOCK result, bool whole_process) noexcept {
    const KPROCESSOR_MODE mode = ke::current_thread()->previous_mode;
    if (mode != KernelMode) {
        const NTSTATUS status = ke::probe_user(result, sizeof *result, true);
        if (!NT_SUCCESS(status)) return status;
    }
    void* body = nullptr;
    const NTSTATUS status = ob::reference_by_handle(handle, 0, &file_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    const CancelScope scope{static_cast<PFILE_OBJECT>(body), request};
    ke::Thread& self = *ke::current_thread();
    const bool found =
        whole_process ? cancel_matching(*self.process, in_scope, &scope) : cancel_matching(self, in_scope, &scope);
    if (!whole_process) wait_for_end(self, scope);
    ob::dereference(body);
    const IO_STATUS_BLOCK block{{whole_process && !found ? STATUS_NOT_FOUND : STATUS_SUCCESS}, 0};
    if (!NT_SUCCESS(ke::copy_out(result, block, mode))) return STATUS_ACCESS_VIOLATION;
    return block.Status;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
                            ULONG EaLength) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateFile);
        return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                            ShareAccess, CreateDisposition, CreateOptions, EaBuffer, EaLength});
    });
}

NTSTATUS NTAPI ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
                            ULONG EaLength) {
    DIRQL_DOOR(ZwCreateFile);
    const ke::KernelModeCaller kernel;
    return NtCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, CreateDisposition, CreateOptions, EaBuffer, EaLength);
}

NTSTATUS NTAPI NtOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                          PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions) {
    DIRQL_CALLED(NtOpenFile);
    return NtCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, nullptr, 0, ShareAccess, FILE_OPEN,
                        OpenOptions, nullptr, 0);
}

NTSTATUS NTAPI ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                          PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions) {
    DIRQL_DOOR(ZwOpenFile);
    const ke::KernelModeCaller kernel;
    return NtOpenFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, ShareAccess, OpenOptions);
}

NTSTATUS NTAPI NtCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCancelIoFile);
        return cancel_file(FileHandle, nullptr, IoStatusBlock, false);
    });
}

NTSTATUS NTAPI NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel, PIO_STATUS_BLOCK IoStatusBlock) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCancelIoFileEx);
        return cancel_file(FileHandle, IoRequestToCancel, IoStatusBlock, true);
    });
}
}
