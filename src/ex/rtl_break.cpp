// Break points. No kernel debugger is attached: the trap becomes STATUS_BREAKPOINT, which nobody handles, and a host
// debugger stops right here.
#include "ke/exports/rtl.hpp"

#include <ntifs.h>

extern "C" {

VOID NTAPI DbgBreakPoint() {
    DIRQL_DOOR(DbgBreakPoint);
    asm volatile("int3");
}

// The status, for the debugger's eyes, is in the first argument's register.
VOID NTAPI DbgBreakPointWithStatus(ULONG status) {
    DIRQL_DOOR(DbgBreakPointWithStatus);
    asm volatile("int3" : : "D"(status));
}

} // extern "C"
