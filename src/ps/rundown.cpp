// The end of a thread: what is still under way is undone, in the context of the thread, at PASSIVE_LEVEL.
//
//   regions and IRQL must be as at its start, else bug check 0x20
//   timers that were to queue APCs to it are cancelled
//   io cancels its IRPs and waits for them, but for those that may outlive it
//   the last thread of a process closes the process's handles, and what requests are left then are cancelled and waited for
//   user APCs that it will never run are run down; a kernel APC still queued is bug check 0x20
//
// ke then gives up its mutexes, signals it, and leaves; the executor takes its stacks back and thread_reaped drops the
// reference that the running thread had to itself.
#include "ex/pool.hpp"
#include "ke/apc.hpp"
#include "ke/callout.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/timer.hpp"
#include "ob/object.hpp"
#include "ob/timer.hpp"
#include "ps/make_thread.hpp"
#include "ps/state.hpp"
#include "se/token.hpp"

#include <utility>

namespace dirql::ps {
namespace {

[[noreturn]] void bad_exit(const ke::Thread& thread, const KAPC* pending, const char* rule) noexcept {
    const auto regions = static_cast<std::int64_t>(thread.kernel_apc_disable) + thread.special_apc_disable;
    ke::bug_check(KERNEL_APC_PENDING_DURING_EXIT, ke::parameter(pending), static_cast<std::uint64_t>(regions),
                  ke::current_processor()->irql, 0,
                  {.rule = rule, .document = "Bug Check 0x20: KERNEL_APC_PENDING_DURING_EXIT"});
}

// The region that a system thread was started in ends here, and the APCs that it held back are delivered.
void leave_first_region(ke::Thread& thread) noexcept {
    if (ke::current_processor()->irql != PASSIVE_LEVEL) bad_exit(thread, nullptr, "a thread ended above PASSIVE_LEVEL");
    const std::int16_t at_start = thread.is_system != 0 ? system_thread_regions : 0;
    if (thread.kernel_apc_disable != at_start || thread.special_apc_disable != 0) {
        bad_exit(thread, nullptr,
                 "a thread ended inside a critical or guarded region, or left one that it had not entered");
    }
    if (std::exchange(thread.kernel_apc_disable, 0) == 0) return;
    ke::check_apcs_after_region(thread);
    ke::lower_irql(ke::current_processor(), PASSIVE_LEVEL);
}

void refuse_attached(const ke::Thread& thread) noexcept {
    if (!is_attached(thread)) return;
    ke::bug_check(INVALID_PROCESS_ATTACH_ATTEMPT, ke::parameter(thread.process), ke::parameter(&process_of(thread)), 0,
                  0,
                  {.rule = "a thread ended while it was attached to another process",
                   .document = "Bug Check 0x5: INVALID_PROCESS_ATTACH_ATTEMPT"});
}

KAPC* take_apc(LIST_ENTRY& queue) noexcept {
    if (IsListEmpty(&queue)) return nullptr;
    KAPC* apc = CONTAINING_RECORD(RemoveHeadList(&queue), KAPC, ApcListEntry);
    apc->Inserted = FALSE;
    return apc;
}

ke::RundownRoutine rundown_of(const KAPC& apc) noexcept {
    return reinterpret_cast<ke::RundownRoutine>(apc.Reserved[1]);
}

// An APC without a rundown routine is a block of pool that nobody else will free.
void run_down_apcs(ke::Thread& thread) noexcept {
    thread.apc_queue_shut = 1;
    auto& [kernel, user] = thread.apcs;
    while (KAPC* apc = take_apc(user)) {
        if (const ke::RundownRoutine rundown = rundown_of(*apc)) {
            ke::callout({ke::CalloutKind::other, reinterpret_cast<const void*>(rundown)}, rundown, apc);
        } else {
            ex::free_pool(apc, 0);
        }
    }
    if (const KAPC* apc = take_apc(kernel)) bad_exit(thread, apc, "a thread ended while a kernel APC was queued to it");
}

} // namespace

void run_down_thread(ke::Thread& thread) noexcept {
    ke::Machine& machine = ke::current_machine();
    ThreadObject& object = object_of(thread);
    refuse_attached(thread);
    leave_first_region(thread);
    if (object.vetoed || object.asked_status != STATUS_SUCCESS) thread.exit_status = object.asked_status;
    object.terminating = true;
    if (object.announced) announce_thread_exit(thread);
    ob::run_down_timers(thread);
    if (auto* io_rundown = state_of(machine).io.thread_ends) io_rundown(thread);
    ke::Process& process = process_of(thread);
    const bool last = --object_of(process).live_threads == 0 && &process != machine.system_process;
    if (last) exit_process(process, thread.exit_status);
    run_down_apcs(thread);
    se::drop_impersonation(thread);
    object.exit_time = ke::system_time(machine);
}

void thread_reaped(ke::Thread& thread) noexcept {
    RemoveEntryList(&thread.process_entry);
    thread.process_entry.Flink = nullptr;
    auto* ended = state_of(ke::current_machine()).io.thread_ended;
    if (ended == nullptr || !ended(thread)) ob::dereference(&thread);
}

} // namespace dirql::ps
