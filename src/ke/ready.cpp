#include "ke/ready.hpp"

#include "ke/irql.hpp"

#include <bit>
#include <utility>

namespace dirql::ke {
namespace {

constexpr std::uint32_t most_equals = 8; // how many of a list a choice looks at

Thread& thread_at(LIST_ENTRY* entry) noexcept { return *CONTAINING_RECORD(entry, Thread, ready_entry); }

int priority_of_first(const Processor& owner) noexcept { return std::bit_width(owner.ready_summary) - 1; }

// The best thread of `owner`'s lists that may run on another processor; null where none is better than `than`. The first
// thread of an idle processor is none to take: that processor is on its way to it (NT's standby state). Who took it would
// run alone what a real computer runs at once, for time stands still on a processor that has no turn.
Thread* best_for_another(const Processor& owner, const Processor& other, int than) noexcept {
    bool standby = owner.current == owner.idle_thread;
    for (std::uint32_t summary = owner.ready_summary; summary != 0;) {
        const int priority = std::bit_width(summary) - 1;
        if (priority <= than) return nullptr;
        const LIST_ENTRY& list = owner.ready[priority];
        for (LIST_ENTRY* entry = list.Flink; entry != &list; entry = entry->Flink) {
            if (std::exchange(standby, false)) continue;
            if (allowed_on(thread_at(entry), other)) return &thread_at(entry);
        }
        summary &= ~(1u << priority);
    }
    return nullptr;
}

// A thread on the lists of others that is better for this processor than all on its own.
Thread* best_elsewhere(const Processor& processor) noexcept {
    const Machine& machine = *processor.machine;
    Thread* best = nullptr;
    int priority = priority_of_first(processor);
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        const Processor& owner = *machine.processors[i];
        if (&owner == &processor || owner.ready_summary == 0) continue;
        if (Thread* found = best_for_another(owner, processor, priority)) {
            best = found;
            priority = found->priority;
        }
    }
    return best;
}

Thread* choose_among_equals(Processor& processor) noexcept {
    LIST_ENTRY& list = processor.ready[priority_of_first(processor)];
    std::uint32_t count = 0;
    for (LIST_ENTRY* entry = list.Flink; entry != &list && count < most_equals; entry = entry->Flink) ++count;
    std::uint32_t skip = count > 1 ? processor.machine->choice.pick(ChoiceKind::thread, count) : 0;
    LIST_ENTRY* entry = list.Flink;
    while (skip-- != 0) entry = entry->Flink;
    return &thread_at(entry);
}

bool would_preempt(const Thread& thread, const Processor& processor) noexcept {
    return processor.current == processor.idle_thread || thread.priority > processor.current->priority;
}

Processor* first_allowed(const Thread& thread, Machine& machine) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        if (allowed_on(thread, *machine.processors[i])) return machine.processors[i];
    }
    return machine.processors[0];
}

// The processor that it may use and that runs the least important thread; idle ones before all.
Processor* least_busy(const Thread& thread, Machine& machine) noexcept {
    Processor* best = first_allowed(thread, machine);
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor* other = machine.processors[i];
        if (!allowed_on(thread, *other)) continue;
        if (idle(*other)) return other;
        if (other->current->priority < best->current->priority) best = other;
    }
    return best;
}

Processor* place_for(const Thread& thread, Machine& machine) noexcept {
    Processor* home = thread.processor;
    if (machine.processor_count == 1) return machine.processors[0];
    if (home == nullptr || !allowed_on(thread, *home)) return least_busy(thread, machine);
    if (idle(*home)) return home;
    Processor* other = least_busy(thread, machine);
    return idle(*other) || (!would_preempt(thread, *home) && would_preempt(thread, *other)) ? other : home;
}

} // namespace

void queue_ready(Thread& thread, QueuePlace place) noexcept {
    Processor* target = place_for(thread, current_machine());
    thread.state = ThreadState::ready;
    thread.processor = target;
    LIST_ENTRY& list = target->ready[thread.priority];
    if (place == QueuePlace::front) {
        InsertHeadList(&list, &thread.ready_entry);
    } else {
        InsertTailList(&list, &thread.ready_entry);
    }
    target->ready_summary |= 1u << thread.priority;
    if (!would_preempt(thread, *target)) return;
    if (target->reschedule == Reschedule::none) target->reschedule = Reschedule::better;
    request_interrupt(target, DISPATCH_LEVEL);
}

int best_ready_priority(const Processor& processor) noexcept {
    const Thread* other = processor.machine->processor_count == 1 ? nullptr : best_elsewhere(processor);
    return other != nullptr ? other->priority : priority_of_first(processor);
}

Thread* take_best_ready(Processor& processor) noexcept {
    Thread* best = processor.machine->processor_count == 1 ? nullptr : best_elsewhere(processor);
    if (best == nullptr && processor.ready_summary != 0) best = choose_among_equals(processor);
    if (best != nullptr) remove_ready(*best);
    return best;
}

void remove_ready(Thread& thread) noexcept {
    if (RemoveEntryList(&thread.ready_entry)) thread.processor->ready_summary &= ~(1u << thread.priority);
}

} // namespace dirql::ke
