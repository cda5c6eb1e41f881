/*
 * hello: the smallest driver that an application can open. It shows what every driver has: an entry point that makes a
 * device and names it, dispatch routines that complete IRPs, and an unload routine that takes back all it made.
 */
#include <ntddk.h>

#include "public.h"

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD HelloUnload;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) static DRIVER_DISPATCH HelloCreateClose;

/* An application opens the device (IRP_MJ_CREATE) or has given up its last handle (IRP_MJ_CLOSE). */
static NTSTATUS HelloCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);

    UNREFERENCED_PARAMETER(DeviceObject);
    DbgPrint("hello: %s\n", Location->MajorFunction == IRP_MJ_CREATE ? "somebody opens me" : "somebody closes me");

    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT); /* from here on the IRP is not ours: no touching it */
    return STATUS_SUCCESS;
}

/* The I/O manager calls this when nobody has the device open. Afterwards our code is gone. */
static VOID HelloUnload(PDRIVER_OBJECT DriverObject) {
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(HELLO_LINK_NAME);

    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
    DbgPrint("hello: goodbye\n");
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(HELLO_DEVICE_NAME);
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(HELLO_LINK_NAME);
    PDEVICE_OBJECT DeviceObject;
    NTSTATUS Status;

    DbgPrint("hello: loaded; my parameters would be in %wZ\n", RegistryPath);

    Status = IoCreateDevice(DriverObject, 0, &DeviceName, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE,
                            &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(DeviceObject); /* a driver whose DriverEntry fails is never unloaded: it cleans up itself */
        return Status;
    }

    /* All other major functions keep the I/O manager's routine, which fails them with STATUS_INVALID_DEVICE_REQUEST. */
    DriverObject->MajorFunction[IRP_MJ_CREATE] = HelloCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = HelloCreateClose;
    DriverObject->DriverUnload = HelloUnload;
    return STATUS_SUCCESS;
}
