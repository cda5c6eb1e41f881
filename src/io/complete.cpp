// Completing an IRP: the way back up through the drivers, then to the issuer.
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/associated.hpp"
#include "io/attended.hpp"
#include "io/call_driver.hpp"
#include "io/irp.hpp"
#include "io/left_requests.hpp"
#include "io/state.hpp"
#include "ke/apc.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "mm/mdl.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

constexpr const char* completion_document = "IofCompleteRequest function (wdm.h)";

[[noreturn, gnu::cold]] void bad_completion(PIRP irp) noexcept {
    if (irp->Type != IO_TYPE_IRP || irp->CurrentLocation > irp->StackCount + 1) {
        ke::bug_check(MULTIPLE_IRP_COMPLETE_REQUESTS, ke::parameter(irp), 0, 0, 0,
                      {.rule = "an IRP was completed that has been completed already",
                       .document = completion_document,
                       .irp = irp});
    }
    if (irp->CancelRoutine != nullptr) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x07, reinterpret_cast<std::uint64_t>(irp->CancelRoutine),
                      ke::parameter(irp), 0,
                      {.rule = "an IRP was completed with its cancel routine still set",
                       .document = completion_document,
                       .irp = irp});
    }
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x06, static_cast<std::uint32_t>(irp->IoStatus.Status),
                  ke::parameter(irp), 0,
                  {.rule = "an IRP was completed with STATUS_PENDING or with no status",
                   .document = completion_document,
                   .irp = irp});
}

bool completable(PIRP irp) noexcept {
    return irp->Type == IO_TYPE_IRP && irp->CurrentLocation <= irp->StackCount + 1 && irp->CancelRoutine == nullptr &&
           irp->IoStatus.Status != STATUS_PENDING && irp->IoStatus.Status != -1;
}

bool wants_completion(PIRP irp, UCHAR control) noexcept {
    if (NT_SUCCESS(irp->IoStatus.Status) ? (control & SL_INVOKE_ON_SUCCESS) != 0 : (control & SL_INVOKE_ON_ERROR) != 0)
        return true;
    return irp->Cancel && (control & SL_INVOKE_ON_CANCEL) != 0;
}

// What a location says is the business of its own driver only.
void clear_location(PIO_STACK_LOCATION location) noexcept {
    location->MinorFunction = 0;
    location->Flags = 0;
    location->Control = 0;
    location->Parameters.Others.Argument1 = nullptr;
    location->Parameters.Others.Argument2 = nullptr;
    location->Parameters.Others.Argument3 = nullptr;
    location->Parameters.Others.Argument4 = nullptr;
    location->FileObject = nullptr;
}

inline NTSTATUS call_completion_routine(ke::Processor*& processor, PIRP irp, PIO_COMPLETION_ROUTINE routine,
                                        void* context) noexcept {
    const bool issuer =
        irp->CurrentLocation == irp->StackCount + 1; // set by who allocated the IRP: no location of its own
    PDEVICE_OBJECT device = issuer ? nullptr : irp->Tail.Overlay.CurrentStackLocation->DeviceObject;
    DIRQL_TRACE_ON(processor, irp_completion, .irp = irp, .object = device,
                   .routine = reinterpret_cast<const void*>(routine), .status = irp->IoStatus.Status);
    const NTSTATUS status = ke::checked_callout(
        processor, {ke::CalloutKind::completion, reinterpret_cast<const void*>(routine), device, irp}, routine, device,
        irp, context);
    DIRQL_TRACE_ON(processor, irp_completion_return, .object = device, .status = status);
    return status;
}

// The issuer has no location to mark.
bool marked_pending(PIRP irp) noexcept {
    return irp->CurrentLocation > irp->StackCount ||
           (irp->Tail.Overlay.CurrentStackLocation->Control & SL_PENDING_RETURNED) != 0;
}

[[noreturn, gnu::cold]] void mark_forgotten(PIRP irp, PIO_COMPLETION_ROUTINE routine) noexcept {
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x228, reinterpret_cast<std::uint64_t>(routine),
                  ke::parameter(irp), 0,
                  {.rule = "a completion routine let a pended IRP go on without calling IoMarkIrpPending",
                   .document = "IO_COMPLETION_ROUTINE callback function (wdm.h)",
                   .irp = irp});
}

// Climbs one location. False when a completion routine has taken the IRP back.
bool climb(ke::Processor*& processor, PIRP irp, IrpPrefix* prefix) noexcept {
    PIO_STACK_LOCATION location = irp->Tail.Overlay.CurrentStackLocation++;
    ++irp->CurrentLocation;
    const UCHAR control = location->Control;
    irp->PendingReturned = (control & SL_PENDING_RETURNED) != 0;
    if (prefix != nullptr) note_completed(*prefix, location);
    if (wants_completion(irp, control)) {
        const PIO_COMPLETION_ROUTINE routine = location->CompletionRoutine;
        void* const context = location->Context;
        const bool pending = irp->PendingReturned != FALSE;
        clear_location(location);
        if (call_completion_routine(processor, irp, routine, context) == STATUS_MORE_PROCESSING_REQUIRED) return false;
        if (pending && !marked_pending(irp)) [[unlikely]]
            mark_forgotten(irp, routine);
        return true;
    }
    if (irp->PendingReturned && irp->CurrentLocation <= irp->StackCount) IoMarkIrpPending(irp);
    clear_location(location);
    return true;
}

void unlock_pages(PIRP irp) noexcept {
    for (PMDL mdl = irp->MdlAddress; mdl != nullptr; mdl = mdl->Next) mm::unlock_pages(mdl);
}

// Paging and close requests have no thread to tell: their issuer waits on an event in its own frame.
void finish_close_request(PIRP irp) noexcept {
    *irp->UserIosb = irp->IoStatus;
    PKEVENT event = irp->UserEvent;
    free_irp(irp);
    KeSetEvent(event, 0, FALSE);
}

void NTAPI completion_apc(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID* argument1, PVOID*) {
    finish_request(CONTAINING_RECORD(apc, IRP, Tail.Apc), static_cast<PFILE_OBJECT>(*argument1));
}

void NTAPI rundown_apc(PKAPC apc) {
    drop_request(CONTAINING_RECORD(apc, IRP, Tail.Apc), static_cast<PFILE_OBJECT>(apc->SystemArgument1));
}

// As NT's free build ends it, when it queues the last stage to a thread that there is not.
[[noreturn, gnu::cold]] void nobody_to_tell(PIRP irp) noexcept {
    ke::bug_check(IRQL_NOT_LESS_OR_EQUAL, 0, DISPATCH_LEVEL, 0, reinterpret_cast<std::uint64_t>(&IofCompleteRequest),
                  {.rule = "an IRP of IoAllocateIrp went all the way up: a completion routine must keep it, with "
                           "STATUS_MORE_PROCESSING_REQUIRED",
                   .document = "IoAllocateIrp function (wdm.h)",
                   .irp = irp});
}

void queue_completion(PIRP irp, CCHAR boost) noexcept {
    PFILE_OBJECT file = irp->Tail.Overlay.OriginalFileObject;
    if (irp->Tail.Overlay.Thread == nullptr) [[unlikely]] {
        if (irp->Cancel == FALSE) nobody_to_tell(irp);
        return drop_request(irp, file);
    }
    ke::Thread& thread = thread_of(irp);
    KAPC& apc = irp->Tail.Apc;
    ke::initialize_apc(apc, thread, completion_apc, rundown_apc, nullptr, KernelMode, nullptr);
    if (!ke::insert_apc(apc, file, nullptr, boost)) [[unlikely]]
        finish_left_request(irp, thread, file, boost);
    ke::reschedule_if_asked();
}

[[noreturn, gnu::cold]] void too_much_information(PIRP irp) noexcept {
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x312, 0, ke::parameter(irp), 0,
                  {.rule = "an IRP was completed with an Information beyond its output buffer: more would be copied "
                           "back than there is",
                   .document = completion_document,
                   .irp = irp});
}

bool fits(PIRP irp, const IrpPrefix* prefix) noexcept {
    if ((irp->Flags & IRP_INPUT_OPERATION) == 0 || prefix == nullptr || prefix->output_size == 0 ||
        NT_ERROR(irp->IoStatus.Status))
        return true;
    return irp->IoStatus.Information <= prefix->output_size;
}

// All drivers are done with it.
void after_drivers(PIRP irp, const IrpPrefix* prefix, CCHAR boost) noexcept {
    if (!fits(irp, prefix)) [[unlikely]]
        too_much_information(irp);
    if ((irp->Flags & IRP_ASSOCIATED_IRP) != 0) return finish_associated(irp, boost);
    if ((irp->Flags & (IRP_PAGING_IO | IRP_CLOSE_OPERATION)) != 0) return finish_close_request(irp);
    if (irp->MdlAddress != nullptr) unlock_pages(irp);
    // Its service is about to see the status on its own way back: no APC is needed.
    if ((irp->Flags & IRP_DEFER_IO_COMPLETION) != 0 && !irp->PendingReturned) return;
    queue_completion(irp, boost);
}

} // namespace

namespace {

inline void complete(ke::Processor* processor, PIRP irp, CCHAR boost) noexcept {
    if (!completable(irp)) [[unlikely]]
        bad_completion(irp);
    DIRQL_TRACE_ON(processor, irp_complete, .irp = irp, .status = irp->IoStatus.Status,
                   .value = irp->IoStatus.Information);
    IrpPrefix* const prefix = prefix_of(irp);
    while (irp->CurrentLocation <= irp->StackCount) {
        if (!climb(processor, irp, prefix)) return;
    }
    ++irp->CurrentLocation; // completed: once more is an error
    after_drivers(irp, prefix, boost);
}

} // namespace

void complete_request(PIRP irp, CCHAR boost) noexcept { complete(ke::current_processor(), irp, boost); }

} // namespace dirql::io

extern "C" VOID FASTCALL IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost) {
    dirql::ke::Processor* const processor = DIRQL_DOOR_OF(IofCompleteRequest, Irp);
    dirql::io::complete(processor, Irp, PriorityBoost);
}
