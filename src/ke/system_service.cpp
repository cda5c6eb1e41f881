#include "ke/system_service.hpp"

#include "diag/trace.hpp"
#include "ke/apc.hpp"
#include "ke/callout.hpp"
#include "ke/clock.hpp"
#include "ke/floating_point.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"

#include <cstddef>
#include <cstring>
#include <exception>

namespace dirql::ke {
namespace detail {
namespace {

// The host's own calls into the kernel, for its buffers and threads, are no services of NT and are not told.
bool is_nt_service(const char* name) noexcept { return name[0] == 'N' && name[1] == 't'; }

// User APCs are delivered on the user stack, where their C++ frames can unwind: the door comes back as after a stop, see come_back().
[[noreturn, gnu::cold, gnu::noinline]] void return_held(const Processor& processor, Thread& thread) noexcept {
    if (processor.irql != PASSIVE_LEVEL || apcs_disabled(thread)) service_violation(processor);
    refuse_open_saves(thread);
    abandon_service(thread);
}

// Each runs as the application's code between two services would. False when the machine stopped meanwhile.
DIRQL_CALLS_ANY_ROUTINE bool deliver_user_apcs() {
    for (;;) {
        UserCall call{};
        auto take = [&] { return take_user_apc(*current_thread(), call) ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES; };
        const NTSTATUS status = system_service<OnStop::status>(take, "user APC");
        if (status != STATUS_SUCCESS) return status == STATUS_NO_MORE_ENTRIES;
        if (call.routine != nullptr) call.routine(call.context, call.argument1, call.argument2);
    }
}

[[gnu::cold, gnu::noinline]] NTSTATUS traced_invoke(const ServiceCall& call) noexcept {
    if (!is_nt_service(call.name)) return call.invoke(call.body);
    DIRQL_TRACE(service_entry, .text = call.name);
    const NTSTATUS status = call.invoke(call.body);
    DIRQL_TRACE(service_exit, .status = status, .text = call.name);
    return status;
}

// One word, see holds_return().
static_assert(offsetof(Thread, special_apc_disable) == offsetof(Thread, kernel_apc_disable) + 2 &&
              offsetof(Thread, user_apc_pending) == offsetof(Thread, kernel_apc_disable) + 4 &&
              offsetof(Thread, saves_open) == offsetof(Thread, kernel_apc_disable) + 6 &&
              offsetof(Thread, side) == offsetof(Thread, kernel_apc_disable) + 8);

void run_service(Thread& thread, ServiceCall& call) noexcept {
    Processor* processor = current_processor();
    begin_work(processor);
    processor = charge(processor, cost::export_call);
    call.status = processor->trace_on != 0 ? traced_invoke(call) : call.invoke(call.body);
    processor = current_processor();
    if (processor->irql != PASSIVE_LEVEL || holds_return(thread)) [[unlikely]]
        return_held(*processor, thread);
}

#ifdef DIRQL_ASAN
struct SanitizedService {
    Thread* thread;
    ServiceCall* call;
    std::byte* user_low;
    std::byte* user_top;
};

void on_kernel_stack(void* data) noexcept {
    auto* service = static_cast<SanitizedService*>(data);
    sanitizer::enter_stack(nullptr, &service->user_low, &service->user_top);
    run_service(*service->thread, *service->call);
    sanitizer::leave_stack(nullptr, service->user_low, service->user_top);
}

bool switch_stacks(Thread& thread, ServiceCall& call) noexcept {
    SanitizedService service{&thread, &call, nullptr, nullptr};
    void* fake_stack = nullptr;
    thread.fiber.stack_low = thread.kernel_stack_low;
    thread.fiber.stack_top = thread.kernel_stack_top;
    sanitizer::leave_stack(&fake_stack, thread.kernel_stack_low, thread.kernel_stack_top);
    const bool returned = call_through_door(thread.kernel_stack_top, on_kernel_stack, &service, &thread.door);
    sanitizer::enter_stack(fake_stack, nullptr, nullptr);
    thread.fiber.stack_low = thread.user_stack_low;
    thread.fiber.stack_top = thread.user_stack_top;
    return returned;
}
#else
struct PlainService {
    Thread* thread;
    ServiceCall* call;
};

void on_kernel_stack(void* data) noexcept {
    auto* service = static_cast<PlainService*>(data);
    run_service(*service->thread, *service->call);
}

bool switch_stacks(Thread& thread, ServiceCall& call) noexcept {
    PlainService service{&thread, &call};
    return call_through_door(thread.kernel_stack_top, on_kernel_stack, &service, &thread.door);
}
#endif

} // namespace

bool enter_kernel(Thread& thread, ServiceCall& call) noexcept {
    Processor* processor = current_processor();
    if (processor->machine->stopping) [[unlikely]]
        return false;
    thread.side = Side::kernel;
    thread.previous_mode = UserMode;
    set_seh_state(&thread.seh);
    const bool returned = switch_stacks(thread, call);
    set_seh_state(&thread.user_seh);
    thread.door = nullptr;
    thread.side = Side::user;
    return returned;
}

NTSTATUS come_back(Thread& thread, const ServiceCall& call, OnStop policy) {
    sanitizer::forget_stack(thread.kernel_stack_low, thread.kernel_stack_top);
    const bool stopped = current_processor()->machine->stopping;
    if (!stopped && thread.terminating == 0 && thread.user_apc_pending != 0 && deliver_user_apcs()) return call.status;
    if (policy == OnStop::unwind && std::uncaught_exceptions() == 0) throw Stopped{};
    return STATUS_SYSTEM_SHUTDOWN;
}

void service_violation(const Processor& processor) noexcept {
    if (processor.irql != PASSIVE_LEVEL) {
        bug_check(IRQL_GT_ZERO_AT_SYSTEM_SERVICE, 0, processor.irql, 0, 0,
                  {.rule = "a system service returned to user mode above PASSIVE_LEVEL",
                   .document = "Bug Check 0x4A: IRQL_GT_ZERO_AT_SYSTEM_SERVICE"});
    }
    const Thread& thread = *processor.current;
    bug_check(APC_INDEX_MISMATCH, 0, 0,
              static_cast<std::uint16_t>(thread.special_apc_disable) << 16 |
                  static_cast<std::uint16_t>(thread.kernel_apc_disable),
              0,
              {.rule = "a system service returned to user mode inside a critical or guarded region",
               .document = "Bug Check 0x1: APC_INDEX_MISMATCH"});
}

} // namespace detail

void abandon_service(Thread& thread) noexcept {
    thread.unwind = 0;
    void* door = thread.door;
    sanitizer::leave_stack(nullptr, thread.user_stack_low, thread.user_stack_top);
    abandon_to_door(door);
}

} // namespace dirql::ke
