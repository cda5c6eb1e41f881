// NtQueryDirectoryFile and NtNotifyChangeDirectoryFile.
#include "ex/pool.hpp"
#include "io/device_buffer.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG name_tag = 'nDoI';
constexpr ULONG notify_valid_mask = 0x0FFF; // FILE_NOTIFY_CHANGE_...

struct Listing {
    HANDLE file;
    HANDLE event;
    PIO_APC_ROUTINE apc_routine;
    PVOID apc_context;
    PIO_STATUS_BLOCK status_block;
    PVOID buffer;
    ULONG length;
};

// The least that an entry takes. 0: no class of directories.
ULONG least_length(FILE_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FileDirectoryInformation: return sizeof(FILE_DIRECTORY_INFORMATION);
    case FileFullDirectoryInformation: return sizeof(FILE_FULL_DIR_INFORMATION);
    case FileBothDirectoryInformation: return sizeof(FILE_BOTH_DIR_INFORMATION);
    case FileNamesInformation: return sizeof(FILE_NAMES_INFORMATION);
    case FileIdBothDirectoryInformation: return sizeof(FILE_ID_BOTH_DIR_INFORMATION);
    case FileIdFullDirectoryInformation: return sizeof(FILE_ID_FULL_DIR_INFORMATION);
    case FileObjectIdInformation: return 72; // FILE_OBJECTID_INFORMATION
    case FileQuotaInformation: return 56;    // FILE_QUOTA_INFORMATION, with the least SID
    case FileReparsePointInformation: return 16;
    case FileIdGlobalTxDirectoryInformation: return 96; // FILE_ID_GLOBAL_TX_DIR_INFORMATION
    case FileIdExtdDirectoryInformation: return 96;     // FILE_ID_EXTD_DIR_INFORMATION
    case FileIdExtdBothDirectoryInformation: return 120;
    default: return 0;
    }
}

// The pattern's string and its characters, in one block for the driver. Null without a pattern.
NTSTATUS capture_pattern(KPROCESSOR_MODE mode, const UNICODE_STRING* from, UNICODE_STRING*& pattern) noexcept {
    pattern = nullptr;
    if (from == nullptr) return STATUS_SUCCESS;
    const NTSTATUS status =
        ke::capture_string(from, mode, MAXUSHORT, STATUS_INVALID_PARAMETER, [&](USHORT bytes) -> void* {
            void* block = ex::allocate_pool(NonPagedPoolNx, sizeof *pattern + bytes, name_tag, ex::Fill::none);
            if (block == nullptr) return nullptr;
            pattern = static_cast<UNICODE_STRING*>(block);
            *pattern = {bytes, bytes, reinterpret_cast<PWSTR>(pattern + 1)};
            return pattern->Buffer;
        });
    if (NT_SUCCESS(status) || pattern == nullptr) return status;
    ex::free_pool(pattern, name_tag);
    pattern = nullptr;
    return status;
}

NTSTATUS check_buffer(KPROCESSOR_MODE mode, const Listing& listing) noexcept {
    if (mode == KernelMode) return STATUS_SUCCESS;
    return ke::probe_user(listing.buffer, listing.length, true, sizeof(ULONG));
}

// An IRP of the directory, all but its parameters.
NTSTATUS begin(FileRequest& request, const Listing& listing, UCHAR minor) noexcept {
    NTSTATUS status = request.begin(listing.file, FILE_LIST_DIRECTORY, listing.event, listing.status_block);
    if (!NT_SUCCESS(status)) return status;
    if (status = check_buffer(request.mode(), listing); !NT_SUCCESS(status)) return status;
    if (status = request.make_irp(IRP_MJ_DIRECTORY_CONTROL); status != STATUS_SUCCESS) return status;
    request.next()->MinorFunction = minor;
    if (status = request.set_apc(listing.apc_routine, listing.apc_context); !NT_SUCCESS(status)) return status;
    return make_device_buffer(request, listing.buffer, listing.length, Direction::to_caller);
}

NTSTATUS query_directory(const Listing& listing, FILE_INFORMATION_CLASS which, UCHAR flags,
                         const UNICODE_STRING* name) noexcept {
    const ULONG least = least_length(which);
    if (least == 0) return STATUS_INVALID_INFO_CLASS;
    if (listing.length < least) return STATUS_INFO_LENGTH_MISMATCH;
    FileRequest request;
    NTSTATUS status = begin(request, listing, IRP_MN_QUERY_DIRECTORY);
    if (status != STATUS_SUCCESS) return status;
    UNICODE_STRING* pattern = nullptr;
    if (status = capture_pattern(request.mode(), name, pattern); !NT_SUCCESS(status)) return status;
    if (pattern != nullptr) request.set_auxiliary_buffer(pattern);
    auto& parameters = request.next()->Parameters.QueryDirectory;
    parameters.Length = listing.length;
    parameters.FileInformationClass = which;
    parameters.FileName = pattern;
    request.next()->Flags = flags;
    return request.send();
}

NTSTATUS notify_change(const Listing& listing, ULONG filter, bool tree) noexcept {
    if (filter == 0 || (filter & ~notify_valid_mask) != 0) return STATUS_INVALID_PARAMETER;
    FileRequest request;
    const NTSTATUS status = begin(request, listing, IRP_MN_NOTIFY_CHANGE_DIRECTORY);
    if (status != STATUS_SUCCESS) return status;
    request.next()->Parameters.NotifyDirectory.Length = listing.length;
    request.next()->Parameters.NotifyDirectory.CompletionFilter = filter;
    if (tree) request.next()->Flags = SL_WATCH_TREE;
    return request.send();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                    FILE_INFORMATION_CLASS FileInformationClass, BOOLEAN ReturnSingleEntry,
                                    PUNICODE_STRING FileName, BOOLEAN RestartScan) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryDirectoryFile);
        const auto flags =
            static_cast<UCHAR>((RestartScan ? SL_RESTART_SCAN : 0) | (ReturnSingleEntry ? SL_RETURN_SINGLE_ENTRY : 0));
        return query_directory({FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FileInformation, Length},
                               FileInformationClass, flags, FileName);
    });
}

NTSTATUS NTAPI ZwQueryDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                    PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                    FILE_INFORMATION_CLASS FileInformationClass, BOOLEAN ReturnSingleEntry,
                                    PUNICODE_STRING FileName, BOOLEAN RestartScan) {
    DIRQL_DOOR(ZwQueryDirectoryFile);
    const ke::KernelModeCaller kernel;
    return NtQueryDirectoryFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FileInformation, Length,
                                FileInformationClass, ReturnSingleEntry, FileName, RestartScan);
}

NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine,
                                           PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                           ULONG CompletionFilter, BOOLEAN WatchTree) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtNotifyChangeDirectoryFile);
        return notify_change({FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length},
                             CompletionFilter, WatchTree != FALSE);
    });
}

NTSTATUS NTAPI ZwNotifyChangeDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine,
                                           PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                           ULONG CompletionFilter, BOOLEAN WatchTree) {
    DIRQL_DOOR(ZwNotifyChangeDirectoryFile);
    const ke::KernelModeCaller kernel;
    return NtNotifyChangeDirectoryFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length,
                                       CompletionFilter, WatchTree);
}
}
