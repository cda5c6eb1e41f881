/* Spin locks: plain, queued, and those of ISRs. */
#pragma once

#include <dirql_km/irql.h>

typedef ULONG_PTR KSPIN_LOCK, *PKSPIN_LOCK;

typedef struct _KSPIN_LOCK_QUEUE {
    struct _KSPIN_LOCK_QUEUE *volatile Next;
    PKSPIN_LOCK volatile Lock;
} KSPIN_LOCK_QUEUE, *PKSPIN_LOCK_QUEUE;

typedef struct _KLOCK_QUEUE_HANDLE {
    KSPIN_LOCK_QUEUE LockQueue;
    KIRQL OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;
DIRQL_ASSERT_SIZE(KLOCK_QUEUE_HANDLE, 0x18);

typedef LONG EX_SPIN_LOCK, *PEX_SPIN_LOCK;
