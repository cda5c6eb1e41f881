// Break points. Without a kernel debugger the trap becomes STATUS_BREAKPOINT, which nobody handles; with one (see
// MachineOptions::kernel_debugger) it is told of and passed. A host debugger stops right here.
#include "ke/debug_print.hpp"
#include "ke/exports/rtl.hpp"
#include "ke/machine.hpp"

#include <ntifs.h>

namespace {

void tell() noexcept {
    const dirql::ke::Processor* processor = dirql::ke::current_processor();
    if (processor != nullptr && processor->machine->options.kernel_debugger)
        dirql::ke::debug_print("Break instruction exception - code 80000003 (first chance)\n");
}

} // namespace

extern "C" {

VOID NTAPI DbgBreakPoint() {
    DIRQL_DOOR(DbgBreakPoint);
    tell();
    asm volatile("int3");
}

// The status, for the debugger's eyes, is in the first argument's register.
VOID NTAPI DbgBreakPointWithStatus(ULONG status) {
    DIRQL_DOOR(DbgBreakPointWithStatus);
    tell();
    asm volatile("int3" : : "D"(status));
}

} // extern "C"
