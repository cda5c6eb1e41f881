/* Stands above the misuse driver's device and hands everything down: it is on the stack of whatever that one does wrong. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_DISPATCH PassOn;

static NTSTATUS PassOn(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(*(PDEVICE_OBJECT*)DeviceObject->DeviceExtension, Irp);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING target = RTL_CONSTANT_STRING(L"\\Device\\Misuse");
    PDEVICE_OBJECT device;
    NTSTATUS status;
    ULONG i;

    UNREFERENCED_PARAMETER(RegistryPath);
    for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) DriverObject->MajorFunction[i] = PassOn;
    status = IoCreateDevice(DriverObject, sizeof(PDEVICE_OBJECT), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status)) return status;
    status = IoAttachDevice(device, &target, (PDEVICE_OBJECT*)device->DeviceExtension);
    if (!NT_SUCCESS(status)) IoDeleteDevice(device);
    return status;
}
