/* What the driver and its applications agree on. Include <ntddk.h>, or <ntdef.h> and <devioctl.h>, first. */
#pragma once

#define ECHO_WIN32_NAME "\\\\.\\Echo"
#define ECHO_DEVICE_NAME L"\\Device\\Echo"
#define ECHO_LINK_NAME L"\\DosDevices\\Echo"

/* The device remembers at most this many bytes. */
#define ECHO_CAPACITY 4096

/* Gives the input back, last byte first: 0x222000. The output buffer must have room for as many bytes. */
#define IOCTL_ECHO_REVERSE CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

/* What the device holds, an ECHO_STATE: 0x222004. */
#define IOCTL_ECHO_QUERY CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct _ECHO_STATE {
    ULONG Length; /* bytes held */
    ULONG Writes; /* writes since the driver was loaded */
} ECHO_STATE, *PECHO_STATE;
