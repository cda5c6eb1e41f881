/* The dialect of drivers from NT 4 to today, all in one unit: it compiles without a warning as C and as C++. */
#ifdef __cplusplus
extern "C" {
#endif
#include <ntddk.h>
#include <stdarg.h>
#include <stdio.h>
#include <wdmsec.h>
#ifdef __cplusplus
}
#endif

#pragma warning(disable : 4127)

DRIVER_INITIALIZE DriverEntry;
_Dispatch_type_(IRP_MJ_CREATE) _Dispatch_type_(IRP_MJ_CLOSE) DRIVER_DISPATCH OldCreateClose;
__drv_dispatchType(IRP_MJ_READ) DRIVER_DISPATCH OldRead;
_Function_class_(DRIVER_UNLOAD) _IRQL_requires_(PASSIVE_LEVEL) _IRQL_requires_same_ DRIVER_UNLOAD OldUnload;
DRIVER_STARTIO OldStartIo;
DRIVER_CANCEL OldCancel;
IO_COMPLETION_ROUTINE OldCompleted;
KDEFERRED_ROUTINE OldTimerDpc;
IO_DPC_ROUTINE OldDpcForIsr;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, OldCreateClose)
#endif

typedef struct _OLD_EXTENSION {
    PDEVICE_OBJECT Self;
    KSPIN_LOCK Lock;
    KTIMER Timer;
    KDPC Dpc;
    LIST_ENTRY Waiting;
    FAST_MUTEX Mutex;
    LONG Opens;
    unsigned __int64 Total;
} OLD_EXTENSION, *POLD_EXTENSION;

typedef __declspec(align(16)) struct _OLD_ALIGNED { UCHAR Bytes[16]; } OLD_ALIGNED;

#define OLD_IOCTL CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_NEITHER, FILE_ANY_ACCESS)
C_ASSERT(OLD_IOCTL == 0x222003);

static __inline ULONG OldDouble(IN ULONG value) { return value * 2; }
static FORCEINLINE ULONG OldTriple(__in ULONG value) { return value * 3; }
__declspec(noinline) static ULONG __stdcall OldQuadruple(_In_ ULONG value) { return value * 4; }

VOID OldTimerDpc(IN PKDPC Dpc, IN PVOID DeferredContext, IN PVOID SystemArgument1, IN PVOID SystemArgument2) {
    POLD_EXTENSION extension = (POLD_EXTENSION)DeferredContext;
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(SystemArgument1);
    UNREFERENCED_PARAMETER(SystemArgument2);
    KeAcquireSpinLockAtDpcLevel(&extension->Lock);
    while (!IsListEmpty(&extension->Waiting)) {
        PLIST_ENTRY entry = RemoveHeadList(&extension->Waiting);
        PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);
        irp->IoStatus.Status = STATUS_TIMEOUT;
        irp->IoStatus.Information = 0;
        IoCompleteRequest(irp, IO_NO_INCREMENT);
    }
    KeReleaseSpinLockFromDpcLevel(&extension->Lock);
}

VOID OldDpcForIsr(PKDPC Dpc, PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context) {
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(Context);
    IoCompleteRequest(Irp, IO_DISK_INCREMENT);
    IoStartNextPacket(DeviceObject, TRUE);
}

VOID OldCancel(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    Irp->IoStatus.Status = STATUS_CANCELLED;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
}

VOID OldStartIo(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    KIRQL irql;
    IoAcquireCancelSpinLock(&irql);
    (void)IoSetCancelRoutine(Irp, NULL);
    IoReleaseCancelSpinLock(irql);
    IoRequestDpc(DeviceObject, Irp, NULL);
}

NTSTATUS OldCompleted(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context) {
    UNREFERENCED_PARAMETER(DeviceObject);
    if (Irp->PendingReturned) {
        IoMarkIrpPending(Irp);
    }
    KeSetEvent((PKEVENT)Context, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS OldRead(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(Irp);
    KEVENT done;
    LARGE_INTEGER timeout;
    timeout.QuadPart = -10 * 1000 * 1000;
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, OldCompleted, &done, TRUE, TRUE, TRUE);
    if (IoCallDriver(DeviceObject->AttachedDevice, Irp) == STATUS_PENDING) {
        KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, &timeout);
    }
    KdPrint(("read %u of %wZ\n", stack->Parameters.Read.Length, &stack->FileObject->FileName));
    Irp->IoStatus.Information = OldDouble(1) + OldTriple(1) + OldQuadruple(1);
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

NTSTATUS OldCreateClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    POLD_EXTENSION extension = (POLD_EXTENSION)DeviceObject->DeviceExtension;
    PAGED_CODE();
    ASSERT(extension->Self == DeviceObject);
    InterlockedIncrement(&extension->Opens);
    ExAcquireFastMutex(&extension->Mutex);
    extension->Total += Irp->StackCount;
    ExReleaseFastMutex(&extension->Mutex);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

VOID OldUnload(IN PDRIVER_OBJECT DriverObject) {
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\Old");
    IoDeleteSymbolicLink(&link);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS
DriverEntry(IN PDRIVER_OBJECT DriverObject, IN PUNICODE_STRING RegistryPath OPTIONAL) {
    DECLARE_CONST_UNICODE_STRING(name, L"\\Device\\Old");
    UNICODE_STRING link;
    PDEVICE_OBJECT device = NULL;
    POLD_EXTENSION extension;
    OBJECT_ATTRIBUTES attributes;
    KIRQL irql;
    NTSTATUS status = IoCreateDevice(DriverObject, sizeof(OLD_EXTENSION), (PUNICODE_STRING)&name, FILE_DEVICE_UNKNOWN,
                                     FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    RtlInitUnicodeString(&link, L"\\DosDevices\\Old");
    InitializeObjectAttributes(&attributes, RegistryPath, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    extension = (POLD_EXTENSION)device->DeviceExtension;
    extension->Self = device;
    InitializeListHead(&extension->Waiting);
    KeInitializeSpinLock(&extension->Lock);
    ExInitializeFastMutex(&extension->Mutex);
    KeInitializeDpc(&extension->Dpc, OldTimerDpc, extension);
    KeInitializeTimer(&extension->Timer);
    IoInitializeDpcRequest(device, OldDpcForIsr);
    KeAcquireSpinLock(&extension->Lock, &irql);
    KeReleaseSpinLock(&extension->Lock, irql);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeLowerIrql(irql);
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OldCreateClose;
    DriverObject->MajorFunction[IRP_MJ_READ] = OldRead;
    DriverObject->DriverStartIo = OldStartIo;
    DriverObject->DriverUnload = OldUnload;
    device->Flags |= DO_BUFFERED_IO;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    return IoCreateSymbolicLink(&link, (PUNICODE_STRING)&name);
}
