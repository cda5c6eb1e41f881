/* Watches processes, threads, images and handles to processes: forbids a process whose command line says "forbidden", keeps the one
   that says "protected" from being terminated. What it sees it prints. */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

static PVOID callbacks;
static PEPROCESS protected_process;

static BOOLEAN Says(PCUNICODE_STRING text, PCWSTR word) {
    SIZE_T length = wcslen(word), i;
    if (text == NULL) return FALSE;
    for (i = 0; i + length <= text->Length / sizeof(WCHAR); ++i)
        if (RtlCompareMemory(text->Buffer + i, word, length * sizeof(WCHAR)) == length * sizeof(WCHAR)) return TRUE;
    return FALSE;
}

static VOID OnProcess(PEPROCESS process, HANDLE id, PPS_CREATE_NOTIFY_INFO info) {
    UNREFERENCED_PARAMETER(id);
    if (info == NULL) {
        DbgPrint("end\n");
        if (process == protected_process) protected_process = NULL;
        return;
    }
    DbgPrint("start %wZ as %wZ\n", info->ImageFileName, info->CommandLine);
    if (Says(info->CommandLine, L"forbidden")) info->CreationStatus = STATUS_ACCESS_DENIED;
    if (Says(info->CommandLine, L"protected")) protected_process = process;
}

static VOID OnImage(PUNICODE_STRING name, HANDLE process, PIMAGE_INFO info) {
    DbgPrint("image %wZ %d %d\n", name, process == NULL, info->SystemModeImage && info->ImageSize != 0);
}

static VOID OnThread(HANDLE process, HANDLE thread, BOOLEAN create) {
    UNREFERENCED_PARAMETER(process);
    UNREFERENCED_PARAMETER(thread);
    DbgPrint(create ? "thread\n" : "thread end\n");
}

static OB_PREOP_CALLBACK_STATUS OnHandle(PVOID context, POB_PRE_OPERATION_INFORMATION information) {
    UNREFERENCED_PARAMETER(context);
    if (information->Object == protected_process && information->Object != PsGetCurrentProcess())
        information->Parameters->CreateHandleInformation.DesiredAccess &= ~PROCESS_TERMINATE;
    return OB_PREOP_SUCCESS;
}

static NTSTATUS WatchHandles(VOID) {
    OB_OPERATION_REGISTRATION operation = {PsProcessType, OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE,
                                           OnHandle, NULL};
    OB_CALLBACK_REGISTRATION registration = {OB_FLT_REGISTRATION_VERSION, 1, RTL_CONSTANT_STRING(L"320000"), NULL,
                                             &operation};
    return ObRegisterCallbacks(&registration, &callbacks);
}

static VOID Unload(PDRIVER_OBJECT driver) {
    UNREFERENCED_PARAMETER(driver);
#ifndef FORGETFUL
    if (callbacks != NULL) ObUnRegisterCallbacks(callbacks);
    PsSetCreateProcessNotifyRoutineEx(OnProcess, TRUE);
    PsRemoveCreateThreadNotifyRoutine(OnThread);
#endif
    PsRemoveLoadImageNotifyRoutine(OnImage);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path) {
    UNREFERENCED_PARAMETER(path);
    driver->DriverUnload = Unload;
    DbgPrint("processes %x\n", PsSetCreateProcessNotifyRoutineEx(OnProcess, FALSE));
    DbgPrint("handles %x\n", WatchHandles());
    PsSetCreateThreadNotifyRoutine(OnThread);
    PsSetLoadImageNotifyRoutine(OnImage);
    return STATUS_SUCCESS;
}
