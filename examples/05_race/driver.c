/*
 * race: a device that gives out numbered tickets, in two ways: one that is right as long as nobody is in a hurry, and one that
 * is right.
 */
#include <ntddk.h>

#include "public.h"

typedef struct _DEVICE_EXTENSION {
    KSPIN_LOCK Lock;
    ULONG Given;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD RaceUnload;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) static DRIVER_DISPATCH RaceCreateClose;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) static DRIVER_DISPATCH RaceDeviceControl;

static NTSTATUS RaceComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS RaceCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return RaceComplete(Irp, STATUS_SUCCESS, 0);
}

/* Looks first, then takes: between the two another thread may look as well. */
static NTSTATUS RaceHasty(PDEVICE_EXTENSION Extension, PULONG Ticket) {
    ULONG Given = Extension->Given;

    if (Given == RACE_TICKETS) {
        return STATUS_NO_MORE_ENTRIES;
    }
    Extension->Given = Given + 1;
    *Ticket = Given + 1;
    return STATUS_SUCCESS;
}

static NTSTATUS RaceCareful(PDEVICE_EXTENSION Extension, PULONG Ticket) {
    KIRQL OldIrql;
    NTSTATUS Status;

    KeAcquireSpinLock(&Extension->Lock, &OldIrql);
    Status = RaceHasty(Extension, Ticket);
    KeReleaseSpinLock(&Extension->Lock, OldIrql);
    return Status;
}

static NTSTATUS RaceDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);
    PULONG Ticket = (PULONG)Irp->AssociatedIrp.SystemBuffer;
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;

    if (Location->Parameters.DeviceIoControl.OutputBufferLength < sizeof(ULONG)) {
        return RaceComplete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    }
    switch (Location->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_RACE_HASTY: Status = RaceHasty(Extension, Ticket); break;
    case IOCTL_RACE_CAREFUL: Status = RaceCareful(Extension, Ticket); break;
    }
    return RaceComplete(Irp, Status, NT_SUCCESS(Status) ? sizeof(ULONG) : 0);
}

static VOID RaceUnload(PDRIVER_OBJECT DriverObject) {
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(RACE_LINK_NAME);

    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(RACE_DEVICE_NAME);
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(RACE_LINK_NAME);
    PDEVICE_OBJECT DeviceObject;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = RaceCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = RaceCreateClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = RaceDeviceControl;
    DriverObject->DriverUnload = RaceUnload;

    Status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), &DeviceName, FILE_DEVICE_UNKNOWN,
                            FILE_DEVICE_SECURE_OPEN, FALSE, &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    KeInitializeSpinLock(&((PDEVICE_EXTENSION)DeviceObject->DeviceExtension)->Lock);
    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(DeviceObject);
    }
    return Status;
}
