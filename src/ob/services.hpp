// System services of the object manager that the WDK's headers do not declare, though the kernel exports them: applications
// reach them through their own libraries.
#pragma once

#include <ntifs.h>

extern "C" {
NTKERNELAPI NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE Handle);
NTKERNELAPI NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                                         PULONG ReturnLength);
NTKERNELAPI NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                                   POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                                 POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                                      POBJECT_ATTRIBUTES ObjectAttributes, PUNICODE_STRING TargetName);
NTKERNELAPI NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE Handle, ACCESS_MASK DesiredAccess,
                                                    POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtQuerySymbolicLinkObject(HANDLE Handle, PUNICODE_STRING LinkTarget, PULONG ReturnedLength);
NTKERNELAPI NTSTATUS NTAPI NtCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess,
                                         POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE EventType,
                                         BOOLEAN InitialState);
NTKERNELAPI NTSTATUS NTAPI NtOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess,
                                       POBJECT_ATTRIBUTES ObjectAttributes);
NTKERNELAPI NTSTATUS NTAPI NtSetEvent(HANDLE EventHandle, PLONG PreviousState);
NTKERNELAPI NTSTATUS NTAPI NtResetEvent(HANDLE EventHandle, PLONG PreviousState);
NTKERNELAPI NTSTATUS NTAPI NtClearEvent(HANDLE EventHandle);
NTKERNELAPI NTSTATUS NTAPI NtWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout);
NTKERNELAPI NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG HandleCount, PHANDLE Handles, WAIT_TYPE WaitType,
                                                    BOOLEAN Alertable, PLARGE_INTEGER Timeout);
}
