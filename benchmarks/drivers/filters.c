/* Four filters above one another, on top of \Device\Null: each copies its location and sets a completion routine. */
#include <ntddk.h>

#define FILTERS 4

typedef struct _FILTER_EXTENSION {
    PDEVICE_OBJECT Lower;
} FILTER_EXTENSION, *PFILTER_EXTENSION;

static DRIVER_DISPATCH PassDown;
static IO_COMPLETION_ROUTINE PassUp;
static DRIVER_UNLOAD Unload;
DRIVER_INITIALIZE DriverEntry;

static NTSTATUS PassUp(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context) {
    UNREFERENCED_PARAMETER(DeviceObject);
    UNREFERENCED_PARAMETER(Context);
    if (Irp->PendingReturned) {
        IoMarkIrpPending(Irp);
    }
    return STATUS_CONTINUE_COMPLETION;
}

static NTSTATUS PassDown(PDEVICE_OBJECT DeviceObject, PIRP Irp) {
    PFILTER_EXTENSION extension = DeviceObject->DeviceExtension;

    IoCopyCurrentIrpStackLocationToNext(Irp);
    IoSetCompletionRoutine(Irp, PassUp, NULL, TRUE, TRUE, TRUE);
    return IoCallDriver(extension->Lower, Irp);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    while (DriverObject->DeviceObject != NULL) {
        PFILTER_EXTENSION extension = DriverObject->DeviceObject->DeviceExtension;
        IoDetachDevice(extension->Lower);
        IoDeleteDevice(DriverObject->DeviceObject);
    }
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNICODE_STRING target = RTL_CONSTANT_STRING(L"\\Device\\Null");
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    UNREFERENCED_PARAMETER(RegistryPath);
    for (i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) {
        DriverObject->MajorFunction[i] = PassDown;
    }
    DriverObject->DriverUnload = Unload;
    for (i = 0; i < FILTERS && NT_SUCCESS(status); i++) {
        PDEVICE_OBJECT filter;
        PFILTER_EXTENSION extension;

        status = IoCreateDevice(DriverObject, sizeof(FILTER_EXTENSION), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &filter);
        if (!NT_SUCCESS(status)) {
            break;
        }
        extension = filter->DeviceExtension;
        status = IoAttachDevice(filter, &target, &extension->Lower);
        if (!NT_SUCCESS(status)) {
            IoDeleteDevice(filter);
            break;
        }
        filter->Flags &= ~DO_DEVICE_INITIALIZING;
    }
    if (!NT_SUCCESS(status)) {
        Unload(DriverObject);
    }
    return status;
}
