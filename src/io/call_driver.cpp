#include "io/call_driver.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/export_door.hpp"
#include "ke/stop.hpp"

namespace dirql::io {
namespace {

constexpr const char* call_document = "IofCallDriver function (wdm.h)";
constexpr const char* pending_document = "DRIVER_DISPATCH callback function (wdm.h)";

// The thread's calls under way. Kept in the SEH door state, so that an exception that skips a call drops its frame too.
CallFrame* innermost_call(const ke::Thread& thread) noexcept {
    return reinterpret_cast<CallFrame*>(thread.seh.door_state);
}
void set_innermost_call(ke::Thread& thread, CallFrame* frame) noexcept {
    thread.seh.door_state = reinterpret_cast<std::uint64_t>(frame);
}

bool still_under_way(const ke::Thread& thread, const CallFrame* frame) noexcept {
    for (const CallFrame* f = innermost_call(thread); f != nullptr; f = f->thread_outer) {
        if (f == frame) return true;
    }
    return false;
}

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

[[noreturn, gnu::cold]] void suspicious_status(const void* routine, PIRP irp, NTSTATUS status) noexcept {
    ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x300, reinterpret_cast<std::uint64_t>(routine),
                  ke::parameter(irp), static_cast<std::uint32_t>(status),
                  {.rule = "a dispatch routine returned no status", .document = pending_document, .irp = irp});
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
void unlink(IrpPrefix& prefix, const CallFrame& frame) noexcept {
    CallFrame** link = &prefix.frame;
    ke::Thread** thread = &prefix.thread;
    while (*link != nullptr && *link != &frame && still_under_way(**thread, *link)) {
        CallFrame* other = *link;
        link = &other->outer;
        thread = &other->outer_thread;
    }
    if (*link != &frame) return;
    *link = frame.outer;
    *thread = frame.outer_thread;
}

// An exception has skipped calls of this IRP. Those of the thread that it left are told by their locations.
[[gnu::cold, gnu::noinline]] void forget_skipped_calls(IrpPrefix& prefix) noexcept {
    auto* irp = reinterpret_cast<PIRP>(&prefix + 1);
    auto* locations = reinterpret_cast<PIO_STACK_LOCATION>(irp + 1);
    CallFrame* frame = innermost_call(*prefix.thread);
    while (frame != nullptr && (frame->location < locations || frame->location >= locations + irp->StackCount))
        frame = frame->thread_outer;
    prefix.frame = frame;
}

NTSTATUS checked_call(PDRIVER_DISPATCH routine, PDEVICE_OBJECT device, PIRP irp, PIO_STACK_LOCATION location,
                      IrpPrefix& prefix) noexcept {
    ke::Thread& thread = *ke::current_thread();
    if (prefix.frame != nullptr && !still_under_way(*prefix.thread, prefix.frame)) [[unlikely]]
        forget_skipped_calls(prefix);
    CallFrame frame{prefix.frame, location, prefix.thread, innermost_call(thread), false, false};
    prefix.frame = &frame;
    prefix.thread = &thread;
    set_innermost_call(thread, &frame);
    const NTSTATUS status = ke::callout(
        {ke::CalloutKind::dispatch, reinterpret_cast<const void*>(routine), device, irp}, routine, device, irp);
    set_innermost_call(thread, frame.thread_outer);
    const bool marked = was_marked(frame);
    if (!frame.completed) unlink(prefix, frame);
    if (marked != (status == STATUS_PENDING)) [[unlikely]] {
        if (marked || !still_below(frame, irp)) pending_mismatch(reinterpret_cast<const void*>(routine), irp, status);
    }
    return status;
}

} // namespace

// Several calls may share the location: IoSkipCurrentIrpStackLocation gives a driver's own to the next one.
void note_completed(IrpPrefix& prefix, PIO_STACK_LOCATION location, bool& trusted) noexcept {
    while (CallFrame* frame = prefix.frame) {
        const bool own = prefix.thread == ke::current_thread();
        if (!(own && trusted) && !still_under_way(*prefix.thread, frame)) {
            forget_skipped_calls(prefix);
            continue;
        }
        trusted = own;
        if (frame->location != location) return;
        frame->completed = true;
        frame->marked = (location->Control & SL_PENDING_RETURNED) != 0;
        prefix.frame = frame->outer;
        prefix.thread = frame->outer_thread;
    }
}

NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp) noexcept {
    if (irp->Type != IO_TYPE_IRP || irp->CurrentLocation <= 1 || device->Type != IO_TYPE_DEVICE) [[unlikely]]
        bad_call(device, irp);
    --irp->CurrentLocation;
    PIO_STACK_LOCATION location = --irp->Tail.Overlay.CurrentStackLocation;
    location->DeviceObject = device;
    const PDRIVER_DISPATCH routine = device->DriverObject->MajorFunction[location->MajorFunction];
    DIRQL_TRACE(
        irp_call, .irp = irp, .object = device, .major = location->MajorFunction, .minor = location->MinorFunction,
        .code =
            location->MajorFunction == IRP_MJ_DEVICE_CONTROL ? location->Parameters.DeviceIoControl.IoControlCode : 0);
    NTSTATUS status;
    if (IrpPrefix* prefix = prefix_of(irp)) [[likely]] {
        status = checked_call(routine, device, irp, location, *prefix);
    } else {
        status = ke::callout({ke::CalloutKind::dispatch, reinterpret_cast<const void*>(routine), device, irp}, routine,
                             device, irp);
    }
    if (status == -1) [[unlikely]]
        suspicious_status(reinterpret_cast<const void*>(routine), irp, status);
    DIRQL_TRACE(irp_return, .irp = irp, .object = device, .status = status);
    return status;
}

} // namespace dirql::io

extern "C" NTSTATUS FASTCALL IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    DIRQL_DOOR(IofCallDriver);
    return dirql::io::call_driver(DeviceObject, Irp);
}
