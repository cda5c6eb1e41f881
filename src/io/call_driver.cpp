#include "io/call_driver.hpp"

#include "diag/names.hpp"
#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/stop.hpp"

namespace dirql::io {
namespace {

constexpr const char* call_document = "IofCallDriver function (wdm.h)";
constexpr const char* pending_document = "DRIVER_DISPATCH callback function (wdm.h)";

[[noreturn, gnu::cold]] void bad_call(PDEVICE_OBJECT device, PIRP irp) noexcept {
    if (irp->Type != IO_TYPE_IRP) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x03, ke::parameter(irp), 0, 0,
                      {.rule = "IoCallDriver was given something that is not an IRP", .document = call_document});
    }
    if (irp->CurrentLocation <= 1) {
        ke::bug_check(NO_MORE_IRP_STACK_LOCATIONS, ke::parameter(irp), 0, 0, 0,
                      {.rule = "an IRP was passed down and has no stack location left",
                       .document = call_document,
                       .irp = irp,
                       .device = device});
    }
    if (device->Type == IO_TYPE_DEVICE) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x203, reinterpret_cast<std::uint64_t>(irp->CancelRoutine),
                      ke::parameter(irp), 0,
                      {.rule = "an IRP was passed down with its cancel routine still set",
                       .document = call_document,
                       .irp = irp,
                       .device = device});
    }
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x04, ke::parameter(device), 0, 0,
                  {.rule = "IoCallDriver was given something that is not a device object",
                   .document = call_document,
                   .irp = irp});
}

// STATUS_PENDING is returned if and only if the location was marked pending.
[[noreturn, gnu::cold]] void pending_mismatch(const void* routine, PIRP irp, NTSTATUS status) noexcept {
    const bool returned = status == STATUS_PENDING;
    ke::bug_check(
        DRIVER_VERIFIER_IOMANAGER_VIOLATION, returned ? 0x23D : 0x23E, reinterpret_cast<std::uint64_t>(routine),
        ke::parameter(irp), static_cast<std::uint32_t>(status),
        {.rule = returned ? "a dispatch routine returned STATUS_PENDING without having marked the IRP pending"
                          : "a dispatch routine marked the IRP pending and returned another status than STATUS_PENDING",
         .document = pending_document,
         .irp = irp});
}

[[noreturn, gnu::cold]] void illegal_status(const void* routine, PIRP irp, NTSTATUS status) noexcept {
    ke::bug_check(
        DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x225, reinterpret_cast<std::uint64_t>(routine), ke::parameter(irp),
        static_cast<std::uint32_t>(status),
        {.rule = "a dispatch routine returned 0xFFFFFFFF, which is no status: an uninitialised variable, most likely",
         .document = pending_document,
         .irp = irp});
}

// Nobody has completed the location, nor will: not even a STATUS_PENDING was returned. Both the request and its issuer are lost.
[[noreturn, gnu::cold]] void not_completed(const void* routine, PIRP irp, NTSTATUS status) noexcept {
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x226, reinterpret_cast<std::uint64_t>(routine),
                  ke::parameter(irp), static_cast<std::uint32_t>(status),
                  {.rule = "a dispatch routine neither completed its IRP nor returned STATUS_PENDING",
                   .document = pending_document,
                   .irp = irp});
}

// The call is over. Was the location marked? Its IRP is only read when nobody has completed that location.
bool was_marked(const CallFrame& frame) noexcept {
    return frame.completed ? frame.marked : (frame.location->Control & SL_PENDING_RETURNED) != 0;
}

// Returning the STATUS_PENDING of a lower driver that still has the IRP is right without a mark: the completion routine
// sets it when its time comes, which is checked there.
bool still_below(const CallFrame& frame, PIRP irp) noexcept {
    return !frame.completed && irp->Tail.Overlay.CurrentStackLocation < frame.location;
}

// Calls of other threads may stand before this one: who pends an IRP may have it sent on by a thread of his own.
void unlink(const CallFrame& frame) noexcept {
    CallFrame** link = &frame.prefix->frame;
    while (*link != nullptr && *link != &frame) link = &(*link)->outer;
    if (*link != nullptr) *link = frame.outer;
}

// STATUS_PENDING goes with the mark, and only with it; any other status means that the location has been completed.
void check_return(const void* routine, const CallFrame& frame, PIRP irp, NTSTATUS status) noexcept {
    const bool marked = was_marked(frame);
    const bool pending = status == STATUS_PENDING;
    if (status == -1) [[unlikely]]
        illegal_status(routine, irp, status);
    if (marked != pending && (marked || !still_below(frame, irp))) [[unlikely]]
        pending_mismatch(routine, irp, status);
    if (!frame.completed && !pending) [[unlikely]]
        not_completed(routine, irp, status);
}

inline NTSTATUS call_routine(ke::Processor*& processor, PDRIVER_DISPATCH routine, PDEVICE_OBJECT device,
                             PIRP irp) noexcept {
    return ke::checked_callout(processor,
                               {ke::CalloutKind::dispatch, reinterpret_cast<const void*>(routine), device, irp},
                               routine, device, irp);
}

inline NTSTATUS call_in_frame(ke::Processor*& processor, PDRIVER_DISPATCH routine, PDEVICE_OBJECT device, PIRP irp,
                              IrpPrefix& prefix) noexcept {
    // The flow's calls are kept as the doors' word of its exception state: an exception that skips calls unlinks them, too.
    ke::SehState& flow = ke::seh_state_of_flow();
    CallFrame frame{prefix.frame,
                    irp->Tail.Overlay.CurrentStackLocation,
                    reinterpret_cast<CallFrame*>(flow.door_state),
                    &prefix,
                    false,
                    false};
    prefix.frame = &frame;
    flow.door_state = reinterpret_cast<std::uint64_t>(&frame);
    const NTSTATUS status = call_routine(processor, routine, device, irp);
    flow.door_state = reinterpret_cast<std::uint64_t>(frame.flow_outer);
    if (!frame.completed) unlink(frame);
    check_return(reinterpret_cast<const void*>(routine), frame, irp, status);
    return status;
}

[[gnu::cold, gnu::noinline]] void trace_call(PDRIVER_DISPATCH routine, PDEVICE_OBJECT device, PIRP irp) noexcept {
    const IO_STACK_LOCATION& location = *irp->Tail.Overlay.CurrentStackLocation;
    const bool coded = diag::has_control_code(location.MajorFunction, location.MinorFunction);
    DIRQL_TRACE(irp_call, .irp = irp, .object = device, .routine = reinterpret_cast<const void*>(routine),
                .major = location.MajorFunction, .minor = location.MinorFunction,
                .code = coded ? location.Parameters.DeviceIoControl.IoControlCode : 0);
}

inline NTSTATUS call(ke::Processor* processor, PDEVICE_OBJECT device, PIRP irp) noexcept {
    if (irp->Type != IO_TYPE_IRP || irp->CurrentLocation <= 1 || device->Type != IO_TYPE_DEVICE ||
        irp->CancelRoutine != nullptr) [[unlikely]]
        bad_call(device, irp);
    --irp->CurrentLocation;
    PIO_STACK_LOCATION location = --irp->Tail.Overlay.CurrentStackLocation;
    location->DeviceObject = device;
    const PDRIVER_DISPATCH routine = device->DriverObject->MajorFunction[location->MajorFunction];
    if (processor->trace_on != 0) [[unlikely]]
        trace_call(routine, device, irp);
    IrpPrefix* const prefix = prefix_of(irp);
    const NTSTATUS status = prefix != nullptr ? call_in_frame(processor, routine, device, irp, *prefix)
                                              : call_routine(processor, routine, device, irp);
    DIRQL_TRACE_ON(processor, irp_return, .irp = irp, .object = device, .status = status);
    return status;
}

} // namespace

void note_freed(IrpPrefix& prefix) noexcept {
    for (CallFrame* frame = prefix.frame; frame != nullptr; frame = frame->outer) {
        frame->completed = true;
        frame->marked = (frame->location->Control & SL_PENDING_RETURNED) != 0;
    }
    prefix.frame = nullptr;
}

void calls_unwound(std::uint64_t from, std::uint64_t to) noexcept {
    const auto* frame = reinterpret_cast<const CallFrame*>(from);
    const auto* last = reinterpret_cast<const CallFrame*>(to);
    for (; frame != last && frame != nullptr; frame = frame->flow_outer) {
        if (!frame->completed) unlink(*frame);
    }
}

NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp) noexcept { return call(ke::current_processor(), device, irp); }

} // namespace dirql::io

extern "C" NTSTATUS FASTCALL IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    dirql::ke::Processor* const processor = DIRQL_DOOR(IofCallDriver);
    return dirql::io::call(processor, DeviceObject, Irp);
}
