/*
 * queue: a device that does one thing at a time. Requests that come while it is busy wait in the device queue, which the
 * I/O manager keeps for drivers with a StartIo routine. A timer stands for the hardware: it "interrupts" when a job is
 * done, and its DPC completes the IRP. A waiting request can be cancelled.
 *
 * The life of a request:
 *
 *     QueueDeviceControl ──► IoStartPacket ──► QueueStartIo ──► QueueTimerDpc ──► IoCompleteRequest
 *                                  │                ▲                │
 *                                  ▼                │                ▼
 *                            device queue ──────────┴─────── IoStartNextPacket
 *                                  │
 *                                  └──► QueueCancel, QueueCleanup ──► IoCompleteRequest (STATUS_CANCELLED)
 *
 * Who may complete an IRP is decided under the system's cancel spin lock: as long as it has a cancel routine it belongs to
 * the queue; QueueStartIo takes the routine away, and from then on it belongs to the device.
 */
#include <ntddk.h>

#include "public.h"

typedef struct _DEVICE_EXTENSION {
    KTIMER Timer;
    KDPC TimerDpc;
    ULONG Finished; /* written by the DPC alone */
} DEVICE_EXTENSION, *PDEVICE_EXTENSION;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD QueueUnload;
static DRIVER_STARTIO QueueStartIo;
static DRIVER_CANCEL QueueCancel;
static KDEFERRED_ROUTINE QueueTimerDpc;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) static DRIVER_DISPATCH QueueCreateClose;
_Dispatch_type_(IRP_MJ_CLEANUP) static DRIVER_DISPATCH QueueCleanup;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) static DRIVER_DISPATCH QueueDeviceControl;

static NTSTATUS QueueComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information, CCHAR PriorityBoost) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, PriorityBoost);
    return Status;
}

static NTSTATUS QueueCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return QueueComplete(Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

/* Checks the request, and leaves it to StartIo: at once if the device is idle, later if not. */
static NTSTATUS QueueDeviceControl(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);

    if (Location->Parameters.DeviceIoControl.IoControlCode != IOCTL_QUEUE_WORK) {
        return QueueComplete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0, IO_NO_INCREMENT);
    }
    if (Location->Parameters.DeviceIoControl.InputBufferLength < sizeof(QUEUE_JOB) ||
        Location->Parameters.DeviceIoControl.OutputBufferLength < sizeof(QUEUE_RESULT)) {
        return QueueComplete(Irp, STATUS_BUFFER_TOO_SMALL, 0, IO_NO_INCREMENT);
    }
    if (((PQUEUE_JOB)Irp->AssociatedIrp.SystemBuffer)->Milliseconds > QUEUE_LONGEST_JOB) {
        return QueueComplete(Irp, STATUS_INVALID_PARAMETER, 0, IO_NO_INCREMENT);
    }
    /* Before anybody else can see the IRP. From here on nothing but STATUS_PENDING may be returned. */
    IoMarkIrpPending(Irp);
    IoStartPacket(DeviceObject, Irp, NULL, QueueCancel);
    return STATUS_PENDING;
}

/*
 * The device is idle, and this is its next job. Called at DISPATCH_LEVEL, never for two IRPs of a device at a time. The IRP
 * can have been cancelled on the way here: QueueCancel then has left it to us.
 */
static VOID QueueStartIo(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    BOOLEAN Cancelled;
    LARGE_INTEGER DueTime;
    KIRQL OldIrql;

    IoAcquireCancelSpinLock(&OldIrql);
    IoSetCancelRoutine(Irp, NULL);
    Cancelled = Irp->Cancel;
    IoReleaseCancelSpinLock(OldIrql);

    if (Cancelled) {
        IoStartNextPacket(DeviceObject, TRUE);
        QueueComplete(Irp, STATUS_CANCELLED, 0, IO_NO_INCREMENT);
        return;
    }
    /* Negative: from now on. In units of 100 ns. */
    DueTime.QuadPart = -10000LL * ((PQUEUE_JOB)Irp->AssociatedIrp.SystemBuffer)->Milliseconds;
    KeSetTimer(&Extension->Timer, DueTime, &Extension->TimerDpc);
}

/*
 * The job is done. At DISPATCH_LEVEL, in the context of whichever thread was interrupted: IoCompleteRequest sees to it that
 * the result reaches the thread that asked.
 */
static VOID QueueTimerDpc(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2) {
    PDEVICE_OBJECT DeviceObject = (PDEVICE_OBJECT)DeferredContext;
    PDEVICE_EXTENSION Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    PIRP Irp = DeviceObject->CurrentIrp;

    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);

    ((PQUEUE_RESULT)Irp->AssociatedIrp.SystemBuffer)->Number = ++Extension->Finished;
    IoStartNextPacket(DeviceObject, TRUE); /* first, so that the device does not idle while the IRP is completed */
    QueueComplete(Irp, STATUS_SUCCESS, sizeof(QUEUE_RESULT), IO_NO_INCREMENT);
}

/*
 * Called with the cancel spin lock held. Either the IRP waits in the device queue, or it has just left it and StartIo, which
 * wants the lock, will see that it is cancelled.
 */
static VOID QueueCancel(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    KIRQL OldIrql = Irp->CancelIrql; /* read before the lock goes: afterwards the IRP may be gone */
    BOOLEAN Removed = FALSE;

    if (Irp != DeviceObject->CurrentIrp) {
        Removed = KeRemoveEntryDeviceQueue(&DeviceObject->DeviceQueue, &Irp->Tail.Overlay.DeviceQueueEntry);
    }
    IoReleaseCancelSpinLock(OldIrql);
    if (Removed) {
        QueueComplete(Irp, STATUS_CANCELLED, 0, IO_NO_INCREMENT);
    }
}

/* Moves the waiting IRPs of a file to a list. The cancel spin lock is held, so that nothing comes or goes meanwhile. */
static VOID QueueTakeIrpsOfFile(PDEVICE_OBJECT DeviceObject, PFILE_OBJECT FileObject, PLIST_ENTRY Taken) {
    PKDEVICE_QUEUE Queue = &DeviceObject->DeviceQueue;
    PKDEVICE_QUEUE_ENTRY Entry;
    LIST_ENTRY Others;

    InitializeListHead(&Others);
    while ((Entry = KeRemoveDeviceQueue(Queue)) != NULL) {
        PIRP Irp = CONTAINING_RECORD(Entry, IRP, Tail.Overlay.DeviceQueueEntry);
        if (IoGetCurrentIrpStackLocation(Irp)->FileObject == FileObject) {
            IoSetCancelRoutine(Irp, NULL);
            InsertTailList(Taken, &Irp->Tail.Overlay.ListEntry);
        } else {
            InsertTailList(&Others, &Irp->Tail.Overlay.ListEntry);
        }
    }
    /* Finding the queue empty has marked it idle. Into an idle queue the first entry goes only as the mark that it is busy:
     * that is the current IRP's. The others wait again behind it. */
    KeInsertDeviceQueue(Queue, &DeviceObject->CurrentIrp->Tail.Overlay.DeviceQueueEntry);
    while (!IsListEmpty(&Others)) {
        PIRP Irp = CONTAINING_RECORD(RemoveHeadList(&Others), IRP, Tail.Overlay.ListEntry);
        KeInsertDeviceQueue(Queue, &Irp->Tail.Overlay.DeviceQueueEntry);
    }
}

/* The last handle of a file is closed: nobody waits for its requests any more. The one that the device works on ends soon. */
static NTSTATUS QueueCleanup(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PFILE_OBJECT FileObject = IoGetCurrentIrpStackLocation(Irp)->FileObject;
    LIST_ENTRY Taken;
    KIRQL OldIrql;

    InitializeListHead(&Taken);
    IoAcquireCancelSpinLock(&OldIrql);
    if (DeviceObject->CurrentIrp != NULL) { /* else nothing waits */
        QueueTakeIrpsOfFile(DeviceObject, FileObject, &Taken);
    }
    IoReleaseCancelSpinLock(OldIrql);

    while (!IsListEmpty(&Taken)) {
        PIRP Waiting = CONTAINING_RECORD(RemoveHeadList(&Taken), IRP, Tail.Overlay.ListEntry);
        QueueComplete(Waiting, STATUS_CANCELLED, 0, IO_NO_INCREMENT);
    }
    return QueueComplete(Irp, STATUS_SUCCESS, 0, IO_NO_INCREMENT);
}

/* No file is open, so no IRP is here; but the DPC that completed the last one may still be on its way out. */
static VOID QueueUnload(PDRIVER_OBJECT DriverObject) {
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(QUEUE_LINK_NAME);

    KeFlushQueuedDpcs();
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(QUEUE_DEVICE_NAME);
    UNICODE_STRING LinkName = RTL_CONSTANT_STRING(QUEUE_LINK_NAME);
    PDEVICE_OBJECT DeviceObject;
    PDEVICE_EXTENSION Extension;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = QueueCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = QueueCreateClose;
    DriverObject->MajorFunction[IRP_MJ_CLEANUP] = QueueCleanup;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = QueueDeviceControl;
    DriverObject->DriverStartIo = QueueStartIo;
    DriverObject->DriverUnload = QueueUnload;

    Status = IoCreateDevice(DriverObject, sizeof(DEVICE_EXTENSION), &DeviceName, FILE_DEVICE_UNKNOWN,
                            FILE_DEVICE_SECURE_OPEN, FALSE, &DeviceObject);
    if (!NT_SUCCESS(Status)) {
        return Status;
    }
    Extension = (PDEVICE_EXTENSION)DeviceObject->DeviceExtension;
    KeInitializeTimer(&Extension->Timer);
    KeInitializeDpc(&Extension->TimerDpc, QueueTimerDpc, DeviceObject);

    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(DeviceObject);
    }
    return Status;
}
