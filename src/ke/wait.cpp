#include "ke/wait.hpp"
#include "ke/wait_in_mode.hpp"

#include "diag/trace.hpp"
#include "ke/apc.hpp"
#include "ke/clock.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/mutant.hpp"
#include "ke/queue.hpp"
#include "ke/scheduler.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ke/timer.hpp"

#include <utility>

namespace dirql::ke {
namespace {

constexpr const char* wait_document = "KeWaitForSingleObject function (wdm.h)";

struct WaitRequest {
    ULONG count;
    PVOID* objects;
    WAIT_TYPE type;
    KWAIT_REASON reason;
    KPROCESSOR_MODE mode;
    bool alertable;
    const LARGE_INTEGER* timeout;
    PKWAIT_BLOCK blocks;
};

DISPATCHER_HEADER& header_of(void* object) noexcept { return *static_cast<DISPATCHER_HEADER*>(object); }

// Would a wait of this thread be satisfied now? A mutant also by its owner.
bool satisfiable(const DISPATCHER_HEADER& header, const Thread& thread) noexcept {
    if (header.Type == object_type::queue) [[unlikely]]
        return detail::queue_satisfies(header, thread);
    if (header.SignalState > 0) return true;
    return header.Type == object_type::mutant && mutant_owned_by(header, thread);
}

// What a satisfied wait does to the object. Returns STATUS_ABANDONED for an abandoned mutant, else STATUS_SUCCESS.
NTSTATUS take(DISPATCHER_HEADER& header, Thread& thread) noexcept {
    switch (header.Type) {
    case object_type::event_synchronization:
    case object_type::timer_synchronization: header.SignalState = 0; return STATUS_SUCCESS;
    case object_type::semaphore: --header.SignalState; return STATUS_SUCCESS;
    case object_type::mutant: return acquire_mutant(header, thread) ? STATUS_ABANDONED : STATUS_SUCCESS;
    case object_type::queue: return detail::take_from_queue(header, thread);
    default: return STATUS_SUCCESS;
    }
}

bool all_satisfiable(const PKWAIT_BLOCK blocks, ULONG count, const Thread& thread) noexcept {
    for (ULONG i = 0; i < count; ++i) {
        if (!satisfiable(header_of(blocks[i].Object), thread)) return false;
    }
    return true;
}

// With an abandoned mutant among them the status is STATUS_ABANDONED, whichever it was.
NTSTATUS take_all(const PKWAIT_BLOCK blocks, ULONG count, Thread& thread) noexcept {
    NTSTATUS status = STATUS_SUCCESS;
    for (ULONG i = 0; i < count; ++i) {
        if (take(header_of(blocks[i].Object), thread) == STATUS_ABANDONED) status = STATUS_ABANDONED;
    }
    return status;
}

// The owner of a mutant may take it MINLONG times, no more.
bool mutant_exhausted(const WaitRequest& request, const Thread& thread) noexcept {
    for (ULONG i = 0; i < request.count; ++i) {
        const DISPATCHER_HEADER& header = header_of(request.objects[i]);
        if (header.Type == object_type::mutant && header.SignalState == static_cast<LONG>(MINLONG) &&
            mutant_owned_by(header, thread))
            return true;
    }
    return false;
}

// STATUS_PENDING when the thread must block.
NTSTATUS try_satisfy(const WaitRequest& request, Thread& thread) noexcept {
    if (request.type == WaitAll) {
        return all_satisfiable(request.blocks, request.count, thread) ? take_all(request.blocks, request.count, thread)
                                                                      : STATUS_PENDING;
    }
    for (ULONG i = 0; i < request.count; ++i) {
        DISPATCHER_HEADER& header = header_of(request.objects[i]);
        if (!satisfiable(header, thread)) continue;
        const bool abandoned = take(header, thread) == STATUS_ABANDONED;
        return static_cast<NTSTATUS>(i) + (abandoned ? STATUS_ABANDONED_WAIT_0 : STATUS_WAIT_0);
    }
    return STATUS_PENDING;
}

void fill_blocks(const WaitRequest& request, Thread& thread) noexcept {
    for (ULONG i = 0; i < request.count; ++i) {
        KWAIT_BLOCK& block = request.blocks[i];
        block.Object = request.objects[i];
        block.Thread = as_kthread(&thread);
        block.WaitType = static_cast<UCHAR>(request.type);
        block.WaitKey = static_cast<USHORT>(i);
    }
}

void link_blocks(const WaitRequest& request, Thread& thread) noexcept {
    for (ULONG i = 0; i < request.count; ++i)
        InsertTailList(&header_of(request.objects[i]).WaitListHead, &request.blocks[i].WaitListEntry);
    thread.wait_blocks = request.blocks;
    thread.wait_count = static_cast<std::uint8_t>(request.count);
    thread.wait_type = static_cast<std::uint8_t>(request.type);
}

// The thread's own timer ends the wait with STATUS_TIMEOUT, through the last of its own wait blocks.
void arm_timeout(Thread& thread, const LARGE_INTEGER& timeout) noexcept {
    KWAIT_BLOCK& block = thread.own_wait_blocks[THREAD_WAIT_OBJECTS];
    initialize_header(thread.wait_timer.Header, object_type::timer_notification, 0, sizeof(KTIMER));
    thread.wait_timer.Dpc = nullptr;
    thread.wait_timer.Period = 0;
    block.Object = &thread.wait_timer;
    block.Thread = as_kthread(&thread);
    block.WaitType = WaitAny;
    block.WaitKey = static_cast<USHORT>(STATUS_TIMEOUT);
    InsertTailList(&thread.wait_timer.Header.WaitListHead, &block.WaitListEntry);
    insert_timer(thread.wait_timer, timeout);
    thread.wait_timer_used = 1;
}

bool already_over(const LARGE_INTEGER* timeout) noexcept {
    return timeout != nullptr && timer_due(*timeout) <= current_processor()->now;
}

// Why a wait that would block ends at once instead: an alert, for this mode or for both, or a user APC. A user APC that is pending
// already, to be delivered on the way back, ends all waits in user mode. STATUS_SUCCESS: it blocks.
NTSTATUS interrupted(Thread& thread, const WaitRequest& request) noexcept {
    const bool user = request.mode != KernelMode;
    if (request.alertable) {
        if (std::exchange(thread.alerted[user ? 1 : 0], 0) != 0) return STATUS_ALERTED;
        if (user && !IsListEmpty(&thread.apcs[UserMode])) {
            thread.user_apc_pending = 1;
            return STATUS_USER_APC;
        }
        if (std::exchange(thread.alerted[KernelMode], 0) != 0) return STATUS_ALERTED;
    }
    const bool held = thread.user_apc_pending != 0 || thread.terminating != 0;
    return user && held ? STATUS_USER_APC : STATUS_SUCCESS;
}

NTSTATUS block(const WaitRequest& request, Thread& thread) noexcept {
    link_blocks(request, thread);
    if (request.timeout != nullptr) arm_timeout(thread, *request.timeout);
    thread.state = ThreadState::waiting;
    thread.wait_mode = request.mode;
    thread.wait_alertable = request.alertable;
    thread.wait_reason = static_cast<std::uint8_t>(request.reason);
    if (thread.queue != nullptr) [[unlikely]]
        detail::queue_thread_rests(thread);
    DIRQL_TRACE(wait_begin, .object = request.count == 0 ? nullptr : request.objects[0],
                .major = request.count == 0 ? UCHAR{0} : header_of(request.objects[0]).Type,
                .minor = static_cast<std::uint8_t>(request.type), .code = request.count,
                .value = thread.wait_timer_used == 0 ? 0 : thread.wait_timer.DueTime.QuadPart * ns_per_tick);
    swap_context();
    DIRQL_TRACE(wait_end, .status = thread.wait_status);
    return thread.wait_status;
}

// The IRQL of the code that waits: after a signal with Wait = TRUE, what it was before.
KIRQL level_of_caller() noexcept {
    const Thread& thread = *current_thread();
    return thread.wait_next != 0 ? thread.wait_irql : current_processor()->irql;
}

// The wait of all wait functions. A kernel APC that arrives meanwhile is delivered, then the wait starts anew.
NTSTATUS wait(WaitRequest request) {
    Thread& thread = *current_thread();
    fill_blocks(request, thread);
    LARGE_INTEGER until;
    if (request.timeout != nullptr) { // a restart must not extend a relative time-out
        const bool poll = request.timeout->QuadPart == 0;
        until.QuadPart = poll ? 0 : boot_system_time + static_cast<LONGLONG>(timer_due(*request.timeout) / ns_per_tick);
        request.timeout = &until; // the caller's own may be pageable
    }
    const KIRQL level = level_of_caller();
    thread.wait_next = 0;
    thread.wait_irql = level;
    thread.wait_since = current_processor()->now;
    if (mutant_exhausted(request, thread)) {
        lower_irql(current_processor(), level);
        raise_status(STATUS_MUTANT_LIMIT_EXCEEDED);
    }
    for (;;) {
        (void)raise_irql(current_processor(), DISPATCH_LEVEL);
        NTSTATUS status = try_satisfy(request, thread);
        if (status == STATUS_PENDING) {
            if (const NTSTATUS why = interrupted(thread, request); why != STATUS_SUCCESS) {
                status = why;
            } else if (already_over(request.timeout)) {
                status = STATUS_TIMEOUT;
            } else if (thread.kernel_apc_pending != 0 && level < APC_LEVEL && deliverable_kernel_apc(thread)) {
                request_interrupt(current_processor(), APC_LEVEL);
                status = STATUS_KERNEL_APC;
            } else {
                status = block(request, thread);
            }
        }
        lower_irql(current_processor(), level);
        if (status != STATUS_KERNEL_APC) return status;
    }
}

} // namespace

// Waiting is for IRQL <= APC_LEVEL; at DISPATCH_LEVEL only to test an object (time-out of zero).
void check_may_wait(const void* object, const LARGE_INTEGER* timeout) noexcept {
    Processor& processor = *current_processor();
    const KIRQL level = level_of_caller();
    if (level <= APC_LEVEL) [[likely]]
        return;
    if (level == DISPATCH_LEVEL && timeout != nullptr && timeout->QuadPart == 0) return;
    if (processor.in_dpc != 0) switch_from_dpc(processor);
    bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3B, level, parameter(object), parameter(timeout),
              {.rule = "a wait needs IRQL <= APC_LEVEL, or DISPATCH_LEVEL with a time-out of zero",
               .document = wait_document});
}

namespace {

// The size, in LONGs, that a header of this type states. What has another is no dispatcher object, though its first byte, as that
// of a file object, may look like one. 0: there is no such type.
UCHAR header_size(UCHAR type) noexcept {
    switch (type) {
    case object_type::event_notification:
    case object_type::event_synchronization: return sizeof(KEVENT) / sizeof(LONG);
    case object_type::mutant: return sizeof(KMUTANT) / sizeof(LONG);
    case object_type::semaphore: return sizeof(KSEMAPHORE) / sizeof(LONG);
    case object_type::timer_notification:
    case object_type::timer_synchronization: return sizeof(KTIMER) / sizeof(LONG);
    case object_type::process:
    case object_type::thread: return sizeof(DISPATCHER_HEADER) / sizeof(LONG);
    default: return 0;
    }
}

// A wait puts itself at the end of the object's list, at DISPATCH_LEVEL: of what is no object, or was never initialised, the link
// to that end is garbage, and reading there is the fault. (An object that looks signalled would pass on NT.)
void check_waitable(const void* object, const void* service) noexcept {
    const auto& header = *static_cast<const DISPATCHER_HEADER*>(object);
    const UCHAR size = header_size(header.Type & 0x7F);
    if (size != 0 && size == header.Size && header.WaitListHead.Blink != nullptr) return;
    bug_check(IRQL_NOT_LESS_OR_EQUAL, parameter(header.WaitListHead.Blink), DISPATCH_LEVEL, 0, parameter(service),
              {.rule = "a wait names an object that is not a dispatcher object, or was never initialised",
               .document = wait_document});
}

} // namespace

void end_wait(Thread& thread, NTSTATUS status, KPRIORITY increment) noexcept {
    for (unsigned i = 0; i < thread.wait_count; ++i) RemoveEntryList(&thread.wait_blocks[i].WaitListEntry);
    thread.wait_count = 0;
    if (thread.wait_timer_used != 0) {
        RemoveEntryList(&thread.own_wait_blocks[THREAD_WAIT_OBJECTS].WaitListEntry);
        remove_timer(thread.wait_timer);
        thread.wait_timer_used = 0;
    }
    thread.wait_status = status;
    detail::queue_thread_goes_on(thread);
    ready_thread(thread, increment);
}

void terminate_thread(Thread& thread) noexcept {
    thread.terminating = 1;
    if (thread.state == ThreadState::waiting && thread.wait_mode == UserMode) end_wait(thread, STATUS_USER_APC, 0);
}

void wake_waiters(DISPATCHER_HEADER& header, KPRIORITY increment) noexcept {
    LIST_ENTRY* entry = header.WaitListHead.Flink;
    while (entry != &header.WaitListHead && (header.SignalState > 0 || header.Type == object_type::mutant)) {
        auto* block = CONTAINING_RECORD(entry, KWAIT_BLOCK, WaitListEntry);
        entry = entry->Flink;
        Thread& thread = *thread_of(block->Thread);
        if (!satisfiable(header, thread)) continue;
        NTSTATUS status;
        if (block->WaitType == WaitAll) {
            if (!all_satisfiable(thread.wait_blocks, thread.wait_count, thread)) continue;
            status = take_all(thread.wait_blocks, thread.wait_count, thread);
        } else {
            status = block->WaitKey;
            if (take(header, thread) == STATUS_ABANDONED) status += STATUS_ABANDONED_WAIT_0;
        }
        // A thread may wait for one object twice; its next block must not be the one we hold.
        while (entry != &header.WaitListHead &&
               CONTAINING_RECORD(entry, KWAIT_BLOCK, WaitListEntry)->Thread == block->Thread)
            entry = entry->Flink;
        end_wait(thread, status, increment);
    }
}

NTSTATUS wait_for(void* object, const LARGE_INTEGER* timeout) {
    Thread& thread = *current_thread();
    return wait({1, &object, WaitAny, Executive, KernelMode, false, timeout, thread.own_wait_blocks});
}

NTSTATUS wait_in_mode(void* object, KPROCESSOR_MODE mode, bool alertable) noexcept {
    return wait({1, &object, WaitAny, Executive, mode, alertable, nullptr, current_thread()->own_wait_blocks});
}

NTSTATUS wait_for_queue(KQUEUE& queue, KPROCESSOR_MODE mode, bool alertable, const LARGE_INTEGER* timeout) {
    void* object = &queue;
    return wait({1, &object, WaitAny, WrQueue, mode, alertable, timeout, current_thread()->own_wait_blocks});
}

void reschedule_if_asked() noexcept {
    Processor* processor = current_processor();
    lower_irql(processor, processor->irql);
}

void end_signal(bool wait_follows, KIRQL most, const char* document) noexcept {
    if (!wait_follows) return reschedule_if_asked();
    Processor* processor = current_processor();
    Thread& self = *processor->current;
    if (level_of_caller() > most) {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00020016, processor->irql, most, 0,
                  {.rule = "an object was signalled with Wait = TRUE above the IRQL that its function allows for that",
                   .document = document});
    }
    if (self.wait_next == 0) self.wait_irql = raise_irql(processor, DISPATCH_LEVEL);
    self.wait_next = 1;
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

NTSTATUS NTAPI KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                     PLARGE_INTEGER Timeout) {
    DIRQL_DOOR(KeWaitForSingleObject);
    check_may_wait(Object, Timeout);
    check_waitable(Object, reinterpret_cast<const void*>(KeWaitForSingleObject));
    return wait(
        {1, &Object, WaitAny, WaitReason, WaitMode, Alertable != FALSE, Timeout, current_thread()->own_wait_blocks});
}

NTSTATUS NTAPI KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                        KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                        PKWAIT_BLOCK WaitBlockArray) {
    DIRQL_DOOR(KeWaitForMultipleObjects);
    const ULONG most = WaitBlockArray == nullptr ? THREAD_WAIT_OBJECTS : MAXIMUM_WAIT_OBJECTS;
    if (Count > most) {
        bug_check(MAXIMUM_WAIT_OBJECTS_EXCEEDED, 0, 0, 0, 0,
                  {.rule = WaitBlockArray == nullptr
                               ? "more than THREAD_WAIT_OBJECTS objects were waited for without wait blocks"
                               : "more than MAXIMUM_WAIT_OBJECTS objects were waited for",
                   .document = "KeWaitForMultipleObjects function (wdm.h)"});
    }
    for (ULONG i = 0; i < Count; ++i)
        check_waitable(Object[i], reinterpret_cast<const void*>(KeWaitForMultipleObjects));
    check_may_wait(Count == 0 ? nullptr : Object[0], Timeout);
    PKWAIT_BLOCK blocks = WaitBlockArray == nullptr ? current_thread()->own_wait_blocks : WaitBlockArray;
    return wait({Count, Object, WaitType, WaitReason, WaitMode, Alertable != FALSE, Timeout, blocks});
}

NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval) {
    DIRQL_DOOR(KeDelayExecutionThread);
    check_may_wait(Interval, nullptr);
    if (Interval->QuadPart == 0 && current_thread()->wait_next == 0) {
        yield_turn();
        return STATUS_SUCCESS;
    }
    const NTSTATUS status = wait({0, nullptr, WaitAny, DelayExecution, WaitMode, Alertable != FALSE, Interval,
                                  current_thread()->own_wait_blocks});
    return status == STATUS_TIMEOUT ? STATUS_SUCCESS : status;
}
}
