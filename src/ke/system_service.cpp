#include "ke/system_service.hpp"

#include "diag/trace.hpp"
#include "ke/apc.hpp"
#include "ke/clock.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"

#include <exception>

namespace dirql::ke {
namespace detail {
namespace {

// The host's own calls into the kernel, for its buffers and threads, are no services of NT and are not told.
bool is_nt_service(const char* name) noexcept { return name[0] == 'N' && name[1] == 't'; }

[[gnu::cold, gnu::noinline]] NTSTATUS traced_invoke(const ServiceCall& call) noexcept {
    if (!is_nt_service(call.name)) return call.invoke(call.body);
    DIRQL_TRACE(service_entry, .text = call.name);
    const NTSTATUS status = call.invoke(call.body);
    DIRQL_TRACE(service_exit, .status = status, .text = call.name);
    return status;
}

void run_service(Thread& thread, ServiceCall& call) noexcept {
    Processor* processor = current_processor();
    begin_work(processor);
    processor = charge(processor, cost::export_call);
    call.status = processor->trace_on != 0 ? traced_invoke(call) : call.invoke(call.body);
    processor = current_processor();
    if (processor->irql != PASSIVE_LEVEL || apcs_disabled(thread)) [[unlikely]]
        service_violation(*processor);
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

void throw_stopped() { throw Stopped{}; }

bool unwinding() noexcept { return std::uncaught_exceptions() != 0; }

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
