// What ntoskrnl exports about processes and threads and the WDK's headers do not declare: drivers that use it declare it.
#pragma once

#include <ntifs.h>

extern "C" {
NTKERNELAPI HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS Process);
NTKERNELAPI PUCHAR NTAPI PsGetProcessImageFileName(PEPROCESS Process);
NTKERNELAPI ULONG NTAPI PsGetProcessSessionId(PEPROCESS Process);
NTKERNELAPI PVOID NTAPI PsGetProcessPeb(PEPROCESS Process);
NTKERNELAPI PVOID NTAPI PsGetProcessWow64Process(PEPROCESS Process);
NTKERNELAPI PVOID NTAPI PsGetThreadTeb(PETHREAD Thread);
NTKERNELAPI BOOLEAN NTAPI PsIsProcessBeingDebugged(PEPROCESS Process);
}
