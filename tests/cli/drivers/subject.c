/* \\.\Subject: one control code for each way in which a run can end. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_DISPATCH OpenOrClose, Control;
static DRIVER_UNLOAD Unload;

#ifndef DEVICE_NAME
#define DEVICE_NAME "Subject"
#endif

#define CODE(Function, Method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (Function), Method, FILE_ANY_ACCESS)
#define REVERSE CODE(0, METHOD_BUFFERED)        /* 0x222000 */
#define COPY CODE(1, METHOD_NEITHER)            /* 0x222007: through the user's own addresses */
#define COMPLETE_TWICE CODE(2, METHOD_BUFFERED) /* 0x222008 */
#define WAIT_FOREVER CODE(3, METHOD_BUFFERED)   /* 0x22200c */
#define LOOP_FOREVER CODE(4, METHOD_BUFFERED)   /* 0x222010 */
#define OVERFLOW CODE(5, METHOD_BUFFERED)       /* 0x222014: a warning, with data */
#define SUM CODE(6, METHOD_IN_DIRECT)           /* 0x222019: prints the sum of the second buffer's bytes */
#define BUG_CHECK CODE(7, METHOD_BUFFERED)      /* 0x22201c */
#define COPY_RECKLESSLY CODE(8, METHOD_NEITHER) /* 0x222023: without a handler */
/* The kernel is what runs into these, not the driver. */
#define COMPLETE_GARBAGE CODE(9, METHOD_BUFFERED) /* 0x222024 */
#define COPY_TO_GARBAGE CODE(10, METHOD_BUFFERED) /* 0x222028 */
#define SET_GARBAGE CODE(11, METHOD_BUFFERED)     /* 0x22202c: at DISPATCH_LEVEL */

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\" DEVICE_NAME);
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevices\\" DEVICE_NAME);

static volatile LONG Enough, Laps;
static PVOID volatile Garbage = (PVOID)0x1000;

static NTSTATUS Complete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information) {
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS Reverse(PIRP Irp, ULONG InLength, ULONG OutLength) {
    PUCHAR Buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG i;

    if (OutLength < InLength) return Complete(Irp, STATUS_BUFFER_TOO_SMALL, 0);
    for (i = 0; i < InLength / 2; ++i) {
        UCHAR Byte = Buffer[i];
        Buffer[i] = Buffer[InLength - 1 - i];
        Buffer[InLength - 1 - i] = Byte;
    }
    return Complete(Irp, STATUS_SUCCESS, InLength);
}

static NTSTATUS Copy(PIRP Irp, PVOID From, ULONG InLength, ULONG OutLength) {
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG Length = InLength < OutLength ? InLength : OutLength;

    __try {
        ProbeForRead(From, InLength, 1);
        ProbeForWrite(Irp->UserBuffer, OutLength, 1);
        RtlCopyMemory(Irp->UserBuffer, From, Length);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Status = GetExceptionCode();
        DbgPrint("subject: caught 0x%08X\n", Status);
    }
    return Complete(Irp, Status, NT_SUCCESS(Status) ? Length : 0);
}

static NTSTATUS Sum(PIRP Irp) {
    PUCHAR Bytes = MmGetSystemAddressForMdlSafe(Irp->MdlAddress, NormalPagePriority);
    ULONG Total = 0, Length = MmGetMdlByteCount(Irp->MdlAddress), i;

    for (i = 0; i < Length; ++i) {
        Total += Bytes[i];
    }
    DbgPrint("subject: the sum is %u", Total); /* no newline: the next line of the run begins on its own */
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS WaitForever(PIRP Irp) {
    KEVENT Never;

    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    KeWaitForSingleObject(&Never, Executive, KernelMode, FALSE, NULL);
    return Complete(Irp, STATUS_SUCCESS, 0);
}

static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);
    PVOID UserInput = Location->Parameters.DeviceIoControl.Type3InputBuffer;
    ULONG InLength = Location->Parameters.DeviceIoControl.InputBufferLength;
    ULONG OutLength = Location->Parameters.DeviceIoControl.OutputBufferLength, i;
    KIRQL Irql;

    UNREFERENCED_PARAMETER(DeviceObject);
    switch (Location->Parameters.DeviceIoControl.IoControlCode) {
    case REVERSE: return Reverse(Irp, InLength, OutLength);
    case COPY: return Copy(Irp, UserInput, InLength, OutLength);
    case COMPLETE_TWICE: Complete(Irp, STATUS_SUCCESS, 0); return Complete(Irp, STATUS_SUCCESS, 0);
    case WAIT_FOREVER: return WaitForever(Irp);
    case LOOP_FOREVER:
        while (!Enough) {
            ++Laps;
        }
        return Complete(Irp, STATUS_SUCCESS, 0);
    case OVERFLOW: return Complete(Irp, STATUS_BUFFER_OVERFLOW, OutLength);
    case SUM: return Sum(Irp);
    case BUG_CHECK: KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 2, 3, 4);
    case COPY_RECKLESSLY:
        for (i = 0; i < InLength && i < OutLength; ++i) {
            ((volatile UCHAR*)Irp->UserBuffer)[i] = ((volatile UCHAR*)UserInput)[i];
        }
        return Complete(Irp, STATUS_SUCCESS, i);
    case COMPLETE_GARBAGE: IoCompleteRequest((PIRP)Garbage, IO_NO_INCREMENT); return STATUS_SUCCESS;
    case COPY_TO_GARBAGE: RtlCopyMemory(Garbage, Irp, sizeof(IRP)); return Complete(Irp, STATUS_SUCCESS, 0);
    case SET_GARBAGE:
        KeRaiseIrql(DISPATCH_LEVEL, &Irql);
        KeSetEvent(Garbage, 0, FALSE);
        KeLowerIrql(Irql);
        return Complete(Irp, STATUS_SUCCESS, 0);
    default: return Complete(Irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    }
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    DbgPrint("subject: unloading %wZ\n", &DeviceName);
    IoDeleteSymbolicLink(&LinkName);
#ifndef LEAVE_DEVICE
    IoDeleteDevice(DriverObject->DeviceObject);
#else
    UNREFERENCED_PARAMETER(DriverObject);
#endif
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    PDEVICE_OBJECT Device;
    NTSTATUS Status;

    UNREFERENCED_PARAMETER(RegistryPath);
#ifdef ENTRY_FAILS
    return STATUS_DEVICE_CONFIGURATION_ERROR;
#endif
#ifdef ENTRY_CRASHES
    KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 2, 3, 4);
#endif
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
#ifndef NO_UNLOAD
    DriverObject->DriverUnload = Unload;
#endif
    DbgPrint("subject: loaded %wZ\n", &DeviceName);
    return STATUS_SUCCESS;
}
