// Which NT exception a host signal stands for.
#include "ke/seh.hpp"

#include <ntddk.h>

namespace dirql::ke {

namespace {

namespace trap { // the processor's exception numbers
constexpr greg_t general_protection = 13, page_fault = 14;
}

namespace page_fault_error { // bits of the processor's error code
constexpr greg_t write = 1 << 1, fetch = 1 << 4;
}

/// First parameter of STATUS_ACCESS_VIOLATION.
ULONG_PTR access_of(const greg_t* registers) noexcept {
    if (registers[REG_TRAPNO] != trap::page_fault) return EXCEPTION_READ_FAULT;
    if ((registers[REG_ERR] & page_fault_error::fetch) != 0) return EXCEPTION_EXECUTE_FAULT;
    return (registers[REG_ERR] & page_fault_error::write) != 0 ? EXCEPTION_WRITE_FAULT : EXCEPTION_READ_FAULT;
}

/// A general-protection fault (a non-canonical address, a privileged instruction) has no address: NT says ~0.
ULONG_PTR address_of(const siginfo_t& info, const greg_t* registers) noexcept {
    if (registers[REG_TRAPNO] == trap::general_protection) return ~ULONG_PTR{0};
    return reinterpret_cast<ULONG_PTR>(info.si_addr);
}

void describe_access(EXCEPTION_RECORD& record, const siginfo_t& info, const greg_t* registers) noexcept {
    if (info.si_signo == SIGBUS && info.si_code == BUS_ADRALN) {
        record.ExceptionCode = STATUS_DATATYPE_MISALIGNMENT;
        return;
    }
    record.ExceptionCode = STATUS_ACCESS_VIOLATION;
    record.NumberParameters = 2;
    record.ExceptionInformation[0] = access_of(registers);
    record.ExceptionInformation[1] = address_of(info, registers);
}

NTSTATUS arithmetic_status(int code) noexcept {
    switch (code) {
    case FPE_INTDIV: return STATUS_INTEGER_DIVIDE_BY_ZERO;
    case FPE_INTOVF: return STATUS_INTEGER_OVERFLOW;
    case FPE_FLTDIV: return STATUS_FLOAT_DIVIDE_BY_ZERO;
    case FPE_FLTOVF: return STATUS_FLOAT_OVERFLOW;
    case FPE_FLTUND: return STATUS_FLOAT_UNDERFLOW;
    case FPE_FLTRES: return STATUS_FLOAT_INEXACT_RESULT;
    default: return STATUS_FLOAT_INVALID_OPERATION;
    }
}

} // namespace

EXCEPTION_RECORD exception_record_from_signal(int signal, const siginfo_t& info, const ucontext_t& machine) noexcept {
    const greg_t* registers = machine.uc_mcontext.gregs;
    EXCEPTION_RECORD record{};
    record.ExceptionAddress = reinterpret_cast<PVOID>(registers[REG_RIP]);
    switch (signal) {
    case SIGFPE: record.ExceptionCode = arithmetic_status(info.si_code); break;
    case SIGILL: record.ExceptionCode = STATUS_ILLEGAL_INSTRUCTION; break;
    case SIGTRAP: record.ExceptionCode = STATUS_BREAKPOINT; break;
    default: describe_access(record, info, registers); break;
    }
    return record;
}

} // namespace dirql::ke
