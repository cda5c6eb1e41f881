/* Pends each control request; a DPC completes it. */
#include <ntddk.h>

static DRIVER_DISPATCH CompleteAtOnce;
static DRIVER_DISPATCH Pend;
static IO_DPC_ROUTINE CompleteLater;
static DRIVER_UNLOAD Unload;
DRIVER_INITIALIZE DriverEntry;

static NTSTATUS CompleteAtOnce(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID CompleteLater(PKDPC Dpc, PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context) {
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Context);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

/* The DPC may run, and complete the request, before this has returned: pending it is all the same. */
static NTSTATUS Pend(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    IoMarkIrpPending(Irp);
    IoRequestDpc(DeviceObject, Irp, NULL);
    return STATUS_PENDING;
}

static VOID Unload(PDRIVER_OBJECT DriverObject) { IoDeleteDevice(DriverObject->DeviceObject); }

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Pend");
    PDEVICE_OBJECT device;
    NTSTATUS status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = CompleteAtOnce;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = CompleteAtOnce;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Pend;
    DriverObject->DriverUnload = Unload;
    status = IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (NT_SUCCESS(status)) {
        IoInitializeDpcRequest(device, CompleteLater);
    }
    return status;
}
