/* Errors with IRQLs, locks, waits and pool. */
#include "driver.h"

PVOID g_block;

MISUSE(raise_downwards) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeRaiseIrql(APC_LEVEL, &irql);
}

MISUSE(lower_upwards) { KeLowerIrql(DISPATCH_LEVEL); }

MISUSE(wait_raised) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeWaitForSingleObject(&g_event, Executive, KernelMode, FALSE, NULL);
}

DPC_ROUTINE(WaitRoutine) { KeWaitForSingleObject(&g_event, Executive, KernelMode, FALSE, NULL); }

MISUSE(wait_in_dpc) { InDpc(WaitRoutine); }

MISUSE(release_not_held) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeReleaseSpinLock(&g_lock, irql);
}

MISUSE(acquire_twice) {
    KIRQL irql;
    KeAcquireSpinLock(&g_lock, &irql);
    KeAcquireSpinLock(&g_lock, &irql);
}

MISUSE(passive_export_raised) {
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\DosDevices\\Nowhere");
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    IoDeleteSymbolicLink(&name);
}

MISUSE(pool_free_twice) {
    PVOID block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    ExFreePoolWithTag(block, TAG);
    ExFreePoolWithTag(block, TAG);
}

MISUSE(pool_wrong_tag) { ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG), 'xxxx'); }

MISUSE(pool_overrun) {
    UCHAR* block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    ((volatile UCHAR*)block)[100] = 1;
    ExFreePoolWithTag(block, TAG);
}

MISUSE(pool_free_garbage) { ExFreePoolWithTag((PVOID)((ULONG_PTR)MmSystemRangeStart + 0x123450), TAG); }

MISUSE(pool_leak) { g_block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG); }
