// Access checks of opens, and the descriptors of devices and files as their types' procedures give and change them.
#include "io/call_driver.hpp"
#include "io/device.hpp"
#include "io/device_security.hpp"
#include "io/file.hpp"
#include "io/irp.hpp"
#include "io/types.hpp"
#include "ob/object.hpp"
#include "ob/security.hpp"
#include "ps/ps.hpp"
#include "rtl/sddl.hpp"
#include "se/access_check.hpp"
#include "se/assign.hpp"
#include "se/descriptor.hpp"

#include <algorithm>

namespace dirql::io {
namespace {

// The open is one of the device, or of a stack that wants its descriptor to hold for all names.
bool device_decides(PDEVICE_OBJECT device, const ob::ParseRequest& request) noexcept {
    return request.remaining.Length == 0 || (top_of_stack(device)->Characteristics & FILE_DEVICE_SECURE_OPEN) != 0;
}

// On the way to a name below: the right to pass, or the privilege that everybody has.
NTSTATUS check_traverse(PDEVICE_OBJECT device, const ACCESS_STATE& access) noexcept {
    const se::Token* token = se::effective_token(access.SubjectSecurityContext);
    if (token != nullptr && token->has_enabled(se::privilege(SE_CHANGE_NOTIFY_PRIVILEGE))) return STATUS_SUCCESS;
    return se::check_access({device->SecurityDescriptor, &access.SubjectSecurityContext, FILE_TRAVERSE, 0,
                             &device_type.mapping, UserMode})
        .status;
}

bool is_device_itself(PFILE_OBJECT file) noexcept {
    return file->FileName.Length == 0 && file->RelatedFileObject == nullptr;
}

PIRP build(PDEVICE_OBJECT top, PFILE_OBJECT file, const ob::SecurityRequest& request) noexcept {
    PIRP irp = allocate_irp(top->StackSize);
    if (irp == nullptr) return nullptr;
    irp->Flags = IRP_SYNCHRONOUS_API | IRP_DEFER_IO_COMPLETION;
    irp->RequestorMode = KernelMode; // the buffers are ours
    irp->Tail.Overlay.OriginalFileObject = file;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->FileObject = file;
    if (request.operation == QuerySecurityDescriptor) {
        next->MajorFunction = IRP_MJ_QUERY_SECURITY;
        next->Parameters.QuerySecurity.SecurityInformation = request.which;
        next->Parameters.QuerySecurity.Length = *request.length;
        irp->UserBuffer = request.descriptor;
    } else {
        next->MajorFunction = IRP_MJ_SET_SECURITY;
        next->Parameters.SetSecurity.SecurityInformation = request.which;
        next->Parameters.SetSecurity.SecurityDescriptor = request.descriptor;
    }
    return irp;
}

NTSTATUS ask_driver(PFILE_OBJECT file, const ob::SecurityRequest& request, IO_STATUS_BLOCK& result) noexcept {
    PDEVICE_OBJECT top = top_of_stack(related_device(file));
    PIRP irp = build(top, file, request);
    if (irp == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    const bool locked = is_synchronous(file) && acquire_file_lock(file, KernelMode) == STATUS_SUCCESS;
    KEVENT event;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    const NTSTATUS status = send_and_wait(top, irp, &event, result);
    if (locked) release_file_lock(file);
    return status;
}

// A driver that knows nothing of descriptors: its files are everybody's, and what is set is forgotten.
NTSTATUS without_driver(ob::SecurityRequest& request) noexcept {
    if (request.operation != QuerySecurityDescriptor) return STATUS_SUCCESS;
    SECURITY_DESCRIPTOR_RELATIVE everybodys{};
    everybodys.Revision = SECURITY_DESCRIPTOR_REVISION;
    everybodys.Control = SE_SELF_RELATIVE | SE_DACL_PRESENT;
    return se::query(&everybodys, request.which, request.descriptor, request.length);
}

// How long is what the driver has written? It may have written nothing, or not a descriptor; parts that lie over each other
// sum up to more than there is.
NTSTATUS measure(ob::SecurityRequest& request) noexcept {
    const ULONG room = *request.length;
    if (!rtl::valid_relative_descriptor(request.descriptor, room, 0)) return STATUS_INVALID_SECURITY_DESCR;
    *request.length = std::min(room, static_cast<ULONG>(rtl::length_of_descriptor(request.descriptor)));
    return STATUS_SUCCESS;
}

// Each device of the stack from here up: whoever opens one of them by its name meets the same list.
NTSTATUS set_on_stack(PDEVICE_OBJECT device, const ob::SecurityRequest& request) noexcept {
    for (; device != nullptr; device = device->AttachedDevice) {
        if (device->SecurityDescriptor == nullptr) continue;
        PSECURITY_DESCRIPTOR changed = nullptr;
        const NTSTATUS status = se::change(device->SecurityDescriptor, request.which, request.descriptor,
                                           device_type.mapping, NonPagedPoolNx, &changed);
        if (!NT_SUCCESS(status)) return status;
        se::free_descriptor(device->SecurityDescriptor);
        device->SecurityDescriptor = changed;
    }
    return STATUS_SUCCESS;
}

} // namespace

NTSTATUS check_open_access(PDEVICE_OBJECT device, ob::ParseRequest& request) noexcept {
    // A driver's open by IoCreateFile may ask to be checked like an application's.
    const bool forced = (static_cast<const OpenRequest*>(request.context)->location_flags & SL_FORCE_ACCESS_CHECK) != 0;
    const auto mode = forced ? KPROCESSOR_MODE{UserMode} : ob::checked_mode(request.attributes, request.mode);
    if (mode == KernelMode || device->SecurityDescriptor == nullptr) return STATUS_SUCCESS;
    ACCESS_STATE& access = *request.access;
    if (!device_decides(device, request)) return check_traverse(device, access);
    const se::AccessAnswer answer =
        se::check_access({device->SecurityDescriptor, &access.SubjectSecurityContext, access.RemainingDesiredAccess,
                          access.PreviouslyGrantedAccess, &device_type.mapping, mode});
    if (!NT_SUCCESS(answer.status)) return answer.status;
    access.PreviouslyGrantedAccess |= answer.granted;
    access.RemainingDesiredAccess &= ~(answer.granted | ACCESS_MASK{MAXIMUM_ALLOWED});
    return STATUS_SUCCESS;
}

PSECURITY_DESCRIPTOR device_descriptor(void* device) noexcept {
    return static_cast<PDEVICE_OBJECT>(device)->SecurityDescriptor;
}

PSECURITY_DESCRIPTOR file_descriptor(void* body) noexcept {
    auto* file = static_cast<PFILE_OBJECT>(body);
    return file->DeviceObject != nullptr && is_device_itself(file) ? file->DeviceObject->SecurityDescriptor : nullptr;
}

NTSTATUS device_security(ob::SecurityRequest& request) noexcept {
    auto* device = static_cast<PDEVICE_OBJECT>(request.object);
    if (request.operation == QuerySecurityDescriptor)
        return se::query(device->SecurityDescriptor, request.which, request.descriptor, request.length);
    return set_on_stack(device, request);
}

NTSTATUS file_security(ob::SecurityRequest& request) noexcept {
    auto* file = static_cast<PFILE_OBJECT>(request.object);
    if (is_device_itself(file)) {
        ob::SecurityRequest of_device = request;
        of_device.object = file->DeviceObject;
        return device_security(of_device);
    }
    IO_STATUS_BLOCK result{};
    const NTSTATUS status = ask_driver(file, request, result);
    if (status == STATUS_INVALID_DEVICE_REQUEST) return without_driver(request);
    // What a driver needs it says so, with the length.
    if (request.operation == QuerySecurityDescriptor) {
        if (status == STATUS_BUFFER_OVERFLOW) {
            *request.length = static_cast<ULONG>(result.Information);
            return STATUS_BUFFER_TOO_SMALL;
        }
        if (NT_SUCCESS(status)) return measure(request);
    }
    return status;
}

} // namespace dirql::io
