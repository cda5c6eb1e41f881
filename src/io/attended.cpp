#include "io/attended.hpp"

#include "ex/pool.hpp"
#include "io/completion_port.hpp"
#include "ke/apc.hpp"
#include "ke/wait.hpp"

namespace dirql::io {
namespace {

constexpr KPRIORITY apc_boost = 2;

PIRP irp_of(PKAPC apc) noexcept { return CONTAINING_RECORD(apc, IRP, Tail.Apc); }

void NTAPI apc_delivered(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) { free_irp(irp_of(apc)); }
void NTAPI apc_run_down(PKAPC apc) { free_irp(irp_of(apc)); }

// IO_APC_ROUTINE(context, status block, reserved): of an application in user mode, of a driver as a normal kernel APC.
void queue_apc(PIRP irp, ke::Thread& thread) noexcept {
    const auto& parameters = irp->Overlay.AsynchronousParameters;
    const auto routine = reinterpret_cast<ke::NormalRoutine>(reinterpret_cast<void*>(parameters.UserApcRoutine));
    void* const context = parameters.UserApcContext;
    void* const block = irp->UserIosb;
    const KPROCESSOR_MODE mode = irp->RequestorMode;
    KAPC& apc = irp->Tail.Apc; // lies over what the drivers used, no longer needed
    ke::initialize_apc(apc, thread, apc_delivered, apc_run_down, routine, mode, context);
    if (!ke::insert_apc(apc, block, nullptr, apc_boost)) free_irp(irp);
}

// What the issuer of an asynchronous request waits for, its file's event, is left alone where it said so.
void signal(PIRP irp, PFILE_OBJECT file) noexcept {
    const bool synchronous = (file->Flags & FO_SYNCHRONOUS_IO) != 0;
    PKEVENT event = irp->UserEvent;
    const bool given = event != &file->Event;
    if (given) KeSetEvent(event, 0, FALSE);
    if (synchronous || (!given && (file->Flags & FO_SKIP_SET_EVENT) == 0)) signal_file(file, irp->IoStatus.Status);
    if (given && (irp->Flags & IRP_SYNCHRONOUS_API) == 0) ob::dereference(event);
}

// A success that the service itself has returned is no news for those who asked not to be told twice.
bool wants_packet(PIRP irp, PFILE_OBJECT file) noexcept {
    if (file->CompletionContext == nullptr || irp->Overlay.AsynchronousParameters.UserApcContext == nullptr)
        return false;
    return irp->PendingReturned || (file->Flags & FO_SKIP_COMPLETION_PORT) == 0;
}

} // namespace

void free_auxiliary_buffer(PIRP irp) noexcept {
    void*& buffer = prefix_of(irp)->auxiliary;
    if (buffer != nullptr) ex::free_pool(buffer, 0);
    buffer = nullptr;
}

// In the issuing thread, at APC_LEVEL. The port is referenced by the file, and the file until the packet lies there.
bool finish_attended(PIRP irp, PFILE_OBJECT file) noexcept {
    free_auxiliary_buffer(irp);
    signal(irp, file);
    ke::Thread& thread = *ke::current_thread();
    dequeue_from_thread(irp);
    if (irp->Overlay.AsynchronousParameters.UserApcRoutine != nullptr) {
        queue_apc(irp, thread);
    } else if (wants_packet(irp, file)) {
        queue_irp_packet(irp, *file->CompletionContext);
    } else {
        free_irp(irp);
    }
    ke::reschedule_if_asked();
    ob::dereference(file);
    return true;
}

} // namespace dirql::io
