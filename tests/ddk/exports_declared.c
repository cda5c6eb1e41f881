/* Every function and variable that dirql exports to drivers is declared in the drivers' headers, as more than an int. */
#include <ntifs.h>
#include <ntstrsafe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <wchar.h>
#include <wctype.h>
#include <wdmsec.h>

/* In no header of the WDK: drivers that use these declare them. */
void NtSetInformationObject(void);
void ZwSetInformationObject(void);
void NtQueryDirectoryObject(void);
void ZwQueryDirectoryObject(void);
void NtCreateSemaphore(void);
void NtOpenSemaphore(void);
void NtReleaseSemaphore(void);
void NtCreateMutant(void);
void NtOpenMutant(void);
void NtReleaseMutant(void);
void NtCreateTimer(void);
void NtOpenTimer(void);
void NtSetTimer(void);
void NtCancelTimer(void);
void ObOpenObjectByName(void);
void ObReferenceObjectByName(void);
void NtOpenThread(void);
void NtTerminateProcess(void);
void PsGetProcessInheritedFromUniqueProcessId(void);
void PsGetProcessImageFileName(void);
void PsGetProcessSessionId(void);
void PsGetProcessPeb(void);
void PsGetProcessWow64Process(void);
void PsGetThreadTeb(void);
void PsIsProcessBeingDebugged(void);
void KeAlertThread(void);
void KeInitializeApc(void);
void KeInsertQueueApc(void);
void KeRemoveQueueApc(void);
void KeTestAlertThread(void);
void KeAcquireInStackQueuedSpinLockRaiseToSynch(void);
void KeExpandKernelStackAndCalloutEx(void);
void KeGenericCallDpc(void);
void KeSignalCallDpcDone(void);
void KeSignalCallDpcSynchronize(void);
void NtProtectVirtualMemory(void);
void NtOpenSection(void);
void NtMapViewOfSection(void);
void NtUnmapViewOfSection(void);
void NtCancelSynchronousIoFile(void);
void NtCreateIoCompletion(void);
void NtCreateMailslotFile(void);
void NtCreateNamedPipeFile(void);
void NtDeleteFile(void);
void NtFlushBuffersFile(void);
void NtNotifyChangeDirectoryFile(void);
void NtOpenIoCompletion(void);
void NtQueryAttributesFile(void);
void NtQueryEaFile(void);
void NtQueryFullAttributesFile(void);
void NtQueryIoCompletion(void);
void NtRemoveIoCompletion(void);
void NtRemoveIoCompletionEx(void);
void NtSetEaFile(void);
void NtSetIoCompletion(void);
void ZwCancelIoFileEx(void);
void ZwCancelSynchronousIoFile(void);
void ZwCreateIoCompletion(void);
void ZwNotifyChangeDirectoryFile(void);
void ZwOpenIoCompletion(void);
void ZwRemoveIoCompletion(void);
void ZwRemoveIoCompletionEx(void);
void ZwSetIoCompletion(void);

#define DIRQL_EXPORT(Name, ...) (const void*)&Name,
#define DIRQL_CRT(Name) (const void*)&Name,
#define DIRQL_DATA(Name, ...) (const void*)&Name,
#define DIRQL_INLINE(...)
const void* const dirql_exports[] = {
#include "ke/exports/all.def"
    0,
};
