// A system service of the object manager that the WDK's kernel headers do not declare, though the kernel exports it:
// applications reach it through their own libraries. The others stand in <ntifs.h>.
#pragma once

#include <ntifs.h>

extern "C" NTKERNELAPI NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Information,
                                                    ULONG Length, PULONG ReturnLength);
