// Moving between stacks and register sets for structured exception handling; written in seh_registers.S.
// A landing is what __builtin_setjmp stored in a frame: frame pointer, address, stack pointer.
#pragma once

#include <cstdint>

#include <ntddk.h>

namespace dirql::ke {

/// A fault under way, on the stack that faulted. `extended` is the processor state in XSAVE's form, or null.
struct FaultFrame {
    CONTEXT context;
    EXCEPTION_RECORD record;
    const void* extended;
    std::uint64_t components;
};

extern "C" {

/// Runs the far side of a __try in its function's frame but on top of this stack, as a subroutine. Stores in *resume
/// what dirql_seh_return() needs to come back here, and returns the value given there.
int dirql_seh_call_landing(void* const* landing, void** resume);
[[noreturn]] void dirql_seh_return(void* resume, int value);

/// Discards all stack below the landing's function and goes on there.
[[noreturn]] void dirql_seh_land(void* const* landing);

/// Raise from their caller's place. They make its CONTEXT, as it is when the call has returned, and pass it to the C++
/// functions of similar name (seh_raise.cpp). The first returns when a filter continues execution, with the registers
/// of the CONTEXT. RtlRaiseException, ExRaiseStatus and the like are made the same way.
void dirql_seh_raise_record(EXCEPTION_RECORD* record);
[[noreturn]] void dirql_seh_raise_status(NTSTATUS status);

/// Loads every register: first what `components` names of `extended` (unless null), then what the CONTEXT holds.
[[noreturn]] void dirql_seh_load_context(const CONTEXT* context, const void* extended, std::uint64_t components);

/// Where the return from a signal handler continues, %rsp at a FaultFrame. Calls dirql_seh_raise_fault().
void dirql_seh_fault_entry();

} // extern "C"

} // namespace dirql::ke
