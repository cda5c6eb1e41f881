/* What the driver and its applications agree on. Include <ntddk.h>, or <ntdef.h> and <devioctl.h>, first. */
#pragma once

#define QUEUE_WIN32_NAME "\\\\.\\Queue"
#define QUEUE_DEVICE_NAME L"\\Device\\Queue"
#define QUEUE_LINK_NAME L"\\DosDevices\\Queue"

/* Keeps the device busy for a while: 0x222000. In: QUEUE_JOB. Out: QUEUE_RESULT. */
#define IOCTL_QUEUE_WORK CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

#define QUEUE_LONGEST_JOB 10000

typedef struct _QUEUE_JOB {
    ULONG Milliseconds; /* up to QUEUE_LONGEST_JOB */
} QUEUE_JOB, *PQUEUE_JOB;

typedef struct _QUEUE_RESULT {
    ULONG Number; /* 1 for the first job that the device finished, 2 for the next ... */
} QUEUE_RESULT, *PQUEUE_RESULT;
