/* \\.\GdbCount adds up the bytes that IOCTL 0x222000 brings: something to break in. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_DISPATCH OpenOrClose, Count;
static DRIVER_UNLOAD Unload;

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\GdbCount");
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevices\\GdbCount");
static ULONG Total = 100;

static NTSTATUS Complete(PIRP Irp, ULONG_PTR Information) {
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, 0);
}

static VOID Add(PUCHAR Bytes, ULONG Length) {
    ULONG i;

    for (i = 0; i < Length; ++i) {
        Total += Bytes[i];
    }
}

static NTSTATUS Count(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    Add(Irp->AssociatedIrp.SystemBuffer, Location->Parameters.DeviceIoControl.InputBufferLength);
    *(PULONG)Irp->AssociatedIrp.SystemBuffer = Total;
    return Complete(Irp, sizeof(ULONG));
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    PDEVICE_OBJECT Device;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    Status = IoCreateDevice(DriverObject, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status)) return Status;
    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(Device);
        return Status;
    }
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Count;
    DriverObject->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
