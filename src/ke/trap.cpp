#include "ke/trap.hpp"

#include "ke/call_site.hpp"
#include "ke/clock.hpp"
#include "ke/host_section.hpp"
#include "ke/library_code.hpp"
#include "ke/pageable.hpp"
#include "ke/sanitizer.hpp"
#include "ke/seh.hpp"
#include "ke/signals.hpp"
#include "ke/stop.hpp"
#include "ke/user_copy.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <ucontext.h>

namespace dirql::ke {
namespace {

// Whose code an instruction pointer belongs to.
enum class Owner : std::uint8_t { driver, kernel, host };

struct Fault {
    int signal;
    EXCEPTION_RECORD record;
    std::uint64_t rip;
    std::uint64_t rsp;
    std::uint64_t rbp;
    bool page_fault;
    std::uint64_t address; // of a page fault; ~0 when the processor does not tell
    std::uint64_t access;  // 0 read, 1 write, 8 execute
};

std::uint64_t register_of(const ucontext_t& context, int which) noexcept {
    return static_cast<std::uint64_t>(context.uc_mcontext.gregs[which]);
}

Fault describe(int signal, const siginfo_t& info, const ucontext_t& context) noexcept {
    Fault fault{signal,
                exception_record_from_signal(signal, info, context),
                register_of(context, REG_RIP),
                register_of(context, REG_RSP),
                register_of(context, REG_RBP),
                false,
                0,
                0};
    fault.page_fault = fault.record.ExceptionCode == STATUS_ACCESS_VIOLATION;
    if (fault.page_fault) {
        fault.access = fault.record.ExceptionInformation[0];
        fault.address = fault.record.ExceptionInformation[1];
    }
    return fault;
}

bool inside(std::uint64_t address, const std::byte* low, const std::byte* top) noexcept {
    return address >= reinterpret_cast<std::uint64_t>(low) && address < reinterpret_cast<std::uint64_t>(top);
}

// The stack of the current flow that holds the stack pointer, or would if it had not run over.
struct StackInUse {
    const std::byte* low = nullptr;
    const std::byte* top = nullptr;
};

StackInUse stack_in_use(const Processor& processor, std::uint64_t rsp) noexcept {
    const Thread& thread = *processor.current;
    const StackInUse stacks[] = {{thread.kernel_stack_low, thread.kernel_stack_top},
                                 {processor.dpc_stack_low, processor.dpc_stack_top},
                                 {processor.trap_stack_low, processor.trap_stack_top},
                                 {thread.user_stack_low, thread.user_stack_top}};
    for (const StackInUse& stack : stacks) {
        if (stack.low != nullptr && inside(rsp, stack.low - page_size, stack.top)) return stack;
    }
    return {};
}

Owner owner_of(const Machine& machine, std::uint64_t address) noexcept {
    if (find_code_range(machine, address) != nullptr) return Owner::driver;
    return is_library_code(address) ? Owner::kernel : Owner::host;
}

// A jump to nowhere, or a fault in a leaf function of the C library, is its caller's: the return address lies on top.
Owner owner_of_fault(const Processor& processor, const Fault& fault) noexcept {
    const Owner direct = owner_of(*processor.machine, fault.rip);
    if (direct != Owner::host) return direct;
    const StackInUse stack = stack_in_use(processor, fault.rsp);
    if (stack.low == nullptr || !inside(fault.rsp, stack.low, stack.top)) return Owner::host;
    std::uint64_t caller;
    std::memcpy(&caller, reinterpret_cast<const void*>(fault.rsp), sizeof caller);
    return owner_of(*processor.machine, caller);
}

bool copy_guardedly(void* to, std::uint64_t from, std::size_t bytes) noexcept {
    return copy_guarded(to, reinterpret_cast<const void*>(from), bytes);
}

// A function without a frame of its own, in the C library or nowhere at all, hides the call that has led there: the frame
// pointer is its caller's. The call's return address lies on top of the stack. 0: there is none.
std::uint64_t hidden_caller(const Processor& processor, std::uint64_t rip, std::uint64_t rsp) noexcept {
    if (owner_of(*processor.machine, rip) != Owner::host) return 0;
    const StackInUse stack = stack_in_use(processor, rsp);
    if (stack.low == nullptr || !inside(rsp, stack.low, stack.top - sizeof(std::uint64_t))) return 0;
    std::uint64_t caller;
    std::memcpy(&caller, reinterpret_cast<const void*>(rsp), sizeof caller);
    return owner_of(*processor.machine, caller) != Owner::host && follows_call(caller, copy_guardedly) ? caller : 0;
}

void record_stack_of_fault(Processor& processor, std::uint64_t rip, std::uint64_t rsp, std::uint64_t rbp) noexcept {
    Machine& machine = *processor.machine;
    machine.stop.faulted = rip != 0;
    record_stack(machine, machine.stop, {rip, hidden_caller(processor, rip, rsp)}, rbp);
}

// What the flow does instead of going on: a bug check, on the processor's trap stack.
struct PendingBugCheck {
    std::uint32_t code;
    std::uint64_t parameters[4];
    BugCheckDetails details;
    bool stall;
};
thread_local PendingBugCheck pending_bug_check __attribute__((tls_model("initial-exec")));

[[noreturn]] void enter_pending_bug_check() noexcept {
    const Processor& processor = *current_processor();
    sanitizer::moved_to_stack(processor.trap_stack_low, processor.trap_stack_top);
    const PendingBugCheck& p = pending_bug_check;
    if (p.stall) stop_stalled(p.details.rule);
    bug_check(p.code, p.parameters[0], p.parameters[1], p.parameters[2], p.parameters[3], p.details);
}

void leave_for_bug_check(Processor& processor, ucontext_t& context, const PendingBugCheck& pending) noexcept {
    pending_bug_check = pending;
    record_stack_of_fault(processor, register_of(context, REG_RIP), register_of(context, REG_RSP),
                          register_of(context, REG_RBP));
    const std::uint64_t top = reinterpret_cast<std::uint64_t>(processor.trap_stack_top) & ~std::uint64_t{15};
    context.uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(top - 8); // as after a call
    context.uc_mcontext.gregs[REG_RBP] = 0;
    context.uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(&enter_pending_bug_check);
}

bool overflows_stack(const Processor& processor, const Fault& fault, const ucontext_t& context) noexcept {
    const StackInUse stack = stack_in_use(processor, fault.rsp);
    if (stack.low == nullptr) return !fault.page_fault ? false : true; // the stack pointer itself is wild
    const auto low = reinterpret_cast<std::uint64_t>(stack.low);
    if (fault.page_fault && inside(fault.address, stack.low - page_size, stack.low) && fault.rsp < low + page_size)
        return true;
    return raise_stack_floor(context) < low;
}

BugCheckDetails invalid_details(bool driver) noexcept {
    return {.rule = driver ? "a driver touched invalid memory at DISPATCH_LEVEL or above"
                           : "the kernel touched invalid memory at DISPATCH_LEVEL or above, on a driver's behalf"};
}

BugCheckDetails pageable_details(bool driver) noexcept {
    return {.rule = driver ? "a driver touched paged pool at DISPATCH_LEVEL or above, where it may be paged out"
                           : "the kernel touched paged pool at DISPATCH_LEVEL or above, on a driver's behalf",
            .document =
                driver ? "Bug Check 0xD1: DRIVER_IRQL_NOT_LESS_OR_EQUAL" : "Bug Check 0xA: IRQL_NOT_LESS_OR_EQUAL"};
}

void page_fault_bug_check(Processor& processor, const Fault& fault, Owner owner, ucontext_t& context) noexcept {
    if (processor.irql >= DISPATCH_LEVEL) {
        const bool driver = owner == Owner::driver;
        const bool pageable = is_pageable(*processor.machine, reinterpret_cast<const void*>(fault.address));
        leave_for_bug_check(
            processor, context,
            {driver ? std::uint32_t{DRIVER_IRQL_NOT_LESS_OR_EQUAL} : std::uint32_t{IRQL_NOT_LESS_OR_EQUAL},
             {fault.address, processor.irql, fault.access, fault.rip},
             pageable ? pageable_details(driver) : invalid_details(driver),
             false});
    } else {
        const std::uint64_t access = fault.access == 8 ? 0x10 : fault.access * 2;
        leave_for_bug_check(processor, context,
                            {PAGE_FAULT_IN_NONPAGED_AREA,
                             {fault.address, access, fault.rip, 0},
                             {.rule = "invalid system memory was referenced"},
                             false});
    }
}

bool in_system_range(std::uint64_t address) noexcept {
    return address >= halves().system && address != ~std::uint64_t{0};
}

// Which stack it was: the place where it ran over its end depends on the frames of the kernel's functions on it.
std::uint64_t end_of_stack(const Processor& processor, const Fault& fault) noexcept {
    const StackInUse stack = stack_in_use(processor, fault.rsp);
    return stack.low == nullptr ? fault.rsp : reinterpret_cast<std::uint64_t>(stack.low);
}

void kernel_trap(Processor& processor, const Fault& fault, Owner owner, ucontext_t& context) noexcept {
    if (overflows_stack(processor, fault, context)) {
        leave_for_bug_check(processor, context,
                            {UNEXPECTED_KERNEL_MODE_TRAP,
                             {8, end_of_stack(processor, fault), 0, fault.rip},
                             {.rule = "a kernel stack overflowed"},
                             false});
    } else if (fault.page_fault && (processor.irql >= DISPATCH_LEVEL || in_system_range(fault.address))) {
        page_fault_bug_check(processor, fault, owner, context);
    } else {
        enter_raise_from_signal(context, fault.record);
    }
}

bool user_side_handles(const Thread& thread) noexcept {
    return thread.side == Side::user && thread.user_seh.chain != nullptr;
}

UserFault resolve(Processor& processor, const siginfo_t& info, const ucontext_t& context) noexcept {
    Machine& machine = *processor.machine;
    if (machine.hooks.user_fault == nullptr || processor.irql >= DISPATCH_LEVEL) return UserFault::none;
    constexpr std::uint64_t write_bit = 2; // of the processor's error code
    return machine.hooks.user_fault(machine, info.si_addr, (register_of(context, REG_ERR) & write_bit) != 0);
}

void on_fault(int signal, siginfo_t* info, void* data) noexcept {
    auto& context = *static_cast<ucontext_t*>(data);
    Processor* processor = current_processor();
    if (processor == nullptr) return hand_on(signal, info, data, nullptr);
    if (signal == SIGSEGV && page_in_on_fault(*processor, reinterpret_cast<std::uint64_t>(info->si_addr))) return;
    const UserFault user_fault = signal == SIGSEGV ? resolve(*processor, *info, context) : UserFault::none;
    if (user_fault == UserFault::resolved) return;
    if (const std::size_t fix_up = guarded_fix_up(register_of(context, REG_RIP))) {
        context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(fix_up);
        return;
    }
    if (HostSection::active()) return hand_on(signal, info, data, "in the library's host code");
    Fault fault = describe(signal, *info, context);
    if (user_fault == UserFault::guard_page) fault.record.ExceptionCode = STATUS_GUARD_PAGE_VIOLATION;
    if (processor->current->side == Side::user) {
        if (user_side_handles(*processor->current)) return enter_raise_from_signal(context, fault.record);
        return hand_on(signal, info, data, "in application code");
    }
    const Owner owner = owner_of_fault(*processor, fault);
    if (owner == Owner::host && !overflows_stack(*processor, fault, context))
        return hand_on(signal, info, data, "in host code called by a driver");
    // The address is already the one behind the break instruction.
    if (signal == SIGTRAP && processor->machine->options.kernel_debugger) return;
    kernel_trap(*processor, fault, owner, context);
}

// A record that a bug check's parameter points at, copied to where it does not move: where it lay on the stack depends on
// the frames of the kernel's functions below it, and thereby on the compiler.
template <class T> T* kept(Machine& machine, T* record) noexcept {
    T* copy = record == nullptr ? nullptr : machine.allocate<T>();
    return copy == nullptr ? record : static_cast<T*>(std::memcpy(copy, record, sizeof(T)));
}

bool on_kernel_stack(const Processor& processor, std::uint64_t rsp) noexcept {
    const StackInUse stack = stack_in_use(processor, rsp);
    return stack.low != nullptr && stack.low != processor.current->user_stack_low;
}

// Null in driver code, and in the kernel's on a driver's behalf: that loops over what a driver gave it.
const char* host_code_at(const Processor& processor, std::uint64_t rip, std::uint64_t rsp) noexcept {
    if (HostSection::active()) return "in the library's host code";
    if (processor.current->side == Side::user) return "in application code";
    const Owner owner = owner_of(*processor.machine, rip);
    if (owner == Owner::host || (owner == Owner::kernel && !on_kernel_stack(processor, rsp))) return "in the library";
    return nullptr;
}

// The CPU-time watch, the last resort against driver code that passes no preemption point.
void on_no_progress(void* data, bool tell_of_host) noexcept {
    auto& context = *static_cast<ucontext_t*>(data);
    Processor* processor = current_processor();
    if (processor == nullptr) return;
    const std::uint64_t rip = register_of(context, REG_RIP);
    if (const char* where = host_code_at(*processor, rip, register_of(context, REG_RSP))) {
        if (tell_of_host) report_host_hang(where);
        return;
    }
    const bool raised = processor->irql >= DISPATCH_LEVEL;
    const bool driver = owner_of(*processor->machine, rip) == Owner::driver;
    leave_for_bug_check(*processor, context,
                        {DPC_WATCHDOG_VIOLATION,
                         {processor->in_dpc != 0 ? 0u : 1u, 0, 0, 0},
                         {.rule = driver ? "driver code without preemption points used up its budget of CPU time"
                                         : "the kernel used up the budget of CPU time on what a driver gave it: a list "
                                           "or tree without an end"},
                         !raised});
}

bool driver_on(const Stop& recorded, const Machine& machine) noexcept {
    return std::any_of(recorded.frames, recorded.frames + recorded.frame_count,
                       [&](std::uint64_t address) { return find_code_range(machine, address) != nullptr; });
}

} // namespace

ArmedTraps::ArmedTraps(Machine& machine) noexcept {
    arm_signals({on_fault, on_no_progress}, machine.options.cpu_budget);
}
ArmedTraps::~ArmedTraps() { disarm_signals(); }

void unhandled_exception(EXCEPTION_RECORD* record, CONTEXT* context, void* user) {
    Processor* processor = current_processor();
    const Thread& thread = *processor->current;
    const auto code =
        static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<std::int32_t>(record->ExceptionCode)));
    const std::uint64_t address = parameter(record->ExceptionAddress);
    Machine& machine = *processor->machine;
    if (context != nullptr && machine.stop.frame_count == 0) {
        if ((record->ExceptionFlags & EXCEPTION_SOFTWARE_ORIGINATE) != 0) {
            record_stack(machine, machine.stop, {context->Rip}, context->Rbp);
        } else {
            record_stack_of_fault(*processor, context->Rip, context->Rsp, context->Rbp);
        }
    }
    const BugCheckDetails details{.rule = driver_on(machine.stop, machine)
                                              ? "an exception in driver code was not handled"
                                              : "an exception was not handled, and no driver's code is on the stack"};
    if (processor->in_dpc != 0 || processor->in_interrupt != 0 || user != nullptr) {
        bug_check(KMODE_EXCEPTION_NOT_HANDLED, code, address, record->ExceptionInformation[0],
                  record->ExceptionInformation[1], details);
    }
    context = kept(machine, context);
    if (thread.is_system == 0)
        bug_check(SYSTEM_SERVICE_EXCEPTION, code & 0xFFFF'FFFF, address, parameter(context), 0, details);
    bug_check(SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, code, address, parameter(kept(machine, record)), parameter(context),
              details);
}

} // namespace dirql::ke
