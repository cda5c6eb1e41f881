/* Shared by the parts of the misuse driver. */
#pragma once

#include <ntddk.h>

#include "misuse.h"

#define TAG 'usiM'

extern PDEVICE_OBJECT g_device;
extern KSPIN_LOCK g_lock;
extern KMUTEX g_mutex;
extern KEVENT g_event;
extern KDPC g_dpc;
extern KTIMER g_timer;
extern volatile LONG g_flag;
extern int g_leave_at_unload;

NTSTATUS Complete(PIRP Irp, NTSTATUS Status);
NTSTATUS StartThread(PKSTART_ROUTINE Routine);
VOID Sleep(LONG Milliseconds);
/* Runs a routine in a DPC, now. */
VOID InDpc(PKDEFERRED_ROUTINE Routine);
/* Addresses that the compiler knows nothing of. */
volatile int* Null(void);
volatile int* SystemGarbage(void);

/* What is left behind by the Unload routine itself. */
VOID LeaveBehind(VOID);

#define MISUSE(name) VOID do_##name(__attribute__((unused)) PIRP Irp)
#define DPC_ROUTINE(name) \
    static VOID name(__attribute__((unused)) PKDPC Dpc, __attribute__((unused)) PVOID Context, \
                     __attribute__((unused)) PVOID Argument1, __attribute__((unused)) PVOID Argument2)

#define MISUSE_ENTRY(name) MISUSE(name);
#include "misuses.def"
#undef MISUSE_ENTRY
