#include "io/left_behind.hpp"

#include "ex/active_objects.hpp"
#include "ex/pool.hpp"
#include "ke/dpc.hpp"
#include "ke/process_list.hpp"
#include "ke/stop.hpp"
#include "ob/handle_callbacks.hpp"
#include "ps/notify.hpp"

namespace dirql::io {
namespace {

constexpr std::uint64_t execute = 8; // the access that would fault

bool in(const ke::CodeRange& code, const void* address) noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return at >= code.begin && at < code.end;
}

ex::ActiveObject find_dpc(const ke::Machine& machine, const ke::CodeRange& code) noexcept {
    const auto is_of = [](const KDPC& dpc, const void* image) {
        const auto& range = *static_cast<const ke::CodeRange*>(image);
        return in(range, reinterpret_cast<const void*>(dpc.DeferredRoutine)) || in(range, &dpc);
    };
    const KDPC* dpc = ke::find_queued_dpc(machine, is_of, &code);
    if (dpc == nullptr) return {};
    return {dpc, reinterpret_cast<const void*>(dpc->DeferredRoutine), "a queued DPC"};
}

ex::ActiveObject find_thread(ke::Machine& machine, const ke::CodeRange& code) noexcept {
    const auto left_behind = [&](const ke::Thread& thread) {
        const bool alive = thread.state != ke::ThreadState::terminated && &thread != ke::current_thread();
        return alive && thread.user_body == nullptr && in(code, reinterpret_cast<const void*>(thread.start_routine));
    };
    const ke::Thread* thread = ke::find_thread(machine, left_behind);
    if (thread == nullptr) return {};
    return {thread, reinterpret_cast<const void*>(thread->start_routine), "a system thread"};
}

ex::ActiveObject find(const ke::CodeRange& code) noexcept {
    ke::Machine& machine = ke::current_machine();
    ex::ActiveObject active = ex::find_active_object(code);
    if (active.address == nullptr) active = find_dpc(machine, code);
    if (active.address == nullptr) active = find_thread(machine, code);
    if (active.address == nullptr) active = ob::find_handle_callback(code);
    if (active.address == nullptr) active = ps::find_notify_routine(code);
    return active;
}

} // namespace

// A timer that was cancelled in time may have queued its DPC before: drivers may count on its having run when the image goes.
void check_left_behind(const ke::CodeRange& code) noexcept {
    KeFlushQueuedDpcs();
    const ex::ActiveObject active = find(code);
    if (active.address != nullptr) {
        ke::bug_check(DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS, ke::parameter(active.routine), execute,
                      ke::parameter(active.address), 0,
                      {.rule = "a driver was unloaded and left something behind that will call it",
                       .document = "Bug Check 0xCE: DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS",
                       .name = active.what});
    }
    const ex::PoolLeaks leaks = ex::report_leaks(code);
    if (leaks.blocks == 0) return;
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x62, ke::parameter(code.name), 0, leaks.blocks,
                  {.rule = "a driver was unloaded without having freed its pool",
                   .document = "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION",
                   .name = code.name});
}

} // namespace dirql::io
