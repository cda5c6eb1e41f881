#include "ke/scheduler.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/clock.hpp"
#include "ke/dpc.hpp"
#include "ke/irql.hpp"
#include "ke/system_service.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace dirql::ke {
namespace {

constexpr std::uint32_t longest_turn = 20'000; // ns; a turn is 1..longest_turn, chosen

Thread* best_ready(const Processor& processor) noexcept {
    if (processor.ready_summary == 0) return nullptr;
    const int priority = std::bit_width(processor.ready_summary) - 1;
    return CONTAINING_RECORD(processor.ready[priority].Flink, Thread, ready_entry);
}

int best_ready_priority(const Processor& processor) noexcept { return std::bit_width(processor.ready_summary) - 1; }

void remove_ready(Processor& processor, Thread& thread) noexcept {
    if (RemoveEntryList(&thread.ready_entry)) processor.ready_summary &= ~(1u << thread.priority);
}

void append_ready(Processor& processor, Thread& thread) noexcept {
    thread.state = ThreadState::ready;
    thread.processor = &processor;
    InsertTailList(&processor.ready[thread.priority], &thread.ready_entry);
    processor.ready_summary |= 1u << thread.priority;
}

// Which of the equals at the head goes first is a choice.
Thread* choose_next(Processor& processor) noexcept {
    Thread* first = best_ready(processor);
    if (first == nullptr) return nullptr;
    LIST_ENTRY& list = processor.ready[first->priority];
    std::uint32_t count = 0;
    for (LIST_ENTRY* e = list.Flink; e != &list && count < 8; e = e->Flink) ++count;
    std::uint32_t skip = count > 1 ? processor.machine->choice.pick(ChoiceKind::thread, count) : 0;
    LIST_ENTRY* entry = list.Flink;
    while (skip-- != 0) entry = entry->Flink;
    return CONTAINING_RECORD(entry, Thread, ready_entry);
}

bool idle(const Processor& processor) noexcept { return processor.current == processor.idle_thread && processor.ready_summary == 0; }

bool allowed_on(const Thread& thread, const Processor& processor) noexcept { return (thread.affinity >> processor.number & 1) != 0; }

// Where it last ran if that is free or no other is; else the first idle processor it may use.
Processor* place_for(Thread& thread) noexcept {
    Machine& machine = current_machine();
    Processor* home = thread.processor;
    if (home != nullptr && allowed_on(thread, *home) && (idle(*home) || machine.processor_count == 1)) return home;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor* other = machine.processors[i];
        if (allowed_on(thread, *other) && idle(*other)) return other;
    }
    if (home != nullptr && allowed_on(thread, *home)) return home;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        if (allowed_on(thread, *machine.processors[i])) return machine.processors[i];
    }
    return machine.processors[0];
}

void new_turn(Processor& processor) noexcept {
    processor.turn_ends = processor.now + 1 + processor.machine->choice.pick(ChoiceKind::turn_length, longest_turn);
}

bool others_have_work(const Processor& processor) noexcept {
    const Machine& machine = *processor.machine;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        if (machine.processors[i] != &processor && has_work(*machine.processors[i])) return true;
    }
    return false;
}

bool rival_ready(const Processor& processor) noexcept {
    return processor.ready_summary != 0 && best_ready_priority(processor) >= processor.current->priority;
}

// The clock asks for timer expiration on a processor that can do it soon: this one, or one below DISPATCH_LEVEL.
void clock_interrupt(Processor& processor) noexcept {
    Processor* target = &processor;
    const Machine& machine = *processor.machine;
    for (unsigned i = 0; i < machine.processor_count && target->irql >= DISPATCH_LEVEL; ++i) {
        Processor* other = machine.processors[i];
        if (other->irql < DISPATCH_LEVEL || idle(*other)) target = other;
        if (idle(*other)) break;
    }
    request_interrupt(target, DISPATCH_LEVEL);
}

// What a flow keeps of its processor while it is away: the budget of its callout does not run then.
struct Away {
    explicit Away(Processor* p) noexcept
        : left(p->callout_deadline == never ? never : p->callout_deadline - p->now), depth(p->callout_depth) {}
    void back_on(Processor* p) const noexcept {
        p->callout_deadline = left == never ? never : p->now + left;
        p->callout_depth = depth;
    }
    std::uint64_t left;
    std::uint8_t depth;
};

// An application thread of a stopped machine is resumed once more: to leave the kernel for its user side.
void unwind_if_asked() noexcept {
    Thread* self = current_thread();
    if (self->unwind != 0) abandon_service(*self);
}

void switch_threads(Processor* processor, Thread& next) noexcept {
    Thread& self = *processor->current;
    DIRQL_TRACE_ON(processor, thread_switch, .value = next.id, .text = next.name);
    const Away away(processor);
    next.state = ThreadState::running;
    next.processor = processor;
    processor->current = &next;
    processor->reschedule = 0;
    new_turn(*processor);
    processor->callout_deadline = never; // each flow sets its own when it is back
    processor->callout_depth = 0;
    self.fiber.switch_to(next.fiber);
    unwind_if_asked();
    processor = current_processor();
    away.back_on(processor);
    update_horizon(processor);
}

} // namespace

bool has_work(const Processor& processor) noexcept {
    return processor.current != processor.idle_thread || processor.pending != 0 || processor.ready_summary != 0;
}

void update_horizon(Processor* processor) noexcept {
    const Machine& machine = *processor->machine;
    std::uint64_t horizon = std::min(machine.run_deadline, processor->callout_deadline);
    const bool timer_requested = (processor->pending >> DISPATCH_LEVEL & 1) != 0;
    if (!timer_requested && processor->irql < CLOCK_LEVEL && processor->in_dpc == 0) horizon = std::min(horizon, machine.next_timer);
    if (others_have_work(*processor) || rival_ready(*processor)) horizon = std::min(horizon, processor->turn_ends);
    processor->horizon = horizon;
}

void ready_thread(Thread& thread, KPRIORITY increment) noexcept {
    if (thread.priority < LOW_REALTIME_PRIORITY && increment > 0) {
        const int boosted = std::min<int>(thread.base_priority + increment, LOW_REALTIME_PRIORITY - 1);
        thread.priority = static_cast<std::int8_t>(std::max<int>(thread.priority, boosted));
    }
    Processor* here = current_processor();
    Processor* target = place_for(thread);
    append_ready(*target, thread);
    if (target->current == target->idle_thread || thread.priority > target->current->priority) {
        target->reschedule = 1;
        request_interrupt(target, DISPATCH_LEVEL);
    }
    update_horizon(here);
}

void set_priority(Thread& thread, KPRIORITY priority) noexcept {
    if (thread.state != ThreadState::ready) {
        thread.priority = static_cast<std::int8_t>(priority);
    } else {
        Processor& processor = *thread.processor;
        remove_ready(processor, thread);
        thread.priority = static_cast<std::int8_t>(priority);
        append_ready(processor, thread);
    }
    Processor* processor = thread.processor;
    if (processor != nullptr && processor->ready_summary != 0 && best_ready_priority(*processor) > processor->current->priority) {
        processor->reschedule = 1;
        request_interrupt(processor, DISPATCH_LEVEL);
    }
}

void swap_context() noexcept {
    Processor* processor = current_processor();
    Thread& self = *processor->current;
    processor->reschedule = 0;
    if (self.state == ThreadState::running) { // preempted, not waiting
        if (&self != processor->idle_thread) {
            if (processor->ready_summary == 0 || best_ready_priority(*processor) < self.priority) return;
            append_ready(*processor, self);
        } else if (processor->ready_summary == 0) {
            return;
        }
    }
    Thread* next = choose_next(*processor);
    if (next == nullptr) {
        next = processor->idle_thread;
    } else {
        remove_ready(*processor, *next);
    }
    if (next == &self) {
        self.state = ThreadState::running;
        new_turn(*processor);
        update_horizon(processor);
        return;
    }
    switch_threads(processor, *next);
}

void leave_for_good() noexcept {
    Processor* processor = current_processor();
    Machine& machine = *processor->machine;
    Thread& self = *processor->current;
    self.state = ThreadState::terminated;
    machine.to_reap = &self;
    Thread* next = choose_next(*processor);
    if (next != nullptr) {
        remove_ready(*processor, *next);
    } else {
        next = processor->idle_thread;
    }
    DIRQL_TRACE_ON(processor, thread_switch, .value = next->id, .text = next->name);
    next->state = ThreadState::running;
    next->processor = processor;
    processor->current = next;
    processor->irql = DISPATCH_LEVEL;
    processor->reschedule = 0;
    new_turn(*processor);
    machine.now = processor->now;
    machine.running = nullptr;
    dirql_current_processor = nullptr;
    self.fiber.switch_to(machine.executor);
    __builtin_unreachable();
}

void yield_turn() noexcept {
    Processor* processor = current_processor();
    const KIRQL level = processor->irql;
    processor->irql = DISPATCH_LEVEL;
    swap_context();
    lower_irql(current_processor(), level);
}

void yield_to_executor() noexcept {
    Processor* processor = current_processor();
    const Away away(processor);
    processor->callout_deadline = never;
    processor->callout_depth = 0;
    Machine& machine = *processor->machine;
    machine.now = processor->now;
    machine.running = nullptr;
    Thread& self = *processor->current;
    dirql_current_processor = nullptr;
    self.fiber.switch_to(machine.executor);
    unwind_if_asked();
    processor = current_processor();
    away.back_on(processor);
    update_horizon(processor);
}

[[noreturn]] void idle_loop(void* data) {
    auto* processor = static_cast<Processor*>(data);
    for (;;) {
        processor->pending &= ~(1u << DISPATCH_LEVEL);
        retire_dpcs(processor);
        if (processor->ready_summary != 0) {
            swap_context();
        } else if (processor->pending == 0) {
            yield_to_executor();
        }
    }
}

// A preemption point whose time has come. In order: budgets, the clock, the end of the turn.
void preempt(Processor* processor) noexcept {
    Machine& machine = *processor->machine;
    if (machine.host_stands_in) return;
    if (processor->now >= machine.run_deadline) stop_stalled("the run's budget of virtual time is used up");
    if (processor->now >= processor->callout_deadline) callout_budget_exceeded(*processor);
    if (processor->now >= machine.next_timer && processor->irql < CLOCK_LEVEL && processor->in_dpc == 0) clock_interrupt(*processor);
    if (processor->irql < DISPATCH_LEVEL && processor->current != processor->idle_thread) lower_irql(processor, processor->irql);
    processor = current_processor();
    if (processor->now >= processor->turn_ends) {
        new_turn(*processor);
        if (processor->irql < DISPATCH_LEVEL && rival_ready(*processor)) yield_turn();
        processor = current_processor();
        if (others_have_work(*processor)) yield_to_executor();
        processor = current_processor();
    }
    update_horizon(processor);
}

} // namespace dirql::ke
