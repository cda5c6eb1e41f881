/* Code that never ends, and code that only looks so. */
#include "driver.h"

static KSPIN_LOCK g_other_lock;
static KMUTEX g_other_mutex;
static volatile LONG g_meeting;

MISUSE(loop) {
    while (g_flag == 0) {
    }
}

MISUSE(loop_calling) {
    LARGE_INTEGER now;
    while (g_flag == 0) KeQuerySystemTime(&now);
}

MISUSE(loop_raised) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    while (g_flag == 0) {
    }
}

DPC_ROUTINE(LoopRoutine) {
    while (g_flag == 0) {
    }
}

MISUSE(loop_in_dpc) { InDpc(LoopRoutine); }

MISUSE(wait_forever) { KeWaitForSingleObject(&g_event, Executive, KernelMode, FALSE, NULL); }

static VOID OtherOrder(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    KeWaitForSingleObject(&g_other_mutex, Executive, KernelMode, FALSE, NULL);
    Sleep(10);
    KeWaitForSingleObject(&g_mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&g_mutex, FALSE);
    KeReleaseMutex(&g_other_mutex, FALSE);
}

MISUSE(mutex_deadlock) {
    KeInitializeMutex(&g_other_mutex, 0);
    StartThread(OtherOrder);
    KeWaitForSingleObject(&g_mutex, Executive, KernelMode, FALSE, NULL);
    Sleep(10);
    KeWaitForSingleObject(&g_other_mutex, Executive, KernelMode, FALSE, NULL);
    KeReleaseMutex(&g_other_mutex, FALSE);
    KeReleaseMutex(&g_mutex, FALSE);
}
/* Both hold their first lock before either asks for its second. */
static VOID MeetAndTake(PKSPIN_LOCK First, PKSPIN_LOCK Second) {
    KIRQL irql;
    KeAcquireSpinLock(First, &irql);
    InterlockedIncrement(&g_meeting);
    while (g_meeting < 2) YieldProcessor();
    KeAcquireSpinLockAtDpcLevel(Second);
    KeReleaseSpinLockFromDpcLevel(Second);
    KeReleaseSpinLock(First, irql);
}

static VOID TakeInOtherOrder(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    MeetAndTake(&g_other_lock, &g_lock);
}

MISUSE(lock_deadlock) {
    StartThread(TakeInOtherOrder);
    MeetAndTake(&g_lock, &g_other_lock);
}

DPC_ROUTINE(SetFlag) { g_flag = 1; }

MISUSE(spin_for_dpc) {
    InDpc(SetFlag);
    while (g_flag == 0) {
    }
}

MISUSE(spin_for_timer) {
    LARGE_INTEGER due;
    due.QuadPart = -10000LL * 5;
    KeInitializeTimer(&g_timer);
    KeInitializeDpc(&g_dpc, SetFlag, NULL);
    KeSetTimer(&g_timer, due, &g_dpc);
    while (g_flag == 0) {
    }
}

static VOID SettingThread(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    Sleep(1);
    g_flag = 1;
}

MISUSE(spin_for_thread) {
    StartThread(SettingThread);
    while (g_flag == 0) {
    }
}
