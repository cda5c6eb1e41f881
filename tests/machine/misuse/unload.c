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
static KDPC g_relay;
DPC_ROUTINE(Relay) { KeInsertQueueDpc(&g_dpc, NULL, NULL); }
MISUSE(queue_dpc_at_unload) { g_leave_at_unload = misuse_queue_dpc_at_unload; }
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
    if (g_leave_at_unload == misuse_leave_work_item) {
        ExInitializeWorkItem(&g_item, Work, NULL);
        ExQueueWorkItem(&g_item, DelayedWorkQueue);
    }
    /* A queued DPC runs before the image goes. One that queues another to a processor that has been waited for already does not
       end with that. */
    if (g_leave_at_unload == misuse_leave_dpc) {
        KeInitializeDpc(&g_dpc, Ignore, NULL);
        KeSetTargetProcessorDpc(&g_dpc, 0);
        KeSetImportanceDpc(&g_dpc, LowImportance);
        KeInitializeDpc(&g_relay, Relay, NULL);
        KeSetTargetProcessorDpc(&g_relay, 1);
        KeInsertQueueDpc(&g_relay, NULL, NULL);
    }
    if (g_leave_at_unload == misuse_queue_dpc_at_unload) {
        KeInitializeDpc(&g_relay, Ignore, NULL);
        KeSetTargetProcessorDpc(&g_relay, 1);
        KeInsertQueueDpc(&g_relay, NULL, NULL);
    }
}
