/*
 * echo: a device that remembers what is written to it and gives it to whoever reads. It shows buffered I/O: the I/O
 * manager copies between the application's memory and a buffer of the system, and the driver sees only the latter.
 */
#include <ntddk.h>

#include "public.h"

typedef struct _DEVICE_EXTENSION {
    KSPIN_LOCK Lock; /* guards all that follows */
    ULONG Length;
    ULONG Writes;
    UCHAR Bytes[ECHO_CAPACITY];
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD EchoUnload;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) static DRIVER_DISPATCH EchoCreateClose;
_Dispatch_type_(IRP_MJ_READ) static DRIVER_DISPATCH EchoRead;
_Dispatch_type_(IRP_MJ_WRITE) static DRIVER_DISPATCH EchoWrite;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) static DRIVER_DISPATCH EchoDeviceControl;

/* Ends a request: how it went, and how many bytes of the system buffer the I/O manager shall copy to the application. */
static NTSTATUS EchoComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS EchoCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return EchoComplete(Irp, STATUS_SUCCESS, 0);
}

/* The buffer is null when the length is zero. */
static NTSTATUS EchoRead(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Read.Length;
    KIRQL OldIrql;

    KeAcquireSpinLock(&Extension->Lock, &OldIrql);
    Length = min(Length, Extension->Length);
    if (Length != 0) {
        RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, Extension->Bytes, Length);
    }
    KeReleaseSpinLock(&Extension->Lock, OldIrql);
    return EchoComplete(Irp, STATUS_SUCCESS, Length);
}

static NTSTATUS EchoWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    ULONG Length = IoGetCurrentIrpStackLocation(Irp)->Parameters.Write.Length;
    KIRQL OldIrql;

    if (Length > ECHO_CAPACITY) {
        return EchoComplete(Irp, STATUS_INVALID_BUFFER_SIZE, 0);
    }
    KeAcquireSpinLock(&Extension->Lock, &OldIrql);
    if (Length != 0) {
        RtlCopyMemory(Extension->Bytes, Irp->AssociatedIrp.SystemBuffer, Length);
    }
    Extension->Length = Length;
    Extension->Writes++;
    KeReleaseSpinLock(&Extension->Lock, OldIrql);
    return EchoComplete(Irp, STATUS_SUCCESS, Length);
}

/* METHOD_BUFFERED: one system buffer serves as input and as output. */
static NTSTATUS EchoReverse(PIRP Irp, ULONG InLength, ULONG OutLength) {
    PUCHAR Bytes = (PUCHAR)Irp->AssociatedIrp.SystemBuffer;
    ULONG Index;

    if (OutLength < InLength) {
        return EchoComplete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    }
    for (Index = 0; Index < InLength / 2; Index++) {
        UCHAR Byte = Bytes[Index];
        Bytes[Index] = Bytes[InLength - 1 - Index];
        Bytes[InLength - 1 - Index] = Byte;
    }
    return EchoComplete(Irp, STATUS_SUCCESS, InLength);
}

static NTSTATUS EchoQuery(PDEVICE_EXTENSION Extension, PIRP Irp, ULONG OutLength) {
    PECHO_STATE State = (PECHO_STATE)Irp->AssociatedIrp.SystemBuffer;
    KIRQL OldIrql;

    if (OutLength < sizeof(ECHO_STATE)) {
        return EchoComplete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    }
    KeAcquireSpinLock(&Extension->Lock, &OldIrql);
    State->Length = Extension->Length;
    State->Writes = Extension->Writes;
    KeReleaseSpinLock(&Extension->Lock, OldIrql);
    return EchoComplete(Irp, STATUS_SUCCESS, sizeof(ECHO_STATE));
}

static NTSTATUS EchoDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);
    ULONG InLength = Location->Parameters.DeviceIoControl.InputBufferLength;
    ULONG OutLength = Location->Parameters.DeviceIoControl.OutputBufferLength;

    switch (Location->Parameters.DeviceIoControl.IoControlCode) {
    case IOCTL_ECHO_REVERSE: return EchoReverse(Irp, InLength, OutLength);
    case IOCTL_ECHO_QUERY: return EchoQuery(Extension, Irp, OutLength);
    default: return EchoComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static VOID EchoUnload(PDRIVER_OBJECT DriverObject) {
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(ECHO_LINK_NAME);

    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(ECHO_DEVICE_NAME);
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(ECHO_LINK_NAME);
    PDEVICE_OBJECT DeviceObject;
    PDEVICE_EXTENSION Extension;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = EchoCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = EchoCreateClose;
    DriverObject->MajorFunction[IRP_MJ_READ] = EchoRead;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = EchoWrite;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = EchoDeviceControl;
    DriverObject->DriverUnload = EchoUnload;

    Status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), &DeviceName, FILE_DEVICE_UNKNOWN,
                            FILE_DEVICE_SECURE_OPEN, FALSE, &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension; /* the I/O manager has zeroed it */
    KeInitializeSpinLock(&Extension->Lock);
    DeviceObject->Flags |= DO_BUFFERED_IO; /* for reads and writes; a control code names its own method */

    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(DeviceObject);
    }
    return Status;
}
