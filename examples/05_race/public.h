/* What the driver and its applications agree on. Include <ntddk.h>, or <ntdef.h> and <devioctl.h>, first. */
#pragma once

#define RACE_WIN32_NAME "\\\\.\\Tickets"
#define RACE_DEVICE_NAME L"\\Device\\Tickets"
#define RACE_LINK_NAME L"\\DosDevices\\Tickets"

/* The number of a ticket, a ULONG. No number is given twice, or so the driver promises. */
#define IOCTL_RACE_HASTY CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)   /* 0x222000 */
#define IOCTL_RACE_CAREFUL CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS) /* 0x222004 */

#define RACE_TICKETS 1000
