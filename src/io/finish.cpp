// The last stage of a request: in its issuer's context, what the drivers left becomes what the issuer sees.
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/attended.hpp"
#include "io/irp.hpp"
#include "ke/user_memory.hpp"
#include "mm/mdl.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

bool synchronous(PIRP irp, PFILE_OBJECT file) noexcept {
    return (file != nullptr && (file->Flags & FO_SYNCHRONOUS_IO) != 0) || (irp->Flags & IRP_SYNCHRONOUS_API) != 0;
}

void copy_system_buffer_back(PIRP irp) noexcept {
    const NTSTATUS status = irp->IoStatus.Status;
    if ((irp->Flags & IRP_INPUT_OPERATION) == 0 || status == STATUS_VERIFY_REQUIRED || NT_ERROR(status) ||
        irp->IoStatus.Information == 0)
        return;
    if (!NT_SUCCESS(ke::copy_bytes_out(irp->UserBuffer, irp->AssociatedIrp.SystemBuffer, irp->IoStatus.Information,
                                       irp->RequestorMode)))
        irp->IoStatus.Status = STATUS_ACCESS_VIOLATION;
}

void release_buffers(PIRP irp) noexcept {
    if ((irp->Flags & IRP_BUFFERED_IO) != 0) {
        copy_system_buffer_back(irp);
        if ((irp->Flags & IRP_DEALLOCATE_BUFFER) != 0) ex::free_pool(irp->AssociatedIrp.SystemBuffer, 0);
        irp->Flags &= ~static_cast<ULONG>(IRP_DEALLOCATE_BUFFER | IRP_BUFFERED_IO);
    }
    while (PMDL mdl = irp->MdlAddress) {
        irp->MdlAddress = mdl->Next;
        mm::free_mdl(mdl);
    }
}

// That of an open, or of a service that waits for its request, is the I/O manager's own: the caller's is written by the service.
void write_status_block(PIRP irp) noexcept {
    const KPROCESSOR_MODE mode = (irp->Flags & (IRP_CREATE_OPERATION | IRP_SYNCHRONOUS_API)) != 0
                                     ? static_cast<KPROCESSOR_MODE>(KernelMode)
                                     : irp->RequestorMode;
    PIO_STATUS_BLOCK const block = irp->UserIosb;
    if (block == nullptr || (mode != KernelMode && !ke::in_user_range(block, sizeof *block))) return;
    (void)ke::write_status_guarded(block, irp->IoStatus.Status, irp->IoStatus.Information);
}

// Success, or an error that comes after STATUS_PENDING was returned: the issuer looks at its status block and its event.
// True: an APC or a completion port has the IRP now, and all is done.
bool tell_issuer(PIRP irp, PFILE_OBJECT file) noexcept {
    const NTSTATUS status = irp->IoStatus.Status;
    write_status_block(irp);
    PKEVENT event = irp->UserEvent;
    if (event != nullptr) {
        if (is_attended(irp)) [[unlikely]]
            return finish_attended(irp, file);
        KeSetEvent(event, 0, FALSE);
        if (file == nullptr) return false;
        if ((file->Flags & FO_SYNCHRONOUS_IO) != 0) signal_file(file, status);
        if ((irp->Flags & IRP_SYNCHRONOUS_API) == 0) ob::dereference(event);
    } else if (file != nullptr) {
        signal_file(file, status);
    }
    return false;
}

// An error that the service itself returns. Who waits in the service is told; the status block stays as it is.
void tell_service(PIRP irp, PFILE_OBJECT file) noexcept {
    PKEVENT event = irp->UserEvent;
    if (irp->PendingReturned) {
        if ((irp->Flags & IRP_SYNCHRONOUS_API) != 0) {
            write_status_block(irp);
            if (event != nullptr) {
                KeSetEvent(event, 0, FALSE);
            } else if (file != nullptr) {
                KeSetEvent(&file->Event, 0, FALSE);
            }
        } else if (file != nullptr) {
            signal_file(file, irp->IoStatus.Status);
        }
    }
    if (file != nullptr && event != nullptr) release_event(irp, file);
}

} // namespace

void finish_request(PIRP irp, PFILE_OBJECT file) noexcept {
    DIRQL_TRACE(irp_finished, .irp = irp, .status = irp->IoStatus.Status, .value = irp->IoStatus.Information);
    if ((irp->Flags & IRP_BUFFERED_IO) != 0 || irp->MdlAddress != nullptr) release_buffers(irp);
    const NTSTATUS status = irp->IoStatus.Status;
    if (!NT_ERROR(status) || (irp->PendingReturned && !synchronous(irp, file))) {
        if (tell_issuer(irp, file)) return;
    } else {
        tell_service(irp, file);
    }
    dequeue_from_thread(irp);
    free_irp(irp);
    if (file != nullptr) ob::dereference(file);
}

} // namespace dirql::io
