/* \\.\Loops: loops of one basic block that nothing ends. Built as C and, under another name, as C++. */
#include <ntddk.h>

#ifdef __cplusplus
extern "C" DRIVER_INITIALIZE DriverEntry;
#else
DRIVER_INITIALIZE DriverEntry;
#endif
static DRIVER_DISPATCH OpenOrClose, Control;
static DRIVER_UNLOAD Unload;

#define CODE(Function) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (Function), METHOD_BUFFERED, FILE_ANY_ACCESS)
#define LOOP_VOLATILE CODE(0) /* 0x222000 */
#define LOOP_PLAIN CODE(1)    /* 0x222004 */
#define LOOP_RAISED CODE(2)   /* 0x222008 */

static UNICODE_STRING DeviceName = RTL_CONSTANT_STRING(L"\\Device\\Loops");
static UNICODE_STRING LinkName = RTL_CONSTANT_STRING(L"\\DosDevices\\Loops");

static volatile LONG Laps;
LONG PlainLaps;

static NTSTATUS OpenOrClose(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    Irp->IoStatus.Status = STATUS_SUCCESS;
    Irp->IoStatus.Information = 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static NTSTATUS Control(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    ULONG Code = IoGetCurrentIrpStackLocation(Irp)->Parameters.DeviceIoControl.IoControlCode;
    KIRQL Old;

    if (Code == LOOP_VOLATILE) {
        for (;;) {
            Laps++;
        }
    }
    if (Code == LOOP_PLAIN) {
        for (;;) {
            PlainLaps++;
        }
    }
    if (Code == LOOP_RAISED) {
        KeRaiseIrql(DISPATCH_LEVEL, &Old);
        for (;;) {
            PlainLaps++;
        }
    }
    return OpenOrClose(DeviceObject, Irp);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    IoDeleteSymbolicLink(&LinkName);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    PDEVICE_OBJECT Device;
    NTSTATUS Status = IoCreateDevice(DriverObject, 0, &DeviceName, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(Status)) return Status;
    DriverObject->MajorFunction[IRP_MJ_CREATE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_CLOSE] = OpenOrClose;
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    DriverObject->DriverUnload = Unload;
    return IoCreateSymbolicLink(&LinkName, &DeviceName);
}
