/* Errors with IRPs, and with what a dispatch routine must leave as it found it. */
#include "driver.h"

static VOID CancelNothing(PDEVICE_OBJECT DeviceObject, PIRP CancelledIrp) {
    UNREFERENCED_PARAMETER(DeviceObject);
    IoReleaseCancelSpinLock(CancelledIrp->CancelIrql);
}

MISUSE(nothing) {}

MISUSE(complete_twice) {
    Complete(Irp, STATUS_SUCCESS);
    Complete(Irp, STATUS_SUCCESS);
}

MISUSE(no_location_left) { IoCallDriver(g_device, Irp); }

MISUSE(complete_pending) { Complete(Irp, STATUS_PENDING); }

MISUSE(complete_with_cancel_routine) {
    IoSetCancelRoutine(Irp, CancelNothing);
    Complete(Irp, STATUS_SUCCESS);
}

MISUSE(free_twice) {
    PIRP mine = IoAllocateIrp(1, FALSE);
    IoFreeIrp(mine);
    IoFreeIrp(mine);
}

MISUSE(call_with_cancel_routine) {
    PIRP mine = IoAllocateIrp(1, FALSE);
    IoSetCancelRoutine(mine, CancelNothing);
    IoCallDriver(g_device, mine);
}

MISUSE(reuse_queued) {
    KEVENT event;
    IO_STATUS_BLOCK result;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoReuseIrp(IoBuildDeviceIoControlRequest(0, g_device, NULL, 0, NULL, 0, FALSE, &event, &result), STATUS_SUCCESS);
}

MISUSE(return_raised) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
}

MISUSE(return_in_critical_region) { KeEnterCriticalRegion(); }

MISUSE(return_in_guarded_region) { KeEnterGuardedRegion(); }

MISUSE(return_with_lock) {
    KIRQL irql;
    KeAcquireSpinLock(&g_lock, &irql);
}
