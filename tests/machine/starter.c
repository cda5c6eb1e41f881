/* Initializes itself in stages, and says at each where it is: NAME, the stage, the IRQL, and whether in a system thread. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_REINITIALIZE AfterBoot, AfterDrivers;

static VOID Say(PCSTR Stage, ULONG Count) {
    DbgPrint("%s %s %u: %u %u\n", NAME, Stage, Count, KeGetCurrentIrql(), PsIsSystemThread(PsGetCurrentThread()));
}

static VOID AfterDrivers(PDRIVER_OBJECT DriverObject, PVOID Context, ULONG Count) {
    if (Context != &Say) return;
    Say("driver", Count);
    if (Count < 3) IoRegisterDriverReinitialization(DriverObject, AfterDrivers, Context);
}

static VOID AfterBoot(PDRIVER_OBJECT DriverObject, PVOID Context, ULONG Count) {
    UNREFERENCED_PARAMETER(DriverObject);
    if (Context == &Say) Say("boot", Count);
}

static VOID Unload(PDRIVER_OBJECT DriverObject) {
    UNREFERENCED_PARAMETER(DriverObject);
    Say("unload", 0);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    Say("entry", 0);
    IoRegisterDriverReinitialization(DriverObject, AfterDrivers, (PVOID)&Say);
    IoRegisterBootDriverReinitialization(DriverObject, AfterBoot, (PVOID)&Say);
    return STATUS_SUCCESS;
}
