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

#define DIRQL_EXPORT(Name, ...) (const void*)&Name,
#define DIRQL_CRT(Name) (const void*)&Name,
#define DIRQL_DATA(Name, ...) (const void*)&Name,
#define DIRQL_INLINE(...)
const void* const dirql_exports[] = {
#include "ke/exports/all.def"
    0,
};
