/* What must not be left behind at unload. */
#include "driver.h"

DPC_ROUTINE(Ignore) {}

MISUSE(leave_timer) {
    LARGE_INTEGER due;
    due.QuadPart = -10000LL * 1000 * 60;
    KeInitializeTimer(&g_timer);
    KeInitializeDpc(&g_dpc, Ignore, NULL);
    KeSetTimer(&g_timer, due, &g_dpc);
}

int g_leave_at_unload;
static WORK_QUEUE_ITEM g_item;
MISUSE(leave_dpc) { g_leave_at_unload = misuse_leave_dpc; }

static VOID Work(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    g_flag = 1;
}

MISUSE(leave_work_item) { g_leave_at_unload = misuse_leave_work_item; }

static VOID SleepingThread(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    Sleep(60 * 1000);
}

MISUSE(leave_thread) { StartThread(SleepingThread); }

VOID LeaveBehind(VOID) {
    KIRQL irql;
    if (g_leave_at_unload == misuse_leave_work_item) {
        ExInitializeWorkItem(&g_item, Work, NULL);
        ExQueueWorkItem(&g_item, DelayedWorkQueue);
    }
    if (g_leave_at_unload == misuse_leave_dpc) { /* to a processor that is busy elsewhere, so that it stays queued */
        KeInitializeDpc(&g_dpc, Ignore, NULL);
        KeSetTargetProcessorDpc(&g_dpc, 1);
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        KeInsertQueueDpc(&g_dpc, NULL, NULL);
        KeLowerIrql(irql);
    }
}
