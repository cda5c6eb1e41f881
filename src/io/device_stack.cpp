// Stacks of devices: attaching above another, detaching, finding the top.
#include "io/device.hpp"
#include "io/driver.hpp"
#include "io/file.hpp"
#include "io/types.hpp"
#include "ke/exports/io.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/stop.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

bool attachable(PDEVICE_OBJECT device) noexcept {
    return !state_of(device).delete_pending && (device->Flags & DO_DEVICE_INITIALIZING) == 0 &&
           !state_of(device->DriverObject).unload_pending;
}

// The source goes above all that stands on the target.
PDEVICE_OBJECT attach(PDEVICE_OBJECT source, PDEVICE_OBJECT target) noexcept {
    PDEVICE_OBJECT top = top_of_stack(target);
    if (!attachable(top)) return nullptr;
    top->AttachedDevice = source;
    state_of(source).attached_to = top;
    source->StackSize = static_cast<CCHAR>(top->StackSize + 1);
    source->AlignmentRequirement = top->AlignmentRequirement;
    source->SectorSize = top->SectorSize;
    source->Spare1 = top->Spare1;
    return top;
}

// For IoAttachDevice: the device may be an exclusive one that somebody has open.
NTSTATUS open_for_attach(PUNICODE_STRING name, HANDLE* handle, PFILE_OBJECT* file) noexcept {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
    OpenRequest open{};
    open.options = FILE_NON_DIRECTORY_FILE;
    open.disposition = FILE_OPEN;
    open.attaching = true;
    NTSTATUS status = ob::open_by_name(&attributes, &file_type, KernelMode, FILE_READ_ATTRIBUTES, &open, handle);
    if (!NT_SUCCESS(status)) return status;
    status = ob::reference_by_handle(*handle, 0, &file_type, KernelMode, reinterpret_cast<void**>(file));
    if (!NT_SUCCESS(status)) ZwClose(*handle);
    return status;
}

// As an open of the name by the kernel, with a handle, which the caller closes, and a reference.
NTSTATUS open_device(PUNICODE_STRING name, ACCESS_MASK access, HANDLE* handle, PFILE_OBJECT* file) noexcept {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
    IO_STATUS_BLOCK status_block;
    NTSTATUS status = ZwOpenFile(handle, access, &attributes, &status_block, 0, FILE_NON_DIRECTORY_FILE);
    if (!NT_SUCCESS(status)) return status;
    status =
        ObReferenceObjectByHandle(*handle, 0, *IoFileObjectType, KernelMode, reinterpret_cast<PVOID*>(file), nullptr);
    if (!NT_SUCCESS(status)) ZwClose(*handle);
    return status;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

PDEVICE_OBJECT NTAPI IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoGetAttachedDevice);
    return top_of_stack(DeviceObject);
}

PDEVICE_OBJECT NTAPI IoGetAttachedDeviceReference(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoGetAttachedDeviceReference);
    PDEVICE_OBJECT top = top_of_stack(DeviceObject);
    ObReferenceObject(top);
    return top;
}

PDEVICE_OBJECT NTAPI IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice) {
    DIRQL_DOOR(IoAttachDeviceToDeviceStack);
    return attach(SourceDevice, TargetDevice);
}

NTSTATUS NTAPI IoAttachDeviceToDeviceStackSafe(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice,
                                               PDEVICE_OBJECT* AttachedToDeviceObject) {
    DIRQL_DOOR(IoAttachDeviceToDeviceStackSafe);
    *AttachedToDeviceObject = attach(SourceDevice, TargetDevice);
    return *AttachedToDeviceObject == nullptr ? STATUS_NO_SUCH_DEVICE : STATUS_SUCCESS;
}

NTSTATUS NTAPI IoAttachDeviceByPointer(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice) {
    DIRQL_DOOR(IoAttachDeviceByPointer);
    return attach(SourceDevice, TargetDevice) == nullptr ? STATUS_NO_SUCH_DEVICE : STATUS_SUCCESS;
}

NTSTATUS NTAPI IoAttachDevice(PDEVICE_OBJECT SourceDevice, PUNICODE_STRING TargetDevice,
                              PDEVICE_OBJECT* AttachedDevice) {
    DIRQL_DOOR(IoAttachDevice);
    HANDLE handle = nullptr;
    PFILE_OBJECT file = nullptr;
    const NTSTATUS status = open_for_attach(TargetDevice, &handle, &file);
    if (!NT_SUCCESS(status)) return status;
    *AttachedDevice = attach(SourceDevice, top_of_stack(related_device(file)));
    ObDereferenceObject(file);
    ZwClose(handle); // the cleanup and the close go to the source device, which passes them on
    return *AttachedDevice == nullptr ? STATUS_NO_SUCH_DEVICE : STATUS_SUCCESS;
}

// The argument is the lower device: the one above it is detached.
VOID NTAPI IoDetachDevice(PDEVICE_OBJECT TargetDevice) {
    DIRQL_DOOR(IoDetachDevice);
    PDEVICE_OBJECT above = TargetDevice->AttachedDevice;
    if (above == nullptr) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x202, 0, 0, ke::parameter(TargetDevice),
                      {.rule = "IoDetachDevice was called for a device that nothing is attached to",
                       .document = "IoDetachDevice function (wdm.h)",
                       .device = TargetDevice});
    }
    state_of(above).attached_to = nullptr;
    TargetDevice->AttachedDevice = nullptr;
    if (TargetDevice->ReferenceCount != 0) return;
    // As the last open file that goes.
    reference_device(TargetDevice);
    dereference_device(TargetDevice);
}

NTSTATUS NTAPI IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess, PFILE_OBJECT* FileObject,
                                        PDEVICE_OBJECT* DeviceObject) {
    DIRQL_DOOR(IoGetDeviceObjectPointer);
    HANDLE handle = nullptr;
    const NTSTATUS status = open_device(ObjectName, DesiredAccess, &handle, FileObject);
    if (!NT_SUCCESS(status)) return status;
    *DeviceObject = IoGetRelatedDeviceObject(*FileObject);
    ZwClose(handle); // the reference keeps the device from going away
    return status;
}

// The device that gets a file's IRPs: the top of its stack.
PDEVICE_OBJECT NTAPI IoGetRelatedDeviceObject(PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoGetRelatedDeviceObject);
    return device_for(FileObject);
}

PDEVICE_OBJECT NTAPI IoGetLowerDeviceObject(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoGetLowerDeviceObject);
    PDEVICE_OBJECT lower = state_of(DeviceObject).attached_to;
    if (lower == nullptr || state_of(DeviceObject).delete_pending) return nullptr;
    if (state_of(lower).delete_pending || state_of(lower->DriverObject).unload_pending) return nullptr;
    ObReferenceObject(lower);
    return lower;
}

PDEVICE_OBJECT NTAPI IoGetDeviceAttachmentBaseRef(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoGetDeviceAttachmentBaseRef);
    PDEVICE_OBJECT base = DeviceObject;
    while (state_of(base).attached_to != nullptr) base = state_of(base).attached_to;
    ObReferenceObject(base);
    return base;
}

NTSTATUS NTAPI IoEnumerateDeviceObjectList(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT* DeviceObjectList,
                                           ULONG DeviceObjectListSize, PULONG ActualNumberDeviceObjects) {
    DIRQL_DOOR(IoEnumerateDeviceObjectList);
    ULONG count = 0;
    const ULONG room = DeviceObjectList == nullptr ? 0 : DeviceObjectListSize / sizeof(PDEVICE_OBJECT);
    for (PDEVICE_OBJECT device = DriverObject->DeviceObject; device != nullptr; device = device->NextDevice) ++count;
    *ActualNumberDeviceObjects = count;
    ULONG i = 0; // as many as there is room for, each referenced
    for (PDEVICE_OBJECT device = DriverObject->DeviceObject; i < room && device != nullptr;
         device = device->NextDevice) {
        ObReferenceObject(device);
        DeviceObjectList[i++] = device;
    }
    return room < count ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}
}
