// The raising functions behind their entries in seh_registers.S: each gets its caller's argument and CONTEXT.
#include "ke/exports/ke.hpp"
#include "ke/seh_registers.hpp"
#include "ke/seh_search.hpp"

namespace dirql::ke {

namespace {

/// Where an exception was raised is where the raising call returns to.
DIRQL_SEH_LEFT_OPEN void dispatch_raised(EXCEPTION_RECORD& record, CONTEXT& context) {
    record.ExceptionFlags |= EXCEPTION_SOFTWARE_ORIGINATE;
    record.ExceptionAddress = reinterpret_cast<PVOID>(context.Rip);
    dispatch_exception(record, context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dispatch_status(NTSTATUS status, CONTEXT& context) {
    EXCEPTION_RECORD record{};
    record.ExceptionCode = static_cast<decltype(record.ExceptionCode)>(status);
    record.ExceptionFlags = EXCEPTION_NONCONTINUABLE;
    dispatch_raised(record, context);
    __builtin_unreachable();
}

} // namespace

DIRQL_SEH_LEFT_OPEN void raise_status(NTSTATUS status) { dirql_seh_raise_status(status); }

extern "C" {

DIRQL_SEH_LEFT_OPEN void dirql_seh_raise_record_in(EXCEPTION_RECORD* record, CONTEXT* context) {
    dispatch_raised(*record, *context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_raise_status_in(NTSTATUS status, CONTEXT* context) {
    dispatch_status(status, *context);
}

DIRQL_SEH_LEFT_OPEN void dirql_seh_rtl_raise_exception(EXCEPTION_RECORD* record, CONTEXT* context) {
    DIRQL_DOOR(RtlRaiseException);
    dispatch_raised(*record, *context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_rtl_raise_status(NTSTATUS status, CONTEXT* context) {
    DIRQL_DOOR(RtlRaiseStatus);
    dispatch_status(status, *context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_ex_raise_status(NTSTATUS status, CONTEXT* context) {
    DIRQL_DOOR(ExRaiseStatus);
    dispatch_status(status, *context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_ex_raise_access_violation(std::uintptr_t, CONTEXT* context) {
    DIRQL_DOOR(ExRaiseAccessViolation);
    dispatch_status(STATUS_ACCESS_VIOLATION, *context);
}

[[noreturn]] DIRQL_SEH_LEFT_OPEN void dirql_seh_ex_raise_datatype_misalignment(std::uintptr_t, CONTEXT* context) {
    DIRQL_DOOR(ExRaiseDatatypeMisalignment);
    dispatch_status(STATUS_DATATYPE_MISALIGNMENT, *context);
}

} // extern "C"

} // namespace dirql::ke
