/* Faults and exceptions, with and without a handler. */
#include "driver.h"

MISUSE(fault_raised) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    *Null() = 1;
}

MISUSE(fault_raised_in_try) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    __try {
        *Null() = 1;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        g_flag = 1;
    }
}

MISUSE(fault_in_kernel_raised) {
    KIRQL irql;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    KeSetEvent((PKEVENT)SystemGarbage(), 0, FALSE);
}

MISUSE(fault_system_address) { *SystemGarbage() = 1; }

MISUSE(fault_system_address_in_try) {
    __try {
        *SystemGarbage() = 1;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        g_flag = 1;
    }
}

MISUSE(fault_null) { g_flag = *Null(); }

MISUSE(fault_null_write) { *Null() = 1; }

MISUSE(fault_null_in_try) {
    __try {
        *Null() = 1;
    } __except (GetExceptionCode() == STATUS_ACCESS_VIOLATION ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH) {
        g_flag = 1;
    }
}

static int Divide(int Dividend, int Divisor) { return Dividend / Divisor; }

DPC_ROUTINE(FaultRoutine) { g_flag = Divide(1, (int)(ULONG_PTR)Null()); }

MISUSE(fault_in_dpc) { InDpc(FaultRoutine); }

static VOID FaultingThread(PVOID Context) {
    UNREFERENCED_PARAMETER(Context);
    *Null() = 1;
}

MISUSE(fault_in_thread) {
    StartThread(FaultingThread);
    Sleep(10);
}

MISUSE(call_null) { ((void (*)(void))Null())(); }

MISUSE(call_garbage) { ((void (*)(void))(ULONG_PTR)((ULONG_PTR)Null() + 0x12345678))(); }

MISUSE(noncanonical) { *(volatile int*)((ULONG_PTR)Null() + 0xDEADBEEFDEADBEEFULL) = 1; }

MISUSE(divide_by_zero) { g_flag = Divide(1, (int)(ULONG_PTR)Null()); }

MISUSE(divide_by_zero_in_try) {
    __try {
        g_flag = Divide(1, (int)(ULONG_PTR)Null());
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        g_flag = GetExceptionCode() == STATUS_INTEGER_DIVIDE_BY_ZERO;
    }
}

static ULONG Recurse(ULONG Depth) {
    volatile UCHAR frame[256];
    frame[Depth % 256] = (UCHAR)Depth;
    return Recurse(Depth + 1) + frame[(Depth + 1) % 256];
}

MISUSE(stack_overflow) { g_flag = (LONG)Recurse(0); }

DPC_ROUTINE(RecurseRoutine) { g_flag = (LONG)Recurse(0); }

MISUSE(stack_overflow_in_dpc) { InDpc(RecurseRoutine); }

MISUSE(raise_status) { ExRaiseStatus(STATUS_DEVICE_DATA_ERROR); }

MISUSE(bug_check) { KeBugCheckEx(0xDEADDEAD, 1, 2, 3, 4); }

/* Bad pointers given to the kernel: its code faults on the driver's behalf. */

MISUSE(print_garbage) { DbgPrint("%s\n", (const char*)(ULONG_PTR)((ULONG_PTR)Null() + 0x1234)); }

MISUSE(copy_to_garbage) { RtlCopyMemory((PVOID)((ULONG_PTR)Null() + 0x1000), Irp, 64); }

MISUSE(complete_garbage) { IoCompleteRequest((PIRP)((ULONG_PTR)Null() + 0x1000), IO_NO_INCREMENT); }

MISUSE(copy_to_null) { RtlCopyMemory((PVOID)(ULONG_PTR)Null(), Irp, 64); }

MISUSE(complete_null) { IoCompleteRequest((PIRP)(ULONG_PTR)Null(), IO_NO_INCREMENT); }

MISUSE(complete_misaligned) { IoCompleteRequest((PIRP)((ULONG_PTR)Null() + 0x1003), IO_NO_INCREMENT); }

MISUSE(breakpoint) { __asm__ volatile("int3"); }
