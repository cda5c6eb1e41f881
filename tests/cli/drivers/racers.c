/* \\.\Race: IOCTL 0x222000 lets two threads race through a counter without a lock, and tells who came when.
   IOCTL 0x222004 ends in a bug check whose parameters are what the race came to. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_DISPATCH OpenOrClose, Control;
static DRIVER_UNLOAD Unload;
static KSTART_ROUTINE Racer;

#define LAPS 40

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Race");
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevices\\Race");
static volatile LONG Counter, Position;
static char Order[2 * LAPS + 1];

static VOID Racer(PVOID Name) {
    int Lap, i;

    for (Lap = 0; Lap < LAPS; ++Lap) {
        LONG Seen = Counter;
        for (i = 0; i < 2000; ++i) {
            YieldProcessor();
        }
        Counter = Seen + 1;
        Order[InterlockedIncrement(&Position) - 1] = *(const char*)Name;
    }
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static PVOID StartRacer(const char* Name) {
    HANDLE Handle = NULL;
    PVOID Thread = NULL;

    if (!NT_SUCCESS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Racer, (PVOID)Name)))
        return NULL;
    ObReferenceObjectByHandle(Handle, SYNCHRONIZE, *PsThreadType, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    return Thread;
}

static VOID Race(VOID) {
    PVOID Threads[2];
    int i;

    Counter = Position = 0;
    Threads[0] = StartRacer("a");
    Threads[1] = StartRacer("b");
    for (i = 0; i < 2; ++i) {
        KeWaitForSingleObject(Threads[i], Executive, KernelMode, FALSE, NULL);
        ObDereferenceObject(Threads[i]);
    }
    DbgPrint("race: %s, %d of %d\n", Order, Counter, 2 * LAPS);
}

static NTSTATUS Complete(PIRP Irp) {
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp);
}

static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    ULONG Code = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode;

    UNREFERENCED_PARAMETER(DeviceObject);
    Race();
    if (Code == 0x222004) KeBugCheckEx(MANUALLY_INITIATED_CRASH, Counter, *(PULONG64)Order, 0, 0);
    return Complete(Irp);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    PDEVICE_OBJECT Device;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
    Status = IoCreateDevice(DriverObject, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);
    if (!NT_SUCCESS(Status)) return Status;
    Status = IoCreateSymbolicLink(&LinkName, &DeviceName);
    if (!NT_SUCCESS(Status)) {
        IoDeleteDevice(Device);
        return Status;
    }
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    DriverObject->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
