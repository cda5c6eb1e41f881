// The system-service door: from an application's code, on its user stack, to the kernel, on the thread's kernel stack.
//
// Nt* services pass here. Called in the kernel, they keep the previous mode; Zw* services set it to KernelMode. After a bug
// check the door does not return: it throws Stopped, so that the application's C++ frames unwind. User APCs that a wait has made
// pending run before the service returns.
#pragma once

#include "ke/machine.hpp"
#include "ke/sanitizer.hpp"
#include "ke/thread.hpp"

#include <concepts>
#include <utility>

namespace dirql::ke {

// The machine stopped under an application. Not a std::exception: an application's own handlers are not meant for it.
struct Stopped {};

// What a stopped machine means for the caller of a service.
enum class OnStop : std::uint8_t {
    unwind, // throw Stopped, unless an exception is on its way already
    status, // return STATUS_SYSTEM_SHUTDOWN: services that destructors use
};

namespace detail {
struct ServiceCall {
    NTSTATUS (*invoke)(void* body);
    void* body;
    const char* name; // of the service
    NTSTATUS status;  // what it returned
};
// Runs the call on the kernel stack. False when it was left early, see come_back().
[[nodiscard]] bool enter_kernel(Thread& thread, ServiceCall& call) noexcept;
// It was left early: user APCs are to be delivered first, the thread is to end, or the machine stopped. What the service returns, or Stopped.
[[gnu::cold]] NTSTATUS come_back(Thread& thread, const ServiceCall& call, OnStop policy);
// Entry and exit rules: user code runs at PASSIVE_LEVEL and in no region.
[[noreturn, gnu::cold]] void service_violation(const Processor& processor) noexcept;
} // namespace detail

// Runs `body` as a system service. `body` returns NTSTATUS. `name` is the calling function's, for traces.
template <OnStop Policy = OnStop::unwind, class Body>
NTSTATUS system_service(Body&& body, const char* name = __builtin_FUNCTION()) {
    Thread& thread = *current_thread();
    if (thread.side == Side::kernel) return body();
    using Function = std::remove_reference_t<Body>;
    detail::ServiceCall call{[](void* data) -> NTSTATUS { return (*static_cast<Function*>(data))(); }, &body, name,
                             STATUS_SYSTEM_SHUTDOWN};
    if (detail::enter_kernel(thread, call)) [[likely]]
        return call.status;
    return detail::come_back(thread, call, Policy);
}

// Previous mode is KernelMode while this lives: the Zw* services.
class KernelModeCaller {
public:
    KernelModeCaller() noexcept : thread_(current_thread()), saved_(thread_->previous_mode) {
        thread_->previous_mode = KernelMode;
    }
    ~KernelModeCaller() { thread_->previous_mode = saved_; }
    KernelModeCaller(const KernelModeCaller&) = delete;
    KernelModeCaller& operator=(const KernelModeCaller&) = delete;

private:
    Thread* thread_;
    KPROCESSOR_MODE saved_;
};

// An application thread leaves the kernel for its door: the machine stopped, or user APCs are pending. Once per service under way.
[[noreturn]] void abandon_service(Thread& thread) noexcept;

} // namespace dirql::ke
