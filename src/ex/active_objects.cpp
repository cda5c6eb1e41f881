#include "ex/active_objects.hpp"

#include "ex/resource.hpp"
#include "ex/state.hpp"
#include "ke/dpc.hpp"
#include "ke/stop.hpp"

namespace dirql::ex {
namespace {

struct Range {
    std::uintptr_t begin;
    std::size_t size;
    [[nodiscard]] bool holds(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - begin < size;
    }
};

const KTIMER* timer_in(const Range& range) noexcept {
    LIST_ENTRY& timers = ke::current_machine().timers;
    for (LIST_ENTRY* e = timers.Flink; e != &timers; e = e->Flink) {
        if (range.holds(e)) return CONTAINING_RECORD(e, KTIMER, TimerListEntry);
    }
    return nullptr;
}

const GENERAL_LOOKASIDE_POOL* lookaside_in(const Range& range) noexcept {
    LIST_ENTRY& lists = current_state().lookaside_lists;
    for (LIST_ENTRY* e = lists.Flink; e != &lists; e = e->Flink) {
        if (range.holds(e)) return CONTAINING_RECORD(e, GENERAL_LOOKASIDE_POOL, ListEntry);
    }
    return nullptr;
}

const KDPC* queued_dpc_in(const Range& range) noexcept {
    const auto lies_in = [](const KDPC& dpc, const void* memory) {
        return static_cast<const Range*>(memory)->holds(&dpc.DpcListEntry);
    };
    return ke::find_queued_dpc(ke::current_machine(), lies_in, &range);
}

bool dpcs_queued() noexcept {
    const ke::Machine& machine = ke::current_machine();
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        const ke::Processor& processor = *machine.processors[i];
        if (processor.dpc_queue.Flink != nullptr) return true;
        if (processor.threaded_dpcs != nullptr && ke::threaded_dpcs_queued(processor)) return true;
    }
    return false;
}

bool anything_active() noexcept {
    const State& state = current_state();
    return dpcs_queued() || !IsListEmpty(&ke::current_machine().timers) || !IsListEmpty(&state.lookaside_lists) ||
           !IsListEmpty(&state.resources) || state.work.queued != 0;
}

// A timer of this image: it lies in the image's data, or its DPC runs the image's code.
const KTIMER* timer_of(const Range& image) noexcept {
    LIST_ENTRY& timers = ke::current_machine().timers;
    for (LIST_ENTRY* e = timers.Flink; e != &timers; e = e->Flink) {
        const KTIMER* timer = CONTAINING_RECORD(e, KTIMER, TimerListEntry);
        const bool runs_image =
            timer->Dpc != nullptr && image.holds(reinterpret_cast<const void*>(timer->Dpc->DeferredRoutine));
        if (image.holds(timer) || runs_image) return timer;
    }
    return nullptr;
}

const void* routine_of(const KTIMER& timer) noexcept {
    return timer.Dpc == nullptr ? nullptr : reinterpret_cast<const void*>(timer.Dpc->DeferredRoutine);
}

} // namespace

void check_nothing_active(const void* memory, std::size_t bytes, POOL_TYPE type) noexcept {
    if (!anything_active()) [[likely]]
        return;
    const Range range{reinterpret_cast<std::uintptr_t>(memory), bytes};
    if (const KTIMER* timer = timer_in(range)) {
        ke::bug_check(
            DRIVER_VERIFIER_DETECTED_VIOLATION, 0x15, ke::parameter(timer), type, range.begin,
            {.rule = "memory was freed that holds an active timer", .document = "KeCancelTimer function (wdm.h)"});
    }
    if (const KDPC* dpc = queued_dpc_in(range)) {
        ke::bug_check(
            TIMER_OR_DPC_INVALID, 1, ke::parameter(dpc), range.begin, range.begin + bytes,
            {.rule = "memory was freed that holds a queued DPC", .document = "Bug Check 0xC7: TIMER_OR_DPC_INVALID"});
    }
    if (const GENERAL_LOOKASIDE_POOL* list = lookaside_in(range)) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xCC, ke::parameter(list), range.begin, bytes,
                      {.rule = "memory was freed that holds a lookaside list not yet deleted",
                       .document = "Using Lookaside Lists"});
    }
    if (const ERESOURCE* resource = find_resource(range.begin, bytes)) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xD2, ke::parameter(resource), range.begin, bytes,
                      {.rule = "memory was freed that holds a resource not yet deleted",
                       .document = "ExDeleteResourceLite function (wdm.h)"});
    }
    if (const WORK_QUEUE_ITEM* item = find_queued_item(range.begin, bytes)) {
        ke::bug_check(
            WORKER_INVALID, 0, ke::parameter(item), range.begin, range.begin + bytes,
            {.rule = "memory was freed that holds a queued work item", .document = "Bug Check 0xE4: WORKER_INVALID"});
    }
}

void check_nothing_active(void* block) noexcept {
    if (!anything_active()) [[likely]]
        return;
    const PoolBlock found = find_pool_block(block);
    if (found.data == nullptr || found.data != block) return; // free_pool() says what is wrong
    check_nothing_active(found.data, found.size, found.paged ? PagedPool : NonPagedPool);
}

ActiveObject find_active_object(const ke::CodeRange& image) noexcept {
    const Range range{image.begin, image.end - image.begin};
    if (const KTIMER* timer = timer_of(range)) return {timer, routine_of(*timer), "a timer"};
    if (const GENERAL_LOOKASIDE_POOL* list = lookaside_in(range)) return {list, nullptr, "a lookaside list"};
    if (const ERESOURCE* resource = find_resource(range.begin, range.size)) return {resource, nullptr, "a resource"};
    if (const WORK_QUEUE_ITEM* item = find_item_of_code(image)) {
        return {item, reinterpret_cast<const void*>(item->WorkerRoutine), "a work item"};
    }
    if (const void* routine = find_running_routine(image)) return {routine, routine, "a work item under way"};
    return {};
}

} // namespace dirql::ex
