/* A driver with globals of both kinds: each control request counts both up and returns them. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

static LONG g_from_seven = 7;
static LONG g_from_zero;

static NTSTATUS Count(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    LONG* out = Irp->AssociatedIrp.SystemBuffer;
    UNREFERENCED_PARAMETER(DeviceObject);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction == IRP_MJ_DEVICE_CONTROL) {
        out[0] = ++g_from_seven;
        out[1] = ++g_from_zero;
        Irp->IoStatus.Information = 2 * sizeof(LONG);
    }
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT DriverObject) { IoDeleteDevice(DriverObject->DeviceObject); }

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Counter");
    PDEVICE_OBJECT device;
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Count;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = Count;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Count;
    DriverObject->DriverUnload = Unload;
    return IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}
