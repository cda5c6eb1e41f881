/* What a driver may name without calling it by name: variables of the kernel, and functions that compilers call unasked. */
#include <ntddk.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif
DRIVER_INITIALIZE DriverEntry;
int Differs(const void* Left, const void* Right, SIZE_T Size) __asm__("bcmp");
char* CopyText(char* To, const char* From) __asm__("stpcpy");
#ifdef __cplusplus
}
#endif

/* Expressions of LONG size, as their types say. */
C_ASSERT(sizeof(SYNCHRONIZE | GENERIC_ALL) == sizeof(LONG));
C_ASSERT(sizeof(~OBJ_CASE_INSENSITIVE) == sizeof(LONG));
C_ASSERT(DUPLICATE_CLOSE_SOURCE == 1 && DUPLICATE_SAME_ACCESS == 2 && DUPLICATE_SAME_ATTRIBUTES == 4);

static VOID Unload(PDRIVER_OBJECT DriverObject) { UNREFERENCED_PARAMETER(DriverObject); }

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    char Text[8];
    int First = rand(), Second = rand(), Again;
    ULONG Length;

    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverUnload = Unload;
    srand(7);
    Again = rand();
    DbgPrint("%d processors, build %x.%u\n", KeNumberProcessors, *NtBuildNumber >> 28, *NtBuildNumber & 0xFFFF);
    DbgPrint("types of files, devices and drivers: %d\n", *IoFileObjectType != *IoDeviceObjectType &&
                                                              *IoDeviceObjectType != *IoDriverObjectType &&
                                                              *IoFileObjectType != NULL && *IoDriverObjectType != NULL);
    DbgPrint("rand %d %d, %d\n", First, Second, Again);
    Length = (ULONG)(CopyText(Text, "abc") - Text);
    DbgPrint("%u %d %d\n", Length, Differs(Text, "abc", 4) != 0, Differs(Text, "abd", 4) != 0);
    return STATUS_SUCCESS;
}
