/* A driver that does wrong what it is told to: see misuse.h. Each function is one error that a real driver might have. */
#include "driver.h"

DRIVER_INITIALIZE DriverEntry;

PDEVICE_OBJECT g_device;
KSPIN_LOCK g_lock;
KMUTEX g_mutex;
KEVENT g_event;
KDPC g_dpc;
KTIMER g_timer;
volatile LONG g_flag;

NTSTATUS Complete(PIRP Irp, NTSTATUS Status) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

NTSTATUS StartThread(PKSTART_ROUTINE Routine) {
    HANDLE thread;
    NTSTATUS status = PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, NULL);
    if (NT_SUCCESS(status)) ZwClose(thread);
    return status;
}

VOID Sleep(LONG Milliseconds) {
    LARGE_INTEGER interval;
    interval.QuadPart = -10000LL * Milliseconds;
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

VOID InDpc(PKDEFERRED_ROUTINE Routine) {
    KeInitializeDpc(&g_dpc, Routine, NULL);
    KeInsertQueueDpc(&g_dpc, NULL, NULL);
}

volatile int* Null(void) {
    static volatile int* volatile null_pointer;
    return null_pointer;
}

volatile int* SystemGarbage(void) { return (volatile int*)((ULONG_PTR)MmSystemRangeStart + 0x7000000000ULL); }

/* What a dispatch routine itself returns wrong; the rest is a function each. */
static NTSTATUS DispatchMisuse(PIRP Irp, ULONG Which) {
    static VOID (*const misuses[])(PIRP) = {
#define MISUSE_ENTRY(name) [misuse_##name] = do_##name,
#include "misuses.def"
#undef MISUSE_ENTRY
    };
    g_flag = 0;
    switch (Which) {
    case misuse_pending_not_marked: return STATUS_PENDING;
    case misuse_suspicious_status: return (NTSTATUS)-1;
    case misuse_not_completed: return STATUS_SUCCESS;
    case misuse_marked_not_pending: IoMarkIrpPending(Irp); return Complete(Irp, STATUS_SUCCESS);
    default: break;
    }
    if (Which >= RTL_NUMBER_OF(misuses) || misuses[Which] == NULL) return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST);
    misuses[Which](Irp);
    return Complete(Irp, STATUS_SUCCESS);
}

static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return DispatchMisuse(Irp,
                          (IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode >> 2) & 0x7FF);
}

static NTSTATUS Succeed(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    IoDeleteDevice(DriverObject->DeviceObject);
    LeaveBehind();
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Misuse");
    UNREFERENCED_PARAMETER(RegistryPath);
    KeInitializeSpinLock(&g_lock);
    KeInitializeMutex(&g_mutex, 0);
    KeInitializeEvent(&g_event, NotificationEvent, FALSE);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = Succeed;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = Succeed;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    DriverObject->DriverUnload = Unload;
    return IoCreateDevice(DriverObject, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &g_device);
}
