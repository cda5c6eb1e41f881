// System services of ps that the WDK's headers do not declare.
#pragma once

#include <ntifs.h>

#ifndef DUPLICATE_SAME_ACCESS
#define DUPLICATE_CLOSE_SOURCE 0x00000001
#define DUPLICATE_SAME_ACCESS 0x00000002
#define DUPLICATE_SAME_ATTRIBUTES 0x00000004
#endif

extern "C" {
NTKERNELAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcessHandle, HANDLE SourceHandle,
                                             HANDLE TargetProcessHandle, PHANDLE TargetHandle,
                                             ACCESS_MASK DesiredAccess, ULONG HandleAttributes, ULONG Options);
}
