// Opening: a name's walk has reached a device (or a file); the rest of the name is the driver's.
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/call_driver.hpp"
#include "io/device.hpp"
#include "io/device_security.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/irp.hpp"
#include "io/types.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ob/capture.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

#include <cstring>

namespace dirql::io {
namespace {

// May this device be opened now? Being exclusive is about its name: what is opened relative to the one handle is free.
NTSTATUS openable(PDEVICE_OBJECT device, const OpenRequest& open) noexcept {
    const DeviceState& state = state_of(device);
    if (state.delete_pending || state_of(device->DriverObject).unload_pending) return STATUS_NO_SUCH_DEVICE;
    if ((device->Flags & DO_DEVICE_INITIALIZING) != 0) return STATUS_NO_SUCH_DEVICE;
    if ((device->Flags & DO_EXCLUSIVE) != 0 && device->ReferenceCount != 0 && open.related == nullptr &&
        !open.attaching)
        return STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

// Create options become file-object flags.
ULONG flags_for(const OpenRequest& open, ULONG attributes) noexcept {
    ULONG flags = 0;
    if ((open.options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0) flags |= FO_SYNCHRONOUS_IO;
    if ((open.options & FILE_SYNCHRONOUS_IO_ALERT) != 0) flags |= FO_ALERTABLE_IO;
    if ((open.options & FILE_NO_INTERMEDIATE_BUFFERING) != 0) flags |= FO_NO_INTERMEDIATE_BUFFERING;
    if ((open.options & FILE_WRITE_THROUGH) != 0) flags |= FO_WRITE_THROUGH;
    if ((open.options & FILE_SEQUENTIAL_ONLY) != 0) flags |= FO_SEQUENTIAL_ONLY;
    if ((open.options & FILE_RANDOM_ACCESS) != 0) flags |= FO_RANDOM_ACCESS;
    if ((open.options & FILE_DISALLOW_EXCLUSIVE) != 0) flags |= FO_DISALLOW_EXCLUSIVE; // till the driver has opened it
    if ((attributes & OBJ_CASE_INSENSITIVE) == 0) flags |= FO_OPENED_CASE_SENSITIVE;
    return flags;
}

bool copy_name(PFILE_OBJECT file, const UNICODE_STRING& name) noexcept {
    if (name.Length == 0) return true;
    const auto room = static_cast<USHORT>(name.Length + sizeof(WCHAR));
    void* buffer = ex::allocate_pool(PagedPool, room, 'mNoI');
    if (buffer == nullptr) return false;
    std::memcpy(buffer, name.Buffer, name.Length);
    std::memset(static_cast<std::byte*>(buffer) + name.Length, 0, sizeof(WCHAR));
    file->FileName = {name.Length, room, static_cast<PWSTR>(buffer)};
    return true;
}

void set_up(PFILE_OBJECT file, PDEVICE_OBJECT device, const OpenRequest& open, ULONG attributes) noexcept {
    file->Type = IO_TYPE_FILE;
    file->Size = sizeof(FILE_OBJECT);
    file->DeviceObject = device;
    file->RelatedFileObject = open.related; // whom the walk along the name holds, until the request is done
    file->Vpb = device->Vpb != nullptr && (device->Vpb->Flags & VPB_MOUNTED) != 0 ? device->Vpb : nullptr;
    file->Flags = flags_for(open, attributes);
    KeInitializeEvent(&file->Event, NotificationEvent, FALSE);
    KeInitializeEvent(&file->Lock, SynchronizationEvent, FALSE);
    auto& extension = reinterpret_cast<FileBody*>(file)->extension;
    extension.top = open.hint;
    extension.priority_hint = IoPriorityNormal;
    extension.ignores_sharing = open.ignores_sharing;
    file->FileObjectExtension = &extension;
}

// What is asked of the device itself, its attributes or its security, needs no file system.
constexpr ACCESS_MASK direct_access =
    SYNCHRONIZE | FILE_READ_ATTRIBUTES | READ_CONTROL | ACCESS_SYSTEM_SECURITY | WRITE_OWNER | WRITE_DAC;

void mark_direct(PFILE_OBJECT file, ACCESS_MASK desired) noexcept {
    if (file->FileName.Length != 0 || file->RelatedFileObject != nullptr) return;
    if ((desired & ~direct_access) == 0) {
        file->Flags |= FO_DIRECT_DEVICE_OPEN;
        file->Vpb = nullptr;
    } else if (file->Vpb != nullptr) {
        file->Flags |= FO_VOLUME_OPEN;
    }
}

UCHAR major_for(const OpenRequest& open) noexcept {
    switch (open.type) {
    case CreateFileTypeNamedPipe: return IRP_MJ_CREATE_NAMED_PIPE;
    case CreateFileTypeMailslot: return IRP_MJ_CREATE_MAILSLOT;
    default: return IRP_MJ_CREATE;
    }
}

bool in_stack(PDEVICE_OBJECT bottom, PDEVICE_OBJECT wanted) noexcept {
    PDEVICE_OBJECT device = bottom;
    while (device != nullptr && device != wanted) device = device->AttachedDevice;
    return device != nullptr;
}

PIRP build_create(PDEVICE_OBJECT top, PFILE_OBJECT file, const OpenRequest& open, IO_SECURITY_CONTEXT& security,
                  KPROCESSOR_MODE mode) noexcept {
    PIRP irp = allocate_irp(top->StackSize);
    if (irp == nullptr) return nullptr;
    irp->Flags = IRP_CREATE_OPERATION | IRP_SYNCHRONOUS_API | IRP_DEFER_IO_COMPLETION;
    irp->RequestorMode = static_cast<CHAR>(mode);
    irp->Tail.Overlay.OriginalFileObject = file;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    irp->AssociatedIrp.SystemBuffer = open.ea_buffer;
    if (open.allocation_size != nullptr) irp->Overlay.AllocationSize = *open.allocation_size;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = major_for(open);
    next->Flags = open.location_flags;
    next->FileObject = file;
    next->Parameters.Create.SecurityContext = &security;
    next->Parameters.Create.Options = open.disposition << 24 | (open.options & 0x00FF'FFFF);
    next->Parameters.Create.FileAttributes = open.attributes;
    next->Parameters.Create.ShareAccess = open.share_access;
    if (open.type == CreateFileTypeNone) {
        next->Parameters.Create.EaLength = open.ea_length;
    } else {
        static_assert(offsetof(IO_STACK_LOCATION, Parameters.CreatePipe.Parameters) ==
                      offsetof(IO_STACK_LOCATION, Parameters.CreateMailslot.Parameters));
        next->Parameters.CreatePipe.Parameters = static_cast<PNAMED_PIPE_CREATE_PARAMETERS>(open.parameters);
    }
    if ((file->Flags & FO_OPENED_CASE_SENSITIVE) != 0) next->Flags |= SL_CASE_SENSITIVE;
    return irp;
}

// An open that failed sends no IRP_MJ_CLOSE: the file object forgets its device first. One that a filter has cancelled does.
void discard(PFILE_OBJECT file, PDEVICE_OBJECT device) noexcept {
    if ((file->Flags & FO_FILE_OPEN_CANCELLED) != 0) {
        ob::dereference(file);
        return;
    }
    file->DeviceObject = nullptr;
    ob::dereference(file);
    dereference_device(device);
}

} // namespace

NTSTATUS create_file_object(PDEVICE_OBJECT device, const OpenRequest& open, const UNICODE_STRING& name,
                            ULONG attributes, PFILE_OBJECT* result) noexcept {
    void* body = nullptr;
    const NTSTATUS status = ob::create_object(file_type, nullptr, KernelMode, sizeof(FileBody), &body);
    if (!NT_SUCCESS(status)) return status;
    auto* file = static_cast<PFILE_OBJECT>(body);
    set_up(file, device, open, attributes);
    if (!copy_name(file, name)) {
        file->DeviceObject = nullptr;
        ob::dereference(file);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    reference_device(device);
    *result = file;
    return STATUS_SUCCESS;
}

namespace {

// Drivers look for FILE_WRITE_DATA, not for GENERIC_WRITE: what is asked is put in terms of files before the request is made.
void map_access(ACCESS_STATE& access) noexcept {
    access.OriginalDesiredAccess = ob::map_generic(file_type, access.OriginalDesiredAccess);
    access.RemainingDesiredAccess = ob::map_generic(file_type, access.RemainingDesiredAccess);
}

// The driver has put another name, an absolute one, into the file object: the open begins anew with that.
NTSTATUS reparse(PFILE_OBJECT file, const IO_STATUS_BLOCK& result, ob::ParseRequest& request) noexcept {
    if (result.Information != IO_REPARSE) return STATUS_IO_REPARSE_TAG_NOT_HANDLED;
    request.reparse_name = ob::copy_to_pool(ob::view(file->FileName));
    return request.reparse_name.Buffer == nullptr ? STATUS_INSUFFICIENT_RESOURCES : STATUS_REPARSE;
}

NTSTATUS open_on(PDEVICE_OBJECT device, OpenRequest& open, ob::ParseRequest& request, void** result) noexcept {
    NTSTATUS status = openable(device, open);
    if (!NT_SUCCESS(status)) return status;
    if (open.hint != nullptr && !in_stack(device, open.hint)) return STATUS_INVALID_DEVICE_OBJECT_PARAMETER;
    map_access(*request.access);
    status = check_open_access(device, request);
    if (!NT_SUCCESS(status)) return status;
    const ACCESS_MASK desired = request.access->RemainingDesiredAccess | request.access->PreviouslyGrantedAccess;
    PFILE_OBJECT file;
    status = create_file_object(device, open, request.remaining, request.attributes, &file);
    if (!NT_SUCCESS(status)) return status;
    mark_direct(file, desired);
    if (ke::Processor* processor = ke::current_processor(); processor->irql != PASSIVE_LEVEL)
        ke::lower_irql(processor, PASSIVE_LEVEL);
    PDEVICE_OBJECT top = device_for(file);
    IO_SECURITY_CONTEXT security{request.quality_of_service, request.access, desired, open.options};
    PIRP irp = build_create(top, file, open, security, request.mode);
    if (irp == nullptr) {
        discard(file, device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    KEVENT event;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    status = send_and_wait(top, irp, &event, open.result);
    file->RelatedFileObject = nullptr;
    if (status == STATUS_REPARSE) status = reparse(file, open.result, request);
    if (!NT_SUCCESS(status) || status == STATUS_REPARSE) {
        discard(file, device);
        return status;
    }
    file->Flags = (file->Flags & ~ULONG{FO_DISALLOW_EXCLUSIVE}) | FO_FILE_OPEN;
    if (is_synchronous(file)) file->CurrentByteOffset.QuadPart = 0;
    *result = file;
    return status;
}

} // namespace

// The IRP carries a reference to its file, which the end of the request drops; so does this one.
NTSTATUS send_and_wait(PDEVICE_OBJECT device, PIRP irp, PKEVENT event, IO_STATUS_BLOCK& result) noexcept {
    ke::Thread& thread = *ke::current_thread();
    result = {};
    irp->UserIosb = &result;
    irp->UserEvent = event;
    PFILE_OBJECT file = irp->Tail.Overlay.OriginalFileObject;
    ob::reference(file);
    queue_to_thread(irp, thread);
    const NTSTATUS status = call_driver(device, irp);
    if (status == STATUS_PENDING) {
        ke::wait_for(event);
        return result.Status;
    }
    // Not pending: the drivers are done with it, and its last stage is deferred to here. An error leaves the status block alone.
    result = irp->IoStatus;
    const KIRQL irql = ke::raise_irql(ke::current_processor(), APC_LEVEL);
    finish_request(irp, file);
    ke::lower_irql(ke::current_processor(), irql);
    return status;
}

NTSTATUS open_file(ob::ParseRequest& request, void** result) noexcept {
    *result = nullptr;
    auto* open = static_cast<OpenRequest*>(request.context);
    if (open == nullptr) return STATUS_OBJECT_TYPE_MISMATCH; // a device is opened as a file only
    open->related = nullptr; // a relative open that was sent elsewhere is relative no more
    return open_on(static_cast<PDEVICE_OBJECT>(request.object), *open, request, result);
}

NTSTATUS open_relative_file(ob::ParseRequest& request, void** result) noexcept {
    *result = nullptr;
    auto* open = static_cast<OpenRequest*>(request.context);
    if (open == nullptr) return STATUS_OBJECT_TYPE_MISMATCH;
    auto* related = static_cast<PFILE_OBJECT>(request.object);
    open->related = related;
    return open_on(related->DeviceObject, *open, request, result);
}

} // namespace dirql::io
