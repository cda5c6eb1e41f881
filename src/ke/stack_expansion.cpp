#include "ke/stack_expansion.hpp"

#include "ke/callout.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/sanitizer.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"

#include <sys/mman.h>
#include <utility>

namespace dirql::ke {
namespace {

// The library's own frames on top of a driver's: doors, traps, and what sanitizers make of them.
constexpr std::size_t room_of_library = sanitizer::slow_build ? 64 << 10 : 16 << 10;

struct Stack {
    std::byte* low;
    std::byte* top;
    [[nodiscard]] bool holds(const void* address) const noexcept {
        return address >= static_cast<const void*>(low) && address < static_cast<const void*>(top);
    }
};

// Of the stacks that the current flow may stand on, the one it does.
[[gnu::noinline]] Stack current_stack(const Processor& processor) noexcept {
    const Stack dpc{processor.dpc_stack_low, processor.dpc_stack_top};
    const Thread& thread = *processor.current;
    return dpc.holds(__builtin_frame_address(0)) ? dpc : Stack{thread.kernel_stack_low, thread.kernel_stack_top};
}

[[gnu::noinline]] std::size_t stack_left(const Processor& processor) noexcept {
    const auto* here = static_cast<const std::byte*>(__builtin_frame_address(0));
    const Stack stack = current_stack(processor);
    return stack.holds(here) ? static_cast<std::size_t>(here - stack.low) : 0;
}

bool make_stack(Machine& machine, std::size_t size, Stack& stack) noexcept {
    if (machine.choice.allocation_fails()) return false;
    const std::size_t pages = pages_for(size) + 1;
    std::byte* memory = machine.slot->allocate_pages(pages);
    if (memory == nullptr) return false;
    machine.slot->protect(memory, 1, PROT_NONE); // the guard page
    stack = {memory + page_size, memory + pages * page_size};
    return true;
}

struct Call {
    PEXPAND_STACK_CALLOUT routine;
    void* parameter;
};

// "Must handle all exceptions" (ExpandedStackCall callback function): no frame outside is searched, on whichever stack it runs.
void call_driver_code(void* data) noexcept {
    const auto& call = *static_cast<const Call*>(data);
    const SehChainCut cut;
    current_seh_state().unhandled_user = data;
    callout({CalloutKind::other, reinterpret_cast<const void*>(call.routine)}, call.routine, call.parameter);
}

// The thread's kernel stack is the new one meanwhile: for traps, for walks of the stack, for who asks for its limits.
NTSTATUS call_on_larger_stack(Call& call, std::size_t size) noexcept {
    Machine& machine = current_machine();
    Thread& thread = *current_thread();
    Stack larger{};
    if (!make_stack(machine, size + room_of_library, larger)) return STATUS_NO_MEMORY;
    const Stack outer{std::exchange(thread.kernel_stack_low, larger.low),
                      std::exchange(thread.kernel_stack_top, larger.top)};
    const Stack first{thread.first_stack_low, thread.first_stack_top};
    if (first.low == nullptr) {
        thread.first_stack_low = outer.low;
        thread.first_stack_top = outer.top;
    }
    call_on_stack(larger.low, larger.top, call_driver_code, &call);
    thread.kernel_stack_low = outer.low;
    thread.kernel_stack_top = outer.top;
    thread.first_stack_low = first.low;
    thread.first_stack_top = first.top;
    free_kernel_stack(machine, larger.low, larger.top);
    return STATUS_SUCCESS;
}

NTSTATUS call_with_room(PEXPAND_STACK_CALLOUT routine, void* parameter, std::size_t size) noexcept {
    if (size > MAXIMUM_EXPANSION_SIZE) return STATUS_INVALID_PARAMETER_3;
    Call call{routine, parameter};
    if (stack_left(*current_processor()) < size + room_of_library) return call_on_larger_stack(call, size);
    call_driver_code(&call);
    return STATUS_SUCCESS;
}

} // namespace

void refuse_expanded_stack(const Thread& thread) noexcept {
    if (thread.first_stack_low == nullptr) [[likely]]
        return;
    bug_check(KERNEL_STACK_LOCKED_AT_EXIT, parameter(&thread), 0, 0, 0,
              {.rule = "a thread ended inside a routine that KeExpandKernelStackAndCallout had called",
               .document = "KeExpandKernelStackAndCallout function (ntddk.h)"});
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

NTSTATUS NTAPI KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size) {
    DIRQL_DOOR(KeExpandKernelStackAndCallout);
    return call_with_room(Callout, Parameter, Size);
}

// Drivers declare it themselves.
NTSTATUS NTAPI KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size,
                                               BOOLEAN Wait, PVOID Context);
NTSTATUS NTAPI KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size,
                                               BOOLEAN Wait, PVOID Context) {
    DIRQL_DOOR(KeExpandKernelStackAndCalloutEx);
    UNREFERENCED_PARAMETER(Context);
    if (Wait != FALSE && current_processor()->irql == DISPATCH_LEVEL) return STATUS_INVALID_PARAMETER_4;
    return call_with_room(Callout, Parameter, Size);
}

VOID NTAPI IoGetStackLimits(PULONG_PTR LowLimit, PULONG_PTR HighLimit) {
    DIRQL_DOOR(IoGetStackLimits);
    const Stack stack = current_stack(*current_processor());
    *LowLimit = reinterpret_cast<ULONG_PTR>(stack.low);
    *HighLimit = reinterpret_cast<ULONG_PTR>(stack.top);
}

// Of all stacks of the thread, and of the DPC stack in a DPC.
LOGICAL NTAPI IoWithinStackLimits(ULONG_PTR RegionStart, SIZE_T RegionSize) {
    DIRQL_DOOR(IoWithinStackLimits);
    const Processor& processor = *current_processor();
    const Thread& thread = *processor.current;
    const Stack stacks[] = {current_stack(processor),
                            {thread.kernel_stack_low, thread.kernel_stack_top},
                            {thread.first_stack_low, thread.first_stack_top}};
    for (const Stack& stack : stacks) {
        const auto low = reinterpret_cast<ULONG_PTR>(stack.low);
        const auto top = reinterpret_cast<ULONG_PTR>(stack.top);
        if (RegionStart >= low && RegionStart <= top && RegionSize <= top - RegionStart) return TRUE;
    }
    return FALSE;
}

PVOID NTAPI IoGetInitialStack(VOID) {
    DIRQL_DOOR(IoGetInitialStack);
    return current_thread()->kernel_stack_top;
}
}
