// NtReadFile and NtWriteFile.
//
// Where the transfer begins: the caller's offset; for a synchronous file without one, the file's own position, which the
// transfer moves; FILE_WRITE_TO_END_OF_FILE and FILE_USE_FILE_POINTER_POSITION as offsets of their own.
#include "diag/trace.hpp"
#include "io/fast_io.hpp"
#include "io/file.hpp"
#include "io/request.hpp"
#include "ke/exports/io.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

namespace dirql::io {
namespace {

struct Transfer {
    HANDLE file;
    HANDLE event;
    PIO_APC_ROUTINE apc_routine;
    PVOID apc_context;
    PIO_STATUS_BLOCK status_block;
    PVOID buffer;
    ULONG length;
    PLARGE_INTEGER offset;
    PULONG key;
    bool write;
};

constexpr LONGLONG special_offset(ULONG low) noexcept { return static_cast<LONGLONG>(0xFFFF'FFFF'0000'0000 | low); }

// STATUS_INVALID_PARAMETER: an asynchronous file needs an offset; a negative one means nothing.
NTSTATUS choose_offset(const FileRequest& request, const Transfer& transfer, LARGE_INTEGER& offset) noexcept {
    PFILE_OBJECT file = request.file();
    const bool own_position =
        transfer.offset == nullptr || offset.QuadPart == special_offset(FILE_USE_FILE_POINTER_POSITION);
    if (own_position) {
        if (is_synchronous(file)) {
            offset = file->CurrentByteOffset;
        } else if (transfer.offset != nullptr || (file->Flags & (FO_NAMED_PIPE | FO_MAILSLOT)) == 0) {
            return STATUS_INVALID_PARAMETER;
        } else {
            offset.QuadPart = 0;
        }
        return STATUS_SUCCESS;
    }
    if (offset.QuadPart >= 0) return STATUS_SUCCESS;
    return transfer.write && offset.QuadPart == special_offset(FILE_WRITE_TO_END_OF_FILE) ? STATUS_SUCCESS
                                                                                          : STATUS_INVALID_PARAMETER;
}

NTSTATUS make_buffers(FileRequest& request, const Transfer& transfer) noexcept {
    const ULONG flags = request.device()->Flags;
    if (transfer.length == 0 && (flags & (DO_BUFFERED_IO | DO_DIRECT_IO)) != 0) return STATUS_SUCCESS;
    if ((flags & DO_BUFFERED_IO) != 0) {
        return transfer.write
                   ? request.make_system_buffer(transfer.length, transfer.buffer, transfer.length, nullptr, 0)
                   : request.make_system_buffer(transfer.length, nullptr, 0, transfer.buffer, transfer.length);
    }
    if ((flags & DO_DIRECT_IO) != 0)
        return request.make_mdl(transfer.buffer, transfer.length, transfer.write ? IoReadAccess : IoWriteAccess);
    request.irp()->UserBuffer = transfer.buffer;
    return STATUS_SUCCESS;
}

// A bad buffer is the caller's error before any driver sees it.
NTSTATUS check_buffer(const FileRequest& request, const Transfer& transfer) noexcept {
    return request.mode() == KernelMode ? STATUS_SUCCESS
                                        : ke::probe_user(transfer.buffer, transfer.length, !transfer.write);
}

// Unbuffered, an application transfers whole sectors from where one begins, at addresses that the device can use.
NTSTATUS check_sectors(const FileRequest& request, const Transfer& transfer, const LARGE_INTEGER& offset) noexcept {
    if (request.mode() == KernelMode || (request.file()->Flags & FO_NO_INTERMEDIATE_BUFFERING) == 0)
        return STATUS_SUCCESS;
    const PDEVICE_OBJECT device = request.device();
    const ULONG within_sector = device->SectorSize == 0 ? 0 : device->SectorSize - 1u;
    const bool names_place = transfer.offset != nullptr && offset.QuadPart >= 0;
    const ULONG place = names_place ? offset.LowPart : 0;
    const auto address = reinterpret_cast<ULONG_PTR>(transfer.buffer);
    const bool aligned =
        ((transfer.length | place) & within_sector) == 0 && (address & device->AlignmentRequirement) == 0;
    return aligned ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

// A handle that may only append writes at the end, wherever it says.
bool appends_only(const FileRequest& request, const Transfer& transfer) noexcept {
    return transfer.write && (request.granted() & (FILE_WRITE_DATA | FILE_APPEND_DATA)) == FILE_APPEND_DATA;
}

// A cached file's transfer needs no IRP where its file system finds the data: then true, and *status is the answer.
[[gnu::cold, gnu::noinline]] bool transferred_fast(FileRequest& request, const Transfer& transfer, LARGE_INTEGER offset,
                                                   ULONG key, NTSTATUS* status) noexcept {
    if (!is_synchronous(request.file()) || transfer.apc_routine != nullptr) return false;
    if (*status = request.lock_file(); *status != STATUS_SUCCESS) return true;
    if (*status = choose_offset(request, transfer, offset); !NT_SUCCESS(*status)) return true;
    if (appends_only(request, transfer)) offset.QuadPart = special_offset(FILE_WRITE_TO_END_OF_FILE);
    PDEVICE_OBJECT device = request.device();
    const auto routine = transfer.write ? fast_routine_of<&FAST_IO_DISPATCH::FastIoWrite>(device)
                                        : fast_routine_of<&FAST_IO_DISPATCH::FastIoRead>(device);
    IO_STATUS_BLOCK result{};
    if (routine == nullptr || !call_fast_io(device, routine, request.file(), &offset, transfer.length,
                                            static_cast<BOOLEAN>(TRUE), key, transfer.buffer, &result, device))
        return false;
    if (result.Status != STATUS_SUCCESS && result.Status != STATUS_BUFFER_OVERFLOW &&
        result.Status != STATUS_END_OF_FILE)
        return false;
    *status = request.finish_fast(result, transfer.apc_context);
    return true;
}

// A write's rights are looked at later: either of two will do.
ACCESS_MASK access_for(const Transfer& transfer) noexcept { return transfer.write ? 0 : FILE_READ_DATA; }

NTSTATUS transfer_file(const Transfer& transfer) noexcept {
    FileRequest request;
    NTSTATUS status = request.begin(transfer.file, access_for(transfer), transfer.event, transfer.status_block);
    if (!NT_SUCCESS(status)) return status;
    if (transfer.write && request.mode() != KernelMode &&
        (request.granted() & (FILE_WRITE_DATA | FILE_APPEND_DATA)) == 0)
        return STATUS_ACCESS_DENIED;
    LARGE_INTEGER offset{};
    ULONG key = 0;
    if (status = ke::copy_in_if_given(offset, transfer.offset, request.mode()); !NT_SUCCESS(status)) return status;
    if (status = ke::copy_in_if_given(key, transfer.key, request.mode()); !NT_SUCCESS(status)) return status;
    if (status = check_buffer(request, transfer); !NT_SUCCESS(status)) return status;
    if (status = check_sectors(request, transfer, offset); !NT_SUCCESS(status)) return status;
    if (request.file()->PrivateCacheMap != nullptr && transferred_fast(request, transfer, offset, key, &status))
        return status;
    if (status = request.make_irp(transfer.write ? IRP_MJ_WRITE : IRP_MJ_READ); status != STATUS_SUCCESS) return status;
    if (status = choose_offset(request, transfer, offset); !NT_SUCCESS(status)) return status;
    if (appends_only(request, transfer)) offset.QuadPart = special_offset(FILE_WRITE_TO_END_OF_FILE);
    request.irp()->Flags |= transfer.write ? IRP_WRITE_OPERATION : IRP_READ_OPERATION;
    PIO_STACK_LOCATION next = request.next();
    static_assert(offsetof(IO_STACK_LOCATION, Parameters.Read.ByteOffset) ==
                  offsetof(IO_STACK_LOCATION, Parameters.Write.ByteOffset));
    next->Parameters.Read.Length = transfer.length;
    next->Parameters.Read.Key = key;
    next->Parameters.Read.ByteOffset = offset;
    if (transfer.write && (request.file()->Flags & FO_WRITE_THROUGH) != 0) next->Flags |= SL_WRITE_THROUGH;
    if (status = make_buffers(request, transfer); !NT_SUCCESS(status)) return status;
    if (status = request.set_apc(transfer.apc_routine, transfer.apc_context); !NT_SUCCESS(status)) return status;
    return request.send();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                          PULONG Key) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtReadFile);
        return transfer_file(
            {FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, ByteOffset, Key, false});
    });
}

NTSTATUS NTAPI NtWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                           PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                           PULONG Key) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtWriteFile);
        return transfer_file(
            {FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, ByteOffset, Key, true});
    });
}

NTSTATUS NTAPI ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                          PULONG Key) {
    DIRQL_DOOR(ZwReadFile);
    const ke::KernelModeCaller kernel;
    return NtReadFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, ByteOffset, Key);
}

NTSTATUS NTAPI ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                           PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset,
                           PULONG Key) {
    DIRQL_DOOR(ZwWriteFile);
    const ke::KernelModeCaller kernel;
    return NtWriteFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, Buffer, Length, ByteOffset, Key);
}
}
