// NtLockFile, NtUnlockFile and NtFlushBuffersFile.
#include "io/api_request.hpp"
#include "io/fast_io.hpp"
#include "io/irp.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

struct Range {
    LARGE_INTEGER offset;
    LARGE_INTEGER length;
    ULONG key;
};

NTSTATUS capture(KPROCESSOR_MODE mode, const LARGE_INTEGER* offset, const LARGE_INTEGER* length,
                 Range& range) noexcept {
    const bool good =
        NT_SUCCESS(ke::copy_in(range.offset, offset, mode)) && NT_SUCCESS(ke::copy_in(range.length, length, mode));
    return good ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

// Any right of these will do.
bool lacks(const FileRequest& request, ACCESS_MASK any) noexcept {
    return request.mode() != KernelMode && (request.granted() & any) == 0;
}

constexpr ACCESS_MASK transfers = FILE_READ_DATA | FILE_WRITE_DATA;

PEPROCESS current_process() noexcept { return ps::as_eprocess(ke::current_thread()->process); }

// A lock request has no buffers: the range's length is kept where another's output length is, as long as the IRP lives.
void describe(PIRP irp, PIO_STACK_LOCATION next, UCHAR minor, const Range& range) noexcept {
    IrpPrefix& prefix = *prefix_of(irp);
    prefix.output_size = static_cast<std::uint64_t>(range.length.QuadPart);
    next->MinorFunction = minor;
    next->Parameters.LockControl.Length = reinterpret_cast<PLARGE_INTEGER>(&prefix.output_size);
    next->Parameters.LockControl.Key = range.key;
    next->Parameters.LockControl.ByteOffset = range.offset;
}

struct Lock {
    HANDLE file;
    HANDLE event;
    PIO_APC_ROUTINE apc_routine;
    PVOID apc_context;
    PIO_STATUS_BLOCK status_block;
    bool fail_immediately;
    bool exclusive;
};

bool locked_fast(FileRequest& request, const Lock& lock, Range range, IO_STATUS_BLOCK& result) noexcept {
    const auto routine = fast_routine_of<&FAST_IO_DISPATCH::FastIoLock>(request.device());
    return routine != nullptr && call_fast_io(request.device(), routine, request.file(), &range.offset, &range.length,
                                              current_process(), range.key, static_cast<BOOLEAN>(lock.fail_immediately),
                                              static_cast<BOOLEAN>(lock.exclusive), &result, request.device());
}

NTSTATUS lock_file(const Lock& lock, const LARGE_INTEGER* offset, const LARGE_INTEGER* length, ULONG key) noexcept {
    FileRequest request;
    NTSTATUS status = request.begin(lock.file, 0, lock.event, lock.status_block);
    if (!NT_SUCCESS(status)) return status;
    if (lacks(request, transfers)) return STATUS_ACCESS_DENIED;
    Range range{{}, {}, key};
    if (status = capture(request.mode(), offset, length, range); !NT_SUCCESS(status)) return status;
    if (status = request.lock_file(); status != STATUS_SUCCESS) return status;
    request.file()->LockOperation = TRUE;
    IO_STATUS_BLOCK result{};
    if (lock.apc_routine == nullptr && locked_fast(request, lock, range, result))
        return request.finish_fast(result, lock.apc_context);
    if (status = request.make_irp(IRP_MJ_LOCK_CONTROL); status != STATUS_SUCCESS) return status;
    if (status = request.set_apc(lock.apc_routine, lock.apc_context); !NT_SUCCESS(status)) return status;
    describe(request.irp(), request.next(), IRP_MN_LOCK, range);
    request.next()->Flags = static_cast<UCHAR>((lock.fail_immediately ? SL_FAIL_IMMEDIATELY : 0) |
                                               (lock.exclusive ? SL_EXCLUSIVE_LOCK : 0));
    return request.send();
}

bool unlocked_fast(ApiRequest& request, Range range, IO_STATUS_BLOCK& result) noexcept {
    const auto routine = fast_routine_of<&FAST_IO_DISPATCH::FastIoUnlockSingle>(request.device());
    return routine != nullptr && call_fast_io(request.device(), routine, request.file(), &range.offset, &range.length,
                                              current_process(), range.key, &result, request.device());
}

NTSTATUS unlock_file(HANDLE file, PIO_STATUS_BLOCK block, const LARGE_INTEGER* offset, const LARGE_INTEGER* length,
                     ULONG key) noexcept {
    ApiRequest request;
    NTSTATUS status = request.begin(file, 0, block);
    if (!NT_SUCCESS(status)) return status;
    if (lacks(request, transfers)) return STATUS_ACCESS_DENIED;
    Range range{{}, {}, key};
    if (status = capture(request.mode(), offset, length, range); !NT_SUCCESS(status)) return status;
    if (status = request.lock_file(); status != STATUS_SUCCESS) return status;
    IO_STATUS_BLOCK result{};
    if (unlocked_fast(request, range, result)) return request.answer(result.Status, result.Information);
    if (status = request.make_irp(IRP_MJ_LOCK_CONTROL); status != STATUS_SUCCESS) return status;
    describe(request.irp(), request.next(), IRP_MN_UNLOCK_SINGLE, range);
    return request.send();
}

NTSTATUS flush_file(HANDLE file, PIO_STATUS_BLOCK block) noexcept {
    ApiRequest request;
    NTSTATUS status = request.begin(file, 0, block);
    if (!NT_SUCCESS(status)) return status;
    if (lacks(request, FILE_WRITE_DATA | FILE_APPEND_DATA)) return STATUS_ACCESS_DENIED;
    status = request.make_irp(IRP_MJ_FLUSH_BUFFERS);
    return status == STATUS_SUCCESS ? request.send() : status;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtLockFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length, ULONG Key,
                          BOOLEAN FailImmediately, BOOLEAN ExclusiveLock) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtLockFile);
        return lock_file({FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FailImmediately != FALSE,
                          ExclusiveLock != FALSE},
                         ByteOffset, Length, Key);
    });
}

NTSTATUS NTAPI ZwLockFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                          PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length, ULONG Key,
                          BOOLEAN FailImmediately, BOOLEAN ExclusiveLock) {
    DIRQL_DOOR(ZwLockFile);
    const ke::KernelModeCaller kernel;
    return NtLockFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, ByteOffset, Length, Key,
                      FailImmediately, ExclusiveLock);
}

NTSTATUS NTAPI NtUnlockFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset,
                            PLARGE_INTEGER Length, ULONG Key) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtUnlockFile);
        return unlock_file(FileHandle, IoStatusBlock, ByteOffset, Length, Key);
    });
}

NTSTATUS NTAPI ZwUnlockFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER ByteOffset,
                            PLARGE_INTEGER Length, ULONG Key) {
    DIRQL_DOOR(ZwUnlockFile);
    const ke::KernelModeCaller kernel;
    return NtUnlockFile(FileHandle, IoStatusBlock, ByteOffset, Length, Key);
}

NTSTATUS NTAPI NtFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtFlushBuffersFile);
        return flush_file(FileHandle, IoStatusBlock);
    });
}

NTSTATUS NTAPI ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(ZwFlushBuffersFile);
    const ke::KernelModeCaller kernel;
    return NtFlushBuffersFile(FileHandle, IoStatusBlock);
}
}
