/* A handler has to see what the locals were when the fault came: 2, not the 1 that an optimised function would show. */
#include <ntddk.h>

#include "guarded_steps.h"

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    UNREFERENCED_PARAMETER(DriverObject);
    UNREFERENCED_PARAMETER(RegistryPath);
    DbgPrint("%d\n", changed_before_the_fault((int*)(ULONG_PTR)0x10));
    return STATUS_UNSUCCESSFUL; /* no more of it is wanted */
}
