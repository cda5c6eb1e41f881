/* Two devices that tell which they are, keep each read until it is cancelled, and can bug check a moment later. */
#include "keeper.h"

DRIVER_INITIALIZE DriverEntry;

static KTIMER g_timer;
static KDPC g_dpc;

static VOID BugCheckLater(PKDPC Dpc, PVOID Context, PVOID First, PVOID Second) {
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    UNREFERENCED_PARAMETER(First);
    UNREFERENCED_PARAMETER(Second);
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 2, 3, 4);
}

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static VOID CancelRead(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Complete(Irp, STATUS_CANCELLED, 0);
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS Read(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    IoMarkIrpPending(Irp);
    IoSetCancelRoutine(Irp, CancelRead);
    return STATUS_PENDING;
}

static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    LARGE_INTEGER soon;
    soon.QuadPart = -10000; /* 1 ms */
    switch (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode) {
    case KEEPER_WHICH:
        *(PCHAR)Irp->AssociatedIrp.SystemBuffer = *(PCHAR)DeviceObject->DeviceExtension;
        return Complete(Irp, STATUS_SUCCESS, 1);
    case KEEPER_BUG_CHECK_LATER: KeSetTimer(&g_timer, soon, &g_dpc); break;
    case KEEPER_PRINT: DbgPrint("keeper\n"); break;
    default: return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    while (DriverObject->DeviceObject != NULL) IoDeleteDevice(DriverObject->DeviceObject);
}

static NTSTATUS MakeDevice(PDRIVER_OBJECT DriverObject, PCWSTR Name, CHAR Which) {
    UNICODE_STRING name;
    PDEVICE_OBJECT device;
    NTSTATUS status;
    RtlInitUnicodeString(&name, Name);
    status = IoCreateDevice(DriverObject, 1, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (NT_SUCCESS(status)) *(PCHAR)device->DeviceExtension = Which;
    return status;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    NTSTATUS status;
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_READ] = Read;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    DriverObject->DriverUnload = Unload;
    KeInitializeTimer(&g_timer);
    KeInitializeDpc(&g_dpc, BugCheckLater, NULL);
    status = MakeDevice(DriverObject, L"\\Device\\KeeperA", 'A');
    return NT_SUCCESS(status) ? MakeDevice(DriverObject, L"\\Device\\KeeperB", 'B') : status;
}
