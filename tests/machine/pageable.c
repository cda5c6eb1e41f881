/* Touches paged pool where it may, and where it may not. The output is a block's address, when a test asks for one. */
#include <ntddk.h>

#include "pageable.h"

#define TAG 'egaP'

static KDPC Dpc;
static volatile LONG DpcRuns;
static volatile LONG Touched;
static volatile UCHAR Sink;
static KSPIN_LOCK Lock;
static PUCHAR Shared;
static volatile SIZE_T CopyLength = 777; /* unknown to the compiler: it calls the kernel's memmove */

static void Raise_and_lower(void) {
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    KeLowerIrql(old);
}

static NTSTATUS Low(PUCHAR block) {
    ULONG round;
    for (round = 0; round < 10; round++) {
        RtlFillMemory(block, 100, (UCHAR)round);
        Raise_and_lower();
        if (block[0] != round || block[99] != round) return STATUS_DATA_ERROR;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS ManyPages(void) {
    const ULONG bytes = 50 * PAGE_SIZE;
    PUCHAR big = ExAllocatePoolWithTag(PagedPool, bytes, TAG);
    ULONG i;
    NTSTATUS status = STATUS_SUCCESS;
    for (i = 0; i < bytes; i++) big[i] = (UCHAR)(i / 7);
    Raise_and_lower();
    for (i = 0; i < bytes; i++) {
        if (big[i] != (UCHAR)(i / 7)) status = STATUS_DATA_ERROR;
        if (i % (9 * PAGE_SIZE) == 0) Raise_and_lower();
    }
    ExFreePoolWithTag(big, TAG);
    return status;
}

/* Locked pages stay, at the address of the buffer and at their own. */
static NTSTATUS Locked(PUCHAR block, BOOLEAN Map, BOOLEAN Unlock) {
    PMDL mdl = IoAllocateMdl(block, 100, FALSE, FALSE, NULL);
    PUCHAR at = block;
    KIRQL old;
    MmProbeAndLockPages(mdl, KernelMode, IoModifyAccess);
    if (Map) at = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
    Raise_and_lower();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    at[3] = 33;
    KeLowerIrql(old);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    if (block[3] != 33) return STATUS_DATA_ERROR;
    if (!Unlock) return STATUS_SUCCESS;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    block[3] = 34;
    return STATUS_UNSUCCESSFUL;
}

/* Pages of paged pool that were freed serve as nonpaged ones afterwards. */
static NTSTATUS Freed(void) {
    ULONG i;
    KIRQL old;
    for (i = 0; i < 20; i++) {
        PUCHAR block = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, TAG);
        RtlZeroMemory(block, 3 * PAGE_SIZE);
        Raise_and_lower();
        ExFreePoolWithTag(block, TAG);
        block = ExAllocatePoolWithTag(NonPagedPool, 3 * PAGE_SIZE, TAG);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        RtlZeroMemory(block, 3 * PAGE_SIZE);
        ExFreePoolWithTag(block, TAG);
        KeLowerIrql(old);
    }
    return STATUS_SUCCESS;
}

static NTSTATUS Lookaside(void) {
    static PAGED_LOOKASIDE_LIST list;
    PVOID blocks[8];
    ULONG round, i;
    ExInitializePagedLookasideList(&list, NULL, NULL, 0, 64, TAG, 0);
    for (round = 0; round < 5; round++) {
        for (i = 0; i < 8; i++) blocks[i] = ExAllocateFromPagedLookasideList(&list);
        Raise_and_lower();
        for (i = 0; i < 8; i++) ExFreeToPagedLookasideList(&list, blocks[i]);
        Raise_and_lower();
    }
    ExDeletePagedLookasideList(&list);
    return STATUS_SUCCESS;
}

static NTSTATUS Valid(PUCHAR block) {
    KIRQL old;
    BOOLEAN high, trimmed;
    block[0] = 1;
    if (!MmIsAddressValid(block)) return STATUS_DATA_ERROR;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    high = MmIsAddressValid(block);
    KeLowerIrql(old);
    trimmed = MmIsAddressValid(block); /* a touch would fault, though it would succeed */
    block[0] = 2;
    return !high && !trimmed && MmIsAddressValid(block) ? STATUS_SUCCESS : STATUS_DATA_ERROR;
}

/* Memory is short at DISPATCH_LEVEL: the pool looks for empty pages among all of its own. */
static NTSTATUS NonpagedRaised(void) {
    KIRQL old;
    PVOID first = NULL;
    NTSTATUS status;
    PVOID paged = ExAllocatePoolWithTag(PagedPool, 32, TAG);
    ExFreePoolWithTag(paged, TAG);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    for (;;) {
        PVOID* block = ExAllocatePoolWithTag(NonPagedPool, 64 * PAGE_SIZE, TAG);
        if (block == NULL) break;
        *block = first;
        first = block;
    }
    status = first == NULL ? STATUS_DATA_ERROR : STATUS_SUCCESS;
    while (first != NULL) {
        PVOID next = *(PVOID*)first;
        ExFreePoolWithTag(first, TAG);
        first = next;
    }
    KeLowerIrql(old);
    return status;
}

static VOID TouchInDpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2) {
    UNREFERENCED_PARAMETER(dpc);
    UNREFERENCED_PARAMETER(argument2);
    InterlockedIncrement(&DpcRuns);
    while (argument1 != NULL && InterlockedCompareExchange(&Touched, 0, 0) == 0) YieldProcessor();
    Sink = *(volatile UCHAR*)context;
}

static void InDpc(PUCHAR block) {
    KeInitializeDpc(&Dpc, TouchInDpc, block);
    KeInsertQueueDpc(&Dpc, NULL, NULL);
}

/* One processor is at DISPATCH_LEVEL already when another touches the page. */
static void OtherProcessor(PUCHAR block) {
    KeSetSystemAffinityThread(1);
    KeInitializeDpc(&Dpc, TouchInDpc, block);
    KeSetTargetProcessorDpc(&Dpc, 1);
    KeSetImportanceDpc(&Dpc, HighImportance);
    KeInsertQueueDpc(&Dpc, (PVOID)1, NULL);
    while (InterlockedCompareExchange(&DpcRuns, 0, 0) == 0) YieldProcessor();
    block[0] = 1;
    InterlockedExchange(&Touched, 1);
    for (;;) YieldProcessor();
}

static NTSTATUS Paged(void) {
    PAGED_CODE();
    return STATUS_SUCCESS;
}

static NTSTATUS Act(ULONG which, PUCHAR block) {
    KIRQL old;
    UCHAR copy[1000];
    switch (which) {
    case pageable_low: return Low(block);
    case pageable_many_pages: return ManyPages();
    case pageable_locked: return Locked(block, FALSE, FALSE);
    case pageable_mapped: return Locked(block, TRUE, FALSE);
    case pageable_freed: return Freed();
    case pageable_lookaside: return Lookaside();
    case pageable_valid: return Valid(block);
    case pageable_nonpaged_raised: return NonpagedRaised();
    case pageable_read_locked_spin:
        KeAcquireSpinLock(&Lock, &old);
        Sink = *(volatile UCHAR*)&block[5];
        break;
    case pageable_write_raised:
        KeRaiseIrql(7, &old);
        *(volatile UCHAR*)&block[6] = 1;
        break;
    case pageable_big_block:
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        Sink = *(volatile UCHAR*)&Shared[2 * PAGE_SIZE + 17];
        break;
    case pageable_in_dpc: InDpc(block); break;
    case pageable_other_processor: OtherProcessor(block); break;
    case pageable_unlocked_again: return Locked(block, FALSE, TRUE);
    case pageable_event:
        KeInitializeEvent((PRKEVENT)block, NotificationEvent, FALSE);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        KeSetEvent((PRKEVENT)block, 0, FALSE);
        break;
    case pageable_copy:
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        RtlMoveMemory(copy, block, CopyLength);
        Sink = copy[7];
        break;
    case pageable_code:
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        Paged();
        break;
    default: return Paged();
    }
    return STATUS_UNSUCCESSFUL;
}

static NTSTATUS Control(PDEVICE_OBJECT device, PIRP irp) {
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    const ULONG which = location->Parameters.DeviceIoControl.IoControlCode >> 2 & 0x7FF;
    PUCHAR block = ExAllocatePoolWithTag(PagedPool, 1000, TAG);
    NTSTATUS status;
    UNREFERENCED_PARAMETER(device);
    Shared = ExAllocatePoolWithTag(PagedPool, 3 * PAGE_SIZE, TAG);
    RtlZeroMemory(block, 1000);
    if (location->Parameters.DeviceIoControl.OutputBufferLength >= 2 * sizeof(PVOID)) {
        ((PVOID*)irp->AssociatedIrp.SystemBuffer)[0] = block;
        ((PVOID*)irp->AssociatedIrp.SystemBuffer)[1] = Shared;
        DbgPrint("%p %p", block, Shared);
    }
    status = Act(which, block);
    ExFreePoolWithTag(block, TAG);
    ExFreePoolWithTag(Shared, TAG);
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS Succeed(PDEVICE_OBJECT device, PIRP irp) {
    UNREFERENCED_PARAMETER(device);
    irp->IoStatus.Status = STATUS_SUCCESS;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT driver) { IoDeleteDevice(driver->DeviceObject); }

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path) {
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"\\Device\\Pageable");
    PDEVICE_OBJECT device;
    UNREFERENCED_PARAMETER(path);
    driver->MajorFunction[IRP_MJ_CREATE] = Succeed;
    driver->MajorFunction[IRP_MJ_CLOSE] = Succeed;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = Control;
    driver->DriverUnload = Unload;
    KeInitializeSpinLock(&Lock);
    return IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}
