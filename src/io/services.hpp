// System services of io that the WDK's headers do not declare.
#pragma once

#include <ntifs.h>

extern "C" {
NTKERNELAPI NTSTATUS NTAPI NtCancelIoFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock);
// `IoRequestToCancel`: the status block of one request, or null for all of the file.
NTKERNELAPI NTSTATUS NTAPI NtCancelIoFileEx(HANDLE FileHandle, PIO_STATUS_BLOCK IoRequestToCancel,
                                            PIO_STATUS_BLOCK IoStatusBlock);
}
