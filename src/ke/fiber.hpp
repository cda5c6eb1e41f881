// A fiber: one flow of control on stacks of its own, switched in user mode.
//
// Wraps Boost.Context's fcontext once, and carries along what belongs to a flow but lives in the host thread: the C++
// exception globals, the SEH chain, and the sanitizers' notion of the current stack.
#pragma once

#include "ke/seh.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <cstddef>

namespace dirql::ke {

// The part of the Itanium C++ ABI's per-thread globals that a switch must exchange.
struct CxaGlobals {
    void* caught_exceptions;
    unsigned uncaught_exceptions;
};

struct Fiber {
    using Entry = void (*)(void* argument);

    // The host thread's own flow.
    void adopt_host_thread() noexcept;
    // A flow that will call entry(argument) on [stack_low, stack_top) when first switched to. `entry` never returns.
    void prepare(std::byte* stack_low, std::byte* stack_top, Entry entry, void* argument) noexcept;
    // Leaves `this`, which must be the current flow, for `next`; returns when somebody switches back.
    void switch_to(Fiber& next) noexcept;
    // The flow will not be resumed; its stacks may be used again.
    void retire() noexcept;

    boost::context::detail::fcontext_t context;
    Entry entry;
    void* argument;
    CxaGlobals cxa;
    SehState* seh;
    std::byte* stack_low; // of the stack in use, for the sanitizers
    std::byte* stack_top;
    void* fake_stack; // ASan
    void* tsan_fiber; // TSan
};

// Runs function(argument) on another stack of the same flow: DPC and interrupt stacks. Returns when it returns.
void call_on_stack(std::byte* stack_low, std::byte* stack_top, void (*function)(void*), void* argument) noexcept;

// The system-service switch: like call_on_stack, but the frame it leaves is kept in *door, and abandon_to_door(*door) comes
// back to it from anywhere in the flow, discarding all that runs above. Returns false when it came back that way.
bool call_through_door(std::byte* stack_top, void (*function)(void*), void* argument, void** door) noexcept
    asm("dirql_call_through_door");
[[noreturn]] void abandon_to_door(void* door) noexcept asm("dirql_abandon_to_door");

} // namespace dirql::ke
