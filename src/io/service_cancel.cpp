// NtCancelSynchronousIoFile, and the Zw forms of the services that cancel.
#include "io/cancel.hpp"
#include "io/file.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

// What a thread waits for in a service: a request on a synchronous file, or of a service that is synchronous itself.
bool is_waited_for(PIRP irp, const void* status_block) noexcept {
    PFILE_OBJECT file = irp->Tail.Overlay.OriginalFileObject;
    const bool synchronous = (irp->Flags & IRP_SYNCHRONOUS_API) != 0 || (file != nullptr && is_synchronous(file));
    return synchronous && (status_block == nullptr || irp->UserIosb == status_block);
}

// It does not wait for the thread's requests to end.
NTSTATUS cancel_synchronous(HANDLE thread, PIO_STATUS_BLOCK request, PIO_STATUS_BLOCK result) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(result, mode);
    if (!NT_SUCCESS(status)) return status;
    void* body = nullptr;
    status = ob::reference_by_handle(thread, THREAD_TERMINATE, &ps::thread_type, mode, &body);
    if (!NT_SUCCESS(status)) return status;
    const bool found = cancel_matching(*static_cast<ke::Thread*>(body), is_waited_for, request);
    ob::dereference(body);
    const IO_STATUS_BLOCK block{{found ? STATUS_SUCCESS : STATUS_NOT_FOUND}, 0};
    status = ke::copy_out(result, block, mode);
    return NT_SUCCESS(status) ? block.Status : status;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtCancelSynchronousIoFile(HANDLE ThreadHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                         PIO_STATUS_BLOCK IoStatusBlock) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCancelSynchronousIoFile);
        return cancel_synchronous(ThreadHandle, IoRequestToCancel, IoStatusBlock);
    });
}

NTSTATUS NTAPI ZwCancelSynchronousIoFile(HANDLE ThreadHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                         PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(ZwCancelSynchronousIoFile);
    const ke::KernelModeCaller kernel;
    return NtCancelSynchronousIoFile(ThreadHandle, IoRequestToCancel, IoStatusBlock);
}

NTSTATUS NTAPI ZwCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(ZwCancelIoFile);
    const ke::KernelModeCaller kernel;
    return NtCancelIoFile(FileHandle, IoStatusBlock);
}

NTSTATUS NTAPI ZwCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel, PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(ZwCancelIoFileEx);
    const ke::KernelModeCaller kernel;
    return NtCancelIoFileEx(FileHandle, IoRequestToCancel, IoStatusBlock);
}
}
