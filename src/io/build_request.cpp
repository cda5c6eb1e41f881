// Requests that drivers build for other drivers.
//
//   IoBuildSynchronousFsdRequest, IoBuildDeviceIoControlRequest   queued to the current thread; the I/O manager finishes and frees them
//   IoBuildAsynchronousFsdRequest                                 of no thread's list; their completion routine frees them
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/call_driver.hpp"
#include "io/irp.hpp"
#include "io/requestor.hpp"
#include "ke/exports/io.hpp"
#include "ke/stop.hpp"
#include "ke/user_memory.hpp"
#include "ke/wait.hpp"
#include "mm/mdl.hpp"
#include "ps/ps.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG buffer_tag = 'BSoI';

struct Buffers {
    PVOID data;
    ULONG length;
    PLARGE_INTEGER offset;
};

// A buffer in user memory that cannot be read. NT's free build makes no request of it; the verifier says so.
[[noreturn, gnu::cold]] void invalid_buffer(PDEVICE_OBJECT device, std::uint32_t code, std::uint64_t function,
                                            NTSTATUS status, const char* document) noexcept {
    ke::bug_check(
        DRIVER_VERIFIER_IOMANAGER_VIOLATION, code, ke::parameter(device), function, static_cast<std::uint32_t>(status),
        {.rule = "a request was built with a buffer that cannot be used", .document = document, .device = device});
}
[[noreturn, gnu::cold]] void invalid_fsd_buffer(PDEVICE_OBJECT device, ULONG major, NTSTATUS status) noexcept {
    invalid_buffer(device, 0x08, major, status, "IoBuildAsynchronousFsdRequest function (wdm.h)");
}
[[noreturn, gnu::cold]] void invalid_control_buffer(PDEVICE_OBJECT device, ULONG code, NTSTATUS status) noexcept {
    invalid_buffer(device, 0x09, code, status, "IoBuildDeviceIoControlRequest function (wdm.h)");
}

// A bad address of the system range is bug check 0x50, here as everywhere.
bool copy_from(void* to, const void* from, ULONG length) noexcept {
    if (ke::in_user_range(from, length)) return ke::copy_guarded(to, from, length);
    std::memcpy(to, from, length);
    return true;
}

bool needs_buffer(ULONG major) noexcept { return major == IRP_MJ_READ || major == IRP_MJ_WRITE; }

void abandon(PIRP irp) noexcept {
    if (irp->AssociatedIrp.SystemBuffer != nullptr) ex::free_pool(irp->AssociatedIrp.SystemBuffer, 0);
    if (irp->MdlAddress != nullptr) mm::free_mdl(irp->MdlAddress);
    free_irp(irp);
}

bool attach_system_buffer(PIRP irp, PDEVICE_OBJECT device, ULONG major, const Buffers& buffers) noexcept {
    void* copy = ex::allocate_pool(NonPagedPoolNx, buffers.length, buffer_tag);
    if (copy == nullptr) return false;
    irp->AssociatedIrp.SystemBuffer = copy;
    irp->UserBuffer = buffers.data;
    irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
    if (major == IRP_MJ_WRITE) {
        if (!copy_from(copy, buffers.data, buffers.length)) invalid_fsd_buffer(device, major, STATUS_ACCESS_VIOLATION);
    } else {
        irp->Flags |= IRP_INPUT_OPERATION;
        prefix_of(irp)->output_size = buffers.length;
    }
    return true;
}

// STATUS_INSUFFICIENT_RESOURCES, or what is wrong with the buffer.
NTSTATUS attach_mdl(PIRP irp, void* buffer, ULONG length, LOCK_OPERATION operation) noexcept {
    irp->MdlAddress = mm::allocate_mdl(buffer, length);
    if (irp->MdlAddress == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    return mm::lock_pages(irp->MdlAddress, KernelMode, operation);
}

bool attach_buffer(PIRP irp, PDEVICE_OBJECT device, ULONG major, const Buffers& buffers) noexcept {
    if (buffers.length != 0 && (device->Flags & DO_BUFFERED_IO) != 0)
        return attach_system_buffer(irp, device, major, buffers);
    if (buffers.length != 0 && (device->Flags & DO_DIRECT_IO) != 0) {
        const NTSTATUS status =
            attach_mdl(irp, buffers.data, buffers.length, major == IRP_MJ_WRITE ? IoReadAccess : IoWriteAccess);
        if (status == STATUS_ACCESS_VIOLATION) invalid_fsd_buffer(device, major, status);
        return NT_SUCCESS(status);
    }
    irp->UserBuffer = buffers.data;
    return true;
}

PIRP build_fsd(ULONG major, PDEVICE_OBJECT device, const Buffers& buffers, PIO_STATUS_BLOCK status_block) noexcept {
    PIRP irp = allocate_irp(device->StackSize);
    if (irp == nullptr) return nullptr;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    irp->UserIosb = status_block;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = static_cast<UCHAR>(major);
    if (!needs_buffer(major)) return irp;
    next->Parameters.Read.Length = buffers.length;
    if (buffers.offset != nullptr) next->Parameters.Read.ByteOffset = *buffers.offset;
    irp->Flags |= major == IRP_MJ_READ ? IRP_READ_OPERATION : IRP_WRITE_OPERATION;
    if (attach_buffer(irp, device, major, buffers)) return irp;
    abandon(irp);
    return nullptr;
}

bool attach_control_buffers(PIRP irp, PDEVICE_OBJECT device, PIO_STACK_LOCATION next, ULONG code, PVOID input,
                            ULONG input_length, PVOID output, ULONG output_length) noexcept {
    const ULONG method = code & 3;
    if (method == METHOD_NEITHER) {
        irp->UserBuffer = output;
        next->Parameters.DeviceIoControl.Type3InputBuffer = input;
        return true;
    }
    const ULONG size = method == METHOD_BUFFERED ? std::max(input_length, output_length) : input_length;
    if (size != 0) {
        void* copy = ex::allocate_pool(NonPagedPoolNx, size, buffer_tag);
        if (copy == nullptr) return false;
        irp->AssociatedIrp.SystemBuffer = copy;
        irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
        if (input != nullptr && !copy_from(copy, input, input_length))
            invalid_control_buffer(device, code, STATUS_ACCESS_VIOLATION);
    }
    if (method == METHOD_BUFFERED) {
        irp->UserBuffer = output;
        if (output_length != 0 && output != nullptr) irp->Flags |= IRP_INPUT_OPERATION;
        prefix_of(irp)->output_size = output_length;
        return true;
    }
    if (output == nullptr || output_length == 0) return true;
    const NTSTATUS status =
        attach_mdl(irp, output, output_length, method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
    if (status == STATUS_ACCESS_VIOLATION) invalid_control_buffer(device, code, status);
    return NT_SUCCESS(status);
}

// IoForwardIrpSynchronously's completion routine.
NTSTATUS NTAPI wake_forwarder(PDEVICE_OBJECT, PIRP irp, PVOID context) {
    if (irp->PendingReturned) KeSetEvent(static_cast<PKEVENT>(context), IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

PIRP NTAPI IoBuildAsynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                         PLARGE_INTEGER StartingOffset, PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(IoBuildAsynchronousFsdRequest);
    return build_fsd(MajorFunction, DeviceObject, {Buffer, Length, StartingOffset}, IoStatusBlock);
}

PIRP NTAPI IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                        PLARGE_INTEGER StartingOffset, PKEVENT Event, PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(IoBuildSynchronousFsdRequest);
    PIRP irp = build_fsd(MajorFunction, DeviceObject, {Buffer, Length, StartingOffset}, IoStatusBlock);
    if (irp == nullptr) return nullptr;
    irp->UserEvent = Event;
    queue_to_thread(irp, *ke::current_thread());
    return irp;
}

PIRP NTAPI IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer,
                                         ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength,
                                         BOOLEAN InternalDeviceIoControl, PKEVENT Event,
                                         PIO_STATUS_BLOCK IoStatusBlock) {
    DIRQL_DOOR(IoBuildDeviceIoControlRequest);
    PIRP irp = allocate_irp(DeviceObject->StackSize);
    if (irp == nullptr) return nullptr;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = InternalDeviceIoControl ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL;
    next->Parameters.DeviceIoControl.OutputBufferLength = OutputBufferLength;
    next->Parameters.DeviceIoControl.InputBufferLength = InputBufferLength;
    next->Parameters.DeviceIoControl.IoControlCode = IoControlCode;
    if (!attach_control_buffers(irp, DeviceObject, next, IoControlCode, InputBuffer, InputBufferLength, OutputBuffer,
                                OutputBufferLength)) {
        abandon(irp);
        return nullptr;
    }
    irp->UserIosb = IoStatusBlock;
    irp->UserEvent = Event;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    queue_to_thread(irp, *ke::current_thread());
    return irp;
}

// FALSE when the IRP has no location left: then nothing was sent. Otherwise the caller still owns the IRP.
BOOLEAN NTAPI IoForwardIrpSynchronously(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    DIRQL_DOOR(IoForwardIrpSynchronously);
    if (Irp->CurrentLocation <= 1) return FALSE;
    KEVENT event;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, wake_forwarder, &event, TRUE, TRUE, TRUE);
    if (call_driver(DeviceObject, Irp) == STATUS_PENDING) ke::wait_for(&event);
    return TRUE;
}

PEPROCESS NTAPI IoGetRequestorProcess(PIRP Irp) {
    DIRQL_DOOR(IoGetRequestorProcess);
    return ps::as_eprocess(requestor_process(Irp));
}

// IRP_SYNCHRONOUS_PAGING_IO is the bit of IRP_INPUT_OPERATION, too: so what has a system buffer to be copied back counts as
// synchronous. "Also returns TRUE if the IRP contains an IOCTL ... METHOD_BUFFERED" (IoIsOperationSynchronous function).
BOOLEAN NTAPI IoIsOperationSynchronous(PIRP Irp) {
    DIRQL_DOOR(IoIsOperationSynchronous);
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    const bool synchronous_file = file != nullptr && (file->Flags & FO_SYNCHRONOUS_IO) != 0;
    const bool synchronous = synchronous_file || (Irp->Flags & (IRP_SYNCHRONOUS_API | IRP_SYNCHRONOUS_PAGING_IO)) != 0;
    return synchronous && (Irp->Flags & (IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO)) != IRP_PAGING_IO;
}
}
