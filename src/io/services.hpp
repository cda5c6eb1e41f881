// System services of io that the WDK's headers do not declare.
#pragma once

#include <ntifs.h>

#define IO_COMPLETION_QUERY_STATE 0x0001
#define IO_COMPLETION_MODIFY_STATE 0x0002
#define IO_COMPLETION_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3)

// FileIoCompletionNotificationInformation
typedef struct _FILE_IO_COMPLETION_NOTIFICATION_INFORMATION {
    ULONG Flags;
} FILE_IO_COMPLETION_NOTIFICATION_INFORMATION, *PFILE_IO_COMPLETION_NOTIFICATION_INFORMATION;
#define FILE_SKIP_COMPLETION_PORT_ON_SUCCESS 0x1
#define FILE_SKIP_SET_EVENT_ON_HANDLE 0x2
#define FILE_SKIP_SET_USER_EVENT_ON_FAST_IO 0x4

// A packet of NtRemoveIoCompletionEx.
typedef struct _FILE_IO_COMPLETION_INFORMATION {
    PVOID KeyContext;
    PVOID ApcContext;
    IO_STATUS_BLOCK IoStatusBlock;
} FILE_IO_COMPLETION_INFORMATION, *PFILE_IO_COMPLETION_INFORMATION;

extern "C" {
NTKERNELAPI NTSTATUS NTAPI NtCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);
// `IoRequestToCancel`: the status block of one request, or null for all of the file.
NTKERNELAPI NTSTATUS NTAPI NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                            PIO_STATUS_BLOCK IoStatusBlock);
// What the thread waits for in a service of a synchronous file.
NTKERNELAPI NTSTATUS NTAPI NtCancelSynchronousIoFile(HANDLE ThreadHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                                     PIO_STATUS_BLOCK IoStatusBlock);
NTKERNELAPI NTSTATUS NTAPI ZwCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                            PIO_STATUS_BLOCK IoStatusBlock);
NTKERNELAPI NTSTATUS NTAPI ZwCancelSynchronousIoFile(HANDLE ThreadHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                                     PIO_STATUS_BLOCK IoStatusBlock);

NTKERNELAPI NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count);
NTKERNELAPI NTSTATUS NTAPI NtOpenIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                              POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtQueryIoCompletion(HANDLE IoCompletionHandle, ULONG IoCompletionInformationClass,
                                               PVOID IoCompletionInformation, ULONG IoCompletionInformationLength,
                                               PULONG ReturnLength);
NTKERNELAPI NTSTATUS NTAPI NtSetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext, PVOID ApcContext,
                                             NTSTATUS IoStatus, ULONG_PTR IoStatusInformation);
NTKERNELAPI NTSTATUS NTAPI NtRemoveIoCompletion(HANDLE IoCompletionHandle, PVOID* KeyContext, PVOID* ApcContext,
                                                PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER Timeout);
NTKERNELAPI NTSTATUS NTAPI NtRemoveIoCompletionEx(HANDLE IoCompletionHandle,
                                                  PFILE_IO_COMPLETION_INFORMATION IoCompletionInformation, ULONG Count,
                                                  PULONG NumEntriesRemoved, PLARGE_INTEGER Timeout, BOOLEAN Alertable);
NTKERNELAPI NTSTATUS NTAPI ZwCreateIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes, ULONG Count);
NTKERNELAPI NTSTATUS NTAPI ZwOpenIoCompletion(PHANDLE IoCompletionHandle, ACCESS_MASK DesiredAccess,
                                              POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI ZwSetIoCompletion(HANDLE IoCompletionHandle, PVOID KeyContext, PVOID ApcContext,
                                             NTSTATUS IoStatus, ULONG_PTR IoStatusInformation);
NTKERNELAPI NTSTATUS NTAPI ZwRemoveIoCompletion(HANDLE IoCompletionHandle, PVOID* KeyContext, PVOID* ApcContext,
                                                PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER Timeout);
NTKERNELAPI NTSTATUS NTAPI ZwRemoveIoCompletionEx(HANDLE IoCompletionHandle,
                                                  PFILE_IO_COMPLETION_INFORMATION IoCompletionInformation, ULONG Count,
                                                  PULONG NumEntriesRemoved, PLARGE_INTEGER Timeout, BOOLEAN Alertable);

NTKERNELAPI NTSTATUS NTAPI NtCreateNamedPipeFile(PHANDLE FileHandle, ULONG DesiredAccess,
                                                 POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                                 ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions,
                                                 ULONG NamedPipeType, ULONG ReadMode, ULONG CompletionMode,
                                                 ULONG MaximumInstances, ULONG InboundQuota, ULONG OutboundQuota,
                                                 PLARGE_INTEGER DefaultTimeout);
NTKERNELAPI NTSTATUS NTAPI NtCreateMailslotFile(PHANDLE FileHandle, ULONG DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                                ULONG CreateOptions, ULONG MailslotQuota, ULONG MaximumMessageSize,
                                                PLARGE_INTEGER ReadTimeout);

NTKERNELAPI NTSTATUS NTAPI NtFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);
NTKERNELAPI NTSTATUS NTAPI NtQueryEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length,
                                         BOOLEAN ReturnSingleEntry, PVOID EaList, ULONG EaListLength, PULONG EaIndex,
                                         BOOLEAN RestartScan);
NTKERNELAPI NTSTATUS NTAPI NtSetEaFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer, ULONG Length);
NTKERNELAPI NTSTATUS NTAPI NtNotifyChangeDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine,
                                                       PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer,
                                                       ULONG Length, ULONG CompletionFilter, BOOLEAN WatchTree);
NTKERNELAPI NTSTATUS NTAPI ZwNotifyChangeDirectoryFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine,
                                                       PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock, PVOID Buffer,
                                                       ULONG Length, ULONG CompletionFilter, BOOLEAN WatchTree);
NTKERNELAPI NTSTATUS NTAPI NtQueryAttributesFile(POBJECT_ATTRIBUTES ObjectAttributes,
                                                 PFILE_BASIC_INFORMATION FileInformation);
NTKERNELAPI NTSTATUS NTAPI NtQueryFullAttributesFile(POBJECT_ATTRIBUTES ObjectAttributes,
                                                     PFILE_NETWORK_OPEN_INFORMATION FileInformation);
NTKERNELAPI NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES ObjectAttributes);
}
