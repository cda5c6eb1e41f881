// NtDeviceIoControlFile and NtFsControlFile.
//
//   METHOD_BUFFERED     one system buffer for both directions, as long as the longer one
//   METHOD_IN_DIRECT    input in a system buffer, the other buffer locked for reading, described by an MDL
//   METHOD_OUT_DIRECT   input in a system buffer, the other buffer locked for writing, described by an MDL
//   METHOD_NEITHER      both addresses as the caller gave them
#include "diag/trace.hpp"
#include "io/file.hpp"
#include "io/request.hpp"
#include "ke/exports/io.hpp"
#include "ke/callout.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

#include <algorithm>

namespace dirql::io {
namespace {

struct Control {
    HANDLE file;
    HANDLE event;
    PIO_APC_ROUTINE apc_routine;
    PVOID apc_context;
    PIO_STATUS_BLOCK status_block;
    ULONG code;
    PVOID input;
    ULONG input_size;
    PVOID output;
    ULONG output_size;
};

constexpr ULONG method_of(ULONG code) noexcept { return code & 3; }

// The rights that the code demands of the handle: FILE_READ_ACCESS and FILE_WRITE_ACCESS in bits 14 and 15.
constexpr ACCESS_MASK access_of(ULONG code) noexcept {
    static_assert(FILE_READ_DATA == FILE_READ_ACCESS && FILE_WRITE_DATA == FILE_WRITE_ACCESS);
    return code >> 14 & 3;
}

NTSTATUS make_buffers(FileRequest& request, PIO_STACK_LOCATION next, const Control& control) noexcept {
    switch (method_of(control.code)) {
    case METHOD_BUFFERED:
        return request.make_system_buffer(std::max(control.input_size, control.output_size), control.input,
                                          control.input_size, control.output, control.output_size);
    case METHOD_NEITHER:
        request.irp()->UserBuffer = control.output;
        next->Parameters.DeviceIoControl.Type3InputBuffer = control.input;
        return STATUS_SUCCESS;
    default: break;
    }
    const NTSTATUS status =
        request.make_system_buffer(control.input_size, control.input, control.input_size, nullptr, 0);
    if (!NT_SUCCESS(status) || control.output_size == 0) return status;
    return request.make_mdl(control.output, control.output_size,
                            method_of(control.code) == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess);
}

PFAST_IO_DEVICE_CONTROL fast_routine(PDEVICE_OBJECT device) noexcept {
    const FAST_IO_DISPATCH* fast = device->DriverObject->FastIoDispatch;
    if (fast == nullptr || fast->SizeOfFastIoDispatch < offsetof(FAST_IO_DISPATCH, FastIoDeviceControl) + sizeof(void*))
        return nullptr;
    return fast->FastIoDeviceControl;
}

// A driver may answer without an IRP. False: it wants the IRP after all.
bool answered_fast(const FileRequest& request, PFAST_IO_DEVICE_CONTROL routine, const Control& control,
                   IO_STATUS_BLOCK& result) noexcept {
    PDEVICE_OBJECT device = request.device();
    return ke::callout({ke::CalloutKind::fast_io, reinterpret_cast<const void*>(routine), device}, routine,
                       request.file(), static_cast<BOOLEAN>(is_synchronous(request.file())), control.input,
                       control.input_size, control.output, control.output_size, control.code, &result, device) != FALSE;
}

// What the I/O manager copies or locks is the caller's to get right, before any driver sees the request. A null buffer has
// no length. METHOD_NEITHER is the driver's own business.
NTSTATUS check_buffers(KPROCESSOR_MODE mode, Control& control) noexcept {
    const ULONG method = method_of(control.code);
    if (mode == KernelMode || method == METHOD_NEITHER) return STATUS_SUCCESS;
    if (control.input == nullptr) control.input_size = 0;
    if (control.output == nullptr) control.output_size = 0;
    if (!ke::in_user_range(control.input, control.input_size)) return STATUS_ACCESS_VIOLATION;
    return method == METHOD_BUFFERED ? ke::probe_user(control.output, control.output_size, true) : STATUS_SUCCESS;
}

// The path of every control request in one piece: the calls would cost as much as what they do.
[[gnu::flatten]] NTSTATUS control_file(Control& control, UCHAR major) noexcept {
    FileRequest request;
    NTSTATUS status = request.begin(control.file, 0, control.event, control.status_block);
    if (!NT_SUCCESS(status)) return status;
    const ACCESS_MASK needed = access_of(control.code);
    if (request.mode() != KernelMode && (needed & ~request.granted()) != 0) return STATUS_ACCESS_DENIED;
    if (status = check_buffers(request.mode(), control); !NT_SUCCESS(status)) return status;
    if (const auto routine = fast_routine(request.device());
        routine != nullptr && major == IRP_MJ_DEVICE_CONTROL && control.apc_routine == nullptr) {
        IO_STATUS_BLOCK result{};
        if (status = request.lock_file(); status != STATUS_SUCCESS) return status;
        if (answered_fast(request, routine, control, result)) return request.finish_fast(result, control.apc_context);
    }
    status = request.make_irp(major);
    if (status != STATUS_SUCCESS) return status;
    PIO_STACK_LOCATION next = request.next();
    next->Parameters.DeviceIoControl.OutputBufferLength = control.output_size;
    next->Parameters.DeviceIoControl.InputBufferLength = control.input_size;
    next->Parameters.DeviceIoControl.IoControlCode = control.code;
    next->Flags = request.data_flags();
    if (major == IRP_MJ_FILE_SYSTEM_CONTROL) next->MinorFunction = IRP_MN_USER_FS_REQUEST;
    status = make_buffers(request, next, control);
    if (!NT_SUCCESS(status)) return status;
    if (status = request.set_apc(control.apc_routine, control.apc_context); !NT_SUCCESS(status)) return status;
    return request.send();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                     PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer,
                                     ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength) {
    Control control{FileHandle,    Event,       ApcRoutine,        ApcContext,   IoStatusBlock,
                    IoControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength};
    return ke::system_service([&control] {
        DIRQL_DOOR(NtDeviceIoControlFile);
        return control_file(control, IRP_MJ_DEVICE_CONTROL);
    });
}

NTSTATUS NTAPI NtFsControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG FsControlCode, PVOID InputBuffer,
                               ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength) {
    Control control{FileHandle,    Event,       ApcRoutine,        ApcContext,   IoStatusBlock,
                    FsControlCode, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength};
    return ke::system_service([&control] {
        DIRQL_DOOR(NtFsControlFile);
        return control_file(control, IRP_MJ_FILE_SYSTEM_CONTROL);
    });
}

NTSTATUS NTAPI ZwDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                                     PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer,
                                     ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength) {
    DIRQL_DOOR(ZwDeviceIoControlFile);
    const ke::KernelModeCaller kernel;
    return NtDeviceIoControlFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, IoControlCode, InputBuffer,
                                 InputBufferLength, OutputBuffer, OutputBufferLength);
}

NTSTATUS NTAPI ZwFsControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG FsControlCode, PVOID InputBuffer,
                               ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength) {
    DIRQL_DOOR(ZwFsControlFile);
    const ke::KernelModeCaller kernel;
    return NtFsControlFile(FileHandle, Event, ApcRoutine, ApcContext, IoStatusBlock, FsControlCode, InputBuffer,
                           InputBufferLength, OutputBuffer, OutputBufferLength);
}
}
