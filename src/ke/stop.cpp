#include "ke/stop.hpp"

#include "diag/trace.hpp"
#include "ke/bug_check_callback.hpp"
#include "ke/clock.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql_rules.hpp"
#include "ke/machine.hpp"
#include "ke/nt_address.hpp"
#include "ke/scheduler.hpp"
#include "ke/trap.hpp"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace dirql::ke {
namespace {

struct StackBounds {
    const std::byte* low;
    const std::byte* top;
    [[nodiscard]] bool holds(std::uint64_t address) const noexcept {
        return address >= reinterpret_cast<std::uint64_t>(low) && address + 16 <= reinterpret_cast<std::uint64_t>(top);
    }
};

// A frame pointer is followed only inside a stack of this flow.
bool on_a_stack(const Processor& processor, std::uint64_t address) noexcept {
    const Thread& thread = *processor.current;
    const StackBounds stacks[] = {{thread.kernel_stack_low, thread.kernel_stack_top},
                                  {thread.first_stack_low, thread.first_stack_top},
                                  {processor.dpc_stack_low, processor.dpc_stack_top},
                                  {processor.trap_stack_low, processor.trap_stack_top}};
    for (const StackBounds& stack : stacks) {
        if (stack.holds(address)) return (address & 7) == 0;
    }
    return false;
}

Stop& begin_stop(Processor& processor, StopKind kind) noexcept {
    Machine& machine = *processor.machine;
    Stop& stop = machine.stop;
    machine.stopping = true;
    settle_pageable(machine); // reports and unwinding look at all of it
    stop.kind = kind;
    stop.irql = processor.irql;
    stop.processor = processor.number;
    stop.thread = processor.current;
    return stop;
}

// The machine is over; the executor sees to the rest, or who came here on the host's flow.
[[noreturn]] void leave_machine() noexcept {
    if (void* landing = current_machine().host_landing) std::longjmp(*static_cast<std::jmp_buf*>(landing), 1);
    yield_to_executor();
    __builtin_unreachable(); // resumed only to unwind, which yield_to_executor does
}

} // namespace

void record_stack(Machine& machine, Stop& stop, std::initializer_list<std::uint64_t> innermost,
                  std::uint64_t rbp) noexcept {
    const Processor& processor = *machine.running;
    stop.frame_count = 0;
    for (const std::uint64_t address : innermost) {
        if (address != 0) stop.frames[stop.frame_count++] = address;
    }
    while (stop.frame_count < max_stack_trace && on_a_stack(processor, rbp)) {
        std::uint64_t frame[2];
        std::memcpy(frame, reinterpret_cast<const void*>(rbp), sizeof frame);
        if (frame[1] == 0) break;
        stop.frames[stop.frame_count++] = frame[1];
        if (frame[0] == rbp) break;
        rbp = frame[0];
    }
}

void bug_check(std::uint32_t code, std::uint64_t p1, std::uint64_t p2, std::uint64_t p3, std::uint64_t p4,
               const BugCheckDetails& details) noexcept {
    Processor* processor = current_processor();
    const bool host_flow = processor == nullptr || processor->machine->host_stands_in;
    if (host_flow &&
        (processor == nullptr || processor->machine->host_landing == nullptr)) { // dirql's or its host's error
        std::fprintf(stderr, "dirql: bug check 0x%08X (0x%llX, 0x%llX, 0x%llX, 0x%llX) outside of a run: %s\n", code,
                     static_cast<unsigned long long>(p1), static_cast<unsigned long long>(p2),
                     static_cast<unsigned long long>(p3), static_cast<unsigned long long>(p4),
                     details.rule == nullptr ? "" : details.rule);
        std::abort();
    }
    if (processor->machine->stopping) leave_machine(); // the first one counts
    DIRQL_TRACE_ON(processor, bug_check, .irp = details.irp, .object = details.device, .code = code,
                   .text = details.rule == nullptr ? "" : details.rule);
    Stop& stop = begin_stop(*processor, StopKind::bug_check);
    stop.code = code;
    stop.rule = details.rule;
    stop.document = details.document;
    stop.irp = details.irp;
    stop.device = details.device;
    if (details.name != nullptr) std::strncpy(stop.text, details.name, sizeof stop.text - 1);
    if (stop.frame_count == 0) { // a trap has recorded the stack of the fault already
        record_stack(*processor->machine, stop, {}, reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)));
    }
    const std::uint64_t parameters[] = {p1, p2, p3, p4};
    for (unsigned i = 0; i < 4; ++i) stop.parameters[i] = reported_address(*processor->machine, stop, parameters[i]);
    if (!host_flow) run_bug_check_callbacks(*processor);
    leave_machine();
}

bool on_host_flow(Machine& machine, void (*body)(void*), void* context) noexcept {
    std::jmp_buf landing;
    machine.host_landing = &landing;
    if (setjmp(landing) == 0) body(context);
    machine.host_landing = nullptr;
    return !machine.stopping;
}

void stop_stalled(const char* why) noexcept {
    Processor* processor = current_processor();
    if (processor->machine->stopping) leave_machine();
    Stop& stop = begin_stop(*processor, StopKind::stall);
    stop.rule = why;
    if (stop.frame_count == 0)
        record_stack(*processor->machine, stop, {}, reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)));
    leave_machine();
}

void irql_violation(const ExportRule& rule, Processor* processor, const void* subject) noexcept {
    const bool too_high = processor->irql > rule.irql_max;
    const IrqlRule broken = broken_irql_rule(rule);
    const std::uint64_t bound = too_high ? rule.irql_max : rule.irql_min;
    bug_check(broken.code, broken.subcode, processor->irql, broken.subject ? parameter(subject) : bound, 0,
              {.rule = too_high ? "an export was called above the IRQL that its document allows"
                                : "an export was called below the IRQL that its document demands",
               .document = broken.document,
               .name = rule.name});
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
                        ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4) {
    DIRQL_CALLED(KeBugCheckEx);
    bug_check(BugCheckCode, BugCheckParameter1, BugCheckParameter2, BugCheckParameter3, BugCheckParameter4);
}

VOID NTAPI KeBugCheck(ULONG BugCheckCode) {
    DIRQL_CALLED(KeBugCheck);
    bug_check(BugCheckCode);
}
}
