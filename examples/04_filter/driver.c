/*
 * filter: attaches itself above the echo device of example 02 and changes what applications get from it into upper case.
 * Neither the applications nor the echo driver know of it: an IRP is sent to the top of a device stack, and each driver
 * hands it down to the next. What comes back up is seen by a completion routine.
 */
#include <ntddk.h>

#include "../02_echo/public.h"

typedef struct _DEVICE_EXTENSION {
    PDEVICE_OBJECT LowerDevice; /* the next one down the stack: where IRPs go on */
    LONG Outstanding;           /* IRPs whose completion routine has yet to run, and one while the filter is attached */
    KEVENT NoneOutstanding;
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD FilterUnload;
static DRIVER_DISPATCH FilterPassOn;
_Dispatch_type_(IRP_MJ_READ) static DRIVER_DISPATCH FilterPassOnAndWatch;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) static DRIVER_DISPATCH FilterDeviceControl;
static IO_COMPLETION_ROUTINE FilterComplete;

/* For every request that is none of our business. The lower driver gets our stack location, as if we were not there. */
static NTSTATUS FilterPassOn(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;

    IoSkipCurrentIrpStackLocation(Irp);
    return IoCallDriver(Extension->LowerDevice, Irp);
}

static VOID FilterOneLess(PDEVICE_EXTENSION Extension) {
    if (InterlockedDecrement(&Extension->Outstanding) == 0) {
        KeSetEvent(&Extension->NoneOutstanding, IO_NO_INCREMENT, FALSE);
    }
}

/* What is read can be changed only when it is there: after the lower driver has completed the IRP. */
static NTSTATUS FilterPassOnAndWatch(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;

    InterlockedIncrement(&Extension->Outstanding);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, FilterComplete, NULL, TRUE, TRUE, TRUE);
    return IoCallDriver(Extension->LowerDevice, Irp); /* whatever it returns: the IRP may be gone by now */
}

static NTSTATUS FilterDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    if (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode == IOCTL_ECHO_REVERSE) {
        return FilterPassOnAndWatch(DeviceObject, Irp);
    }
    return FilterPassOn(DeviceObject, Irp);
}

/*
 * The IRP is on its way up. Maybe at DISPATCH_LEVEL, maybe in another thread than the one that asked, hence only the system
 * buffer is touched.
 */
static NTSTATUS FilterComplete(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context) {
    PUCHAR Bytes = (PUCHAR)Irp->AssociatedIrp.SystemBuffer;
    ULONG_PTR Index;

    UNREFERENCED_PARAMETER(Context);
    if (Irp->PendingReturned) {
        IoMarkIrpPending(Irp); /* FilterPassOnAndWatch has returned STATUS_PENDING: our stack location must say so */
    }
    if (NT_SUCCESS(Irp->IoStatus.Status)) {
        for (Index = 0; Index < Irp->IoStatus.Information; Index++) {
            if (Bytes[Index] >= 'a' && Bytes[Index] <= 'z') {
                Bytes[Index] -= 'a' - 'A';
            }
        }
    }
    FilterOneLess((PDEVICE_EXTENSION)DeviceObject->DeviceExtension);
    return STATUS_CONTINUE_COMPLETION;
}

/* First out of the stack, so that nothing new comes; then until the last completion routine has run; then away. */
static VOID FilterUnload(PDRIVER_OBJECT DriverObject) {
    PDEVICE_OBJECT DeviceObject = DriverObject->DeviceObject;
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;

    IoDetachDevice(Extension->LowerDevice);
    FilterOneLess(Extension);
    KeWaitForSingleObject(&Extension->NoneOutstanding, Executive, KernelMode, FALSE, NULL);
    IoDeleteDevice(DeviceObject);
}

/*
 * Onto the top of the stack that the named device stands in. IRPs can come as soon as we stand there, before any line after
 * the attaching: so everything is made ready first, and the routine itself stores the lower device in the extension.
 */
static NTSTATUS FilterAttach(PDEVICE_OBJECT DeviceObject, PUNICODE_STRING TargetName) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    PFILE_OBJECT FileObject;
    PDEVICE_OBJECT Target;
    NTSTATUS Status;

    Status = IoGetDeviceObjectPointer(TargetName, FILE_READ_ATTRIBUTES, &FileObject, &Target);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    /* The I/O manager looks at the top of the stack to learn how buffers are passed: we must look like the one below. */
    DeviceObject->Flags |= Target->Flags & (DO_BUFFERED_IO | DO_DIRECT_IO);
    DeviceObject->DeviceType = Target->DeviceType;
    DeviceObject->Characteristics = Target->Characteristics;

    Status = IoAttachDeviceToDeviceStackSafe(DeviceObject, Target, &Extension->LowerDevice);
    ObDereferenceObject(FileObject); /* being attached keeps the lower device; its file is not needed any more */
    return Status;
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING TargetName = RTL_CONSTANT_STRING(ECHO_DEVICE_NAME);
    PDEVICE_OBJECT DeviceObject;
    PDEVICE_EXTENSION Extension;
    NTSTATUS Status;
    ULONG Index;

    UNREFERENCED_PARAMETER(RegistryPath);
    for (Index = 0; Index <= IRP_MJ_MAXIMUM_FUNCTION; Index++) {
        DriverObject->MajorFunction[Index] = FilterPassOn; /* also for requests that we have never heard of */
    }
    DriverObject->MajorFunction[IRP_MJ_READ] = FilterPassOnAndWatch;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = FilterDeviceControl;
    DriverObject->DriverUnload = FilterUnload;

    /* Without a name: nobody opens it, everybody comes through it. */
    Status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    Extension->Outstanding = 1;
    KeInitializeEvent(&Extension->NoneOutstanding, NotificationEvent, FALSE);

    Status = FilterAttach(DeviceObject, &TargetName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(DeviceObject);
    }
    return Status;
}
