#include "ke/fiber.hpp"

#include "ke/processor.hpp"
#include "ke/sanitizer.hpp"
#include "ke/thread.hpp"

#include <cstring>
#include <cxxabi.h>

extern "C" void dirql_switch_stack_and_call(std::byte* stack_top, void (*function)(void*), void* argument) noexcept;

namespace dirql::ke {
namespace {

CxaGlobals& host_cxa_globals() noexcept { return *reinterpret_cast<CxaGlobals*>(abi::__cxa_get_globals()); }

// What a flow does first after anyone switched to it: keep where the other stopped.
void arrive(boost::context::detail::transfer_t transfer, void* fake_stack) noexcept {
    auto* from = static_cast<Fiber*>(transfer.data);
    from->context = transfer.fctx;
    sanitizer::enter_stack(fake_stack, &from->stack_low, &from->stack_top);
}

} // namespace

void Fiber::adopt_host_thread() noexcept {
    *this = Fiber{};
    seh = &current_seh_state();
#ifdef DIRQL_TSAN
    tsan_fiber = __tsan_get_current_fiber();
#endif
}

void Fiber::prepare(std::byte* low, std::byte* top, Entry entry_function, void* entry_argument) noexcept {
    stack_low = low;
    stack_top = top;
    entry = entry_function;
    argument = entry_argument;
    fake_stack = nullptr;
    cxa = {};
    const auto first = [](boost::context::detail::transfer_t transfer) {
        arrive(transfer, nullptr);
        // The switcher set `context` of the flow it enters to null and left itself in transfer.data; who we are is in the
        // thread that the processor now runs.
        Fiber& self = current_processor()->current->fiber;
        self.entry(self.argument);
        __builtin_unreachable();
    };
    context = boost::context::detail::make_fcontext(top, static_cast<std::size_t>(top - low), first);
#ifdef DIRQL_TSAN
    tsan_fiber = __tsan_create_fiber(0);
#endif
}

void Fiber::switch_to(Fiber& next) noexcept {
    CxaGlobals& globals = host_cxa_globals();
    cxa = globals;
    globals = next.cxa;
    seh = exchange_seh_state(next.seh);
    sanitizer::leave_stack(&fake_stack, next.stack_low, next.stack_top);
#ifdef DIRQL_TSAN
    __tsan_switch_to_fiber(next.tsan_fiber, 0);
#endif
    arrive(boost::context::detail::jump_fcontext(next.context, this), fake_stack);
}

void Fiber::retire() noexcept {
#ifdef DIRQL_TSAN
    if (tsan_fiber != nullptr) __tsan_destroy_fiber(tsan_fiber);
    tsan_fiber = nullptr;
#endif
}

#ifdef DIRQL_ASAN
namespace {

struct StackCall {
    void (*function)(void*);
    void* argument;
    std::byte* caller_low;
    std::byte* caller_top;
};

void sanitized_call(void* data) noexcept {
    auto* call = static_cast<StackCall*>(data);
    sanitizer::enter_stack(nullptr, &call->caller_low, &call->caller_top);
    call->function(call->argument);
    sanitizer::leave_stack(nullptr, call->caller_low, call->caller_top);
}

} // namespace

void call_on_stack(std::byte* low, std::byte* top, void (*function)(void*), void* argument) noexcept {
    StackCall call{function, argument, nullptr, nullptr};
    void* fake_stack = nullptr;
    Fiber& flow = current_thread()->fiber;
    std::byte* const flow_low = flow.stack_low;
    std::byte* const flow_top = flow.stack_top;
    flow.stack_low = low;
    flow.stack_top = top;
    sanitizer::leave_stack(&fake_stack, low, top);
    dirql_switch_stack_and_call(top, sanitized_call, &call);
    sanitizer::enter_stack(fake_stack, nullptr, nullptr);
    flow.stack_low = flow_low;
    flow.stack_top = flow_top;
}
#else
void call_on_stack(std::byte*, std::byte* top, void (*function)(void*), void* argument) noexcept {
    dirql_switch_stack_and_call(top, function, argument);
}
#endif

} // namespace dirql::ke
