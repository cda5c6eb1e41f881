#include "ke/scheduler.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/clock.hpp"
#include "ke/dpc.hpp"
#include "ke/executor.hpp"
#include "ke/exploration.hpp"
#include "ke/irql.hpp"
#include "ke/ready.hpp"
#include "ke/stop.hpp"
#include "ke/system_service.hpp"

#include <algorithm>
#include <utility>

namespace dirql::ke {
namespace {

constexpr std::uint32_t longest_turn = 20'000; // ns; a turn is 1..longest_turn, chosen

void new_turn(Processor& processor) noexcept {
    if (processor.machine->exploring) {
        processor.turn_ends = never;
        return;
    }
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
    return best_ready_priority(processor) >= processor.current->priority;
}

bool boosted(const Thread& thread) noexcept {
    return thread.priority > thread.base_priority && thread.priority < LOW_REALTIME_PRIORITY;
}

// Something on this processor waits for the end of the turn: a rival, the fall of a boost, DPCs of low importance.
bool turn_matters(const Processor& processor) noexcept {
    return processor.dpc_queue.Flink != nullptr || boosted(*processor.current) || rival_ready(processor);
}

// Timers expire in a DPC: on a processor that is in one, they wait for its end.
bool can_expire_timers(const Processor& processor) noexcept {
    return processor.in_dpc == 0 && (processor.irql < DISPATCH_LEVEL || idle(processor));
}

bool dispatch_requested(const Processor& processor) noexcept { return (processor.pending >> DISPATCH_LEVEL & 1) != 0; }

// Who expires timers now: this processor if it can, else any other that can. Null when all are busy above.
Processor* timer_processor(Processor& processor) noexcept {
    if (can_expire_timers(processor)) return &processor;
    const Machine& machine = *processor.machine;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        if (can_expire_timers(*machine.processors[i])) return machine.processors[i];
    }
    return nullptr;
}

// Does the next timer need this processor's clock? Not while a request that will see to it stands.
bool clock_matters(Processor& processor) noexcept {
    if (processor.irql >= CLOCK_LEVEL || dispatch_requested(processor)) return false;
    const Processor* target = timer_processor(processor);
    return target == nullptr ? processor.in_dpc == 0 : !dispatch_requested(*target);
}

// The clock asks for the expiration of timers. Where all processors are busy, this one does it when its IRQL falls.
void clock_interrupt(Processor& processor) noexcept {
    Processor* target = timer_processor(processor);
    request_interrupt(target != nullptr ? target : &processor, DISPATCH_LEVEL);
}

// An application thread of a stopped machine is resumed once more: to leave the kernel for its user side.
void unwind_if_asked() noexcept {
    Thread* self = current_thread();
    if (self->unwind != 0) abandon_service(*self);
}

bool waits(const Thread& thread) noexcept { return thread.state == ThreadState::waiting; }

void check_budget_at(Processor& processor, std::uint64_t time) noexcept {
    processor.budget_check = std::min(processor.budget_check, time);
}

void check_budget(Processor& processor) noexcept {
    const std::uint64_t budget = processor.machine->options.callout_budget;
    const bool bounded = processor.current->side == Side::kernel && (processor.in_dpc != 0 || !idle(processor));
    if (bounded && processor.now - processor.work_began >= budget) callout_budget_exceeded(processor);
    processor.budget_check = (bounded ? processor.work_began : processor.now) + budget;
}

// The processor is the thread's from here on. The APC interrupt belongs to the thread, not to the processor.
void install(Processor& processor, Thread& next) noexcept {
    DIRQL_TRACE_ON(&processor, thread_switch, .value = next.id, .text = next.name);
    next.state = ThreadState::running;
    next.processor = &processor;
    processor.current = &next;
    processor.reschedule = Reschedule::none;
    processor.pending &= ~(1u << APC_LEVEL);
    if (next.kernel_apc_pending != 0) request_interrupt(&processor, APC_LEVEL);
    processor.machine->explored_points = 0;
    new_turn(processor);
}

void switch_threads(Processor* processor, Thread& next) noexcept {
    Thread& self = *processor->current;
    const PausedBudget budget(processor);
    install(*processor, next);
    self.fiber.switch_to(next.fiber);
    unwind_if_asked();
    processor = current_processor();
    budget.back_on(processor);
    update_horizon(processor);
}

Thread& best_or_idle(Processor& processor) noexcept {
    Thread* next = take_best_ready(processor);
    return next != nullptr ? *next : *processor.idle_thread;
}

// The least priority for which a thread that could go on gives way.
int gives_way_to(const Processor& processor, Reschedule reason) noexcept {
    const Thread& self = *processor.current;
    if (&self == processor.idle_thread) return 0;
    return reason == Reschedule::turn_over ? self.priority : self.priority + 1;
}

// The clock took the thread's turn away.
void end_turn(Processor& processor) noexcept {
    Thread& self = *processor.current;
    if (boosted(self)) --self.priority;
    if (processor.dpc_queue.Flink != nullptr) request_interrupt(&processor, DISPATCH_LEVEL);
    if (rival_ready(processor)) {
        processor.reschedule = Reschedule::turn_over;
        request_interrupt(&processor, DISPATCH_LEVEL);
    }
    new_turn(processor);
}

} // namespace

PausedBudget::PausedBudget(Processor* processor) noexcept
    : used_(waits(*processor->current) ? 0 : processor->now - processor->work_began) {}

void PausedBudget::back_on(Processor* processor) const noexcept {
    processor->work_began = processor->now - used_;
    check_budget_at(*processor, processor->work_began + processor->machine->options.callout_budget);
}

// A DPC on an idle processor is work like a thread's.
bool has_work(const Processor& processor) noexcept {
    return processor.current != processor.idle_thread || processor.in_dpc != 0 || processor.in_interrupt != 0 ||
           processor.pending != 0 || processor.ready_summary != 0 || processor.dpc_queue.Flink != nullptr;
}

void update_horizon(Processor* processor) noexcept {
    const Machine& machine = *processor->machine;
    // Another processor asked: taken at the next preemption point. Exploring, each point matters.
    if (processor->pending >> (processor->irql + 1) != 0 || machine.exploring) {
        processor->horizon = processor->now;
        return;
    }
    std::uint64_t horizon = std::min(machine.run_deadline, processor->budget_check);
    if (machine.next_timer < horizon && clock_matters(*processor)) horizon = machine.next_timer;
    if (others_have_work(*processor) || turn_matters(*processor)) horizon = std::min(horizon, processor->turn_ends);
    processor->horizon = horizon;
}

void ready_thread(Thread& thread, KPRIORITY increment) noexcept {
    if (thread.priority < LOW_REALTIME_PRIORITY && increment > 0) {
        const int most = LOW_REALTIME_PRIORITY - 1;
        const int raised = std::min<int>(thread.base_priority + increment, most);
        thread.priority = static_cast<std::int8_t>(std::max<int>(thread.priority, raised));
    }
    queue_ready(thread, QueuePlace::back);
    update_horizon(current_processor());
}

void set_priority(Thread& thread, KPRIORITY priority) noexcept {
    const bool was_ready = thread.state == ThreadState::ready;
    if (was_ready) remove_ready(thread);
    thread.priority = static_cast<std::int8_t>(priority);
    if (was_ready) queue_ready(thread, QueuePlace::back);
    Processor* processor = thread.processor;
    if (thread.state == ThreadState::running && best_ready_priority(*processor) > priority) {
        processor->reschedule = Reschedule::better;
        request_interrupt(processor, DISPATCH_LEVEL);
    }
    update_horizon(current_processor());
}

void switch_from_dpc(Processor& processor) noexcept {
    const Thread& self = *processor.current;
    bug_check(ATTEMPTED_SWITCH_FROM_DPC, parameter(&self), parameter(&best_or_idle(processor)),
              parameter(self.kernel_stack_top), 0,
              {.rule = "a DPC routine must not wait, nor lower the IRQL so that another thread runs",
               .document = "Bug Check 0xB8: ATTEMPTED_SWITCH_FROM_DPC"});
}

void swap_context() noexcept {
    Processor* processor = current_processor();
    if (processor->in_dpc != 0) switch_from_dpc(*processor);
    Thread& self = *processor->current;
    const Reschedule reason = std::exchange(processor->reschedule, Reschedule::none);
    if (self.state != ThreadState::running) return switch_threads(processor, best_or_idle(*processor));
    const bool misplaced = &self != processor->idle_thread && !allowed_on(self, *processor);
    if (!misplaced && best_ready_priority(*processor) < gives_way_to(*processor, reason)) return;
    Thread& next = best_or_idle(*processor);
    if (&self != processor->idle_thread)
        queue_ready(self, reason == Reschedule::turn_over ? QueuePlace::back : QueuePlace::front);
    switch_threads(processor, next);
}

void leave_for_good() noexcept {
    Processor* processor = current_processor();
    Machine& machine = *processor->machine;
    Thread& self = *processor->current;
    self.state = ThreadState::terminated;
    machine.to_reap = &self;
    install(*processor, best_or_idle(*processor));
    processor->irql = DISPATCH_LEVEL;
    machine.now = processor->now;
    machine.running = nullptr;
    dirql_current_processor = nullptr;
    self.fiber.switch_to(machine.executor);
    __builtin_unreachable();
}

void yield_turn() noexcept {
    Processor* processor = current_processor();
    const KIRQL level = raise_irql(processor, DISPATCH_LEVEL);
    processor->reschedule = Reschedule::turn_over;
    swap_context();
    lower_irql(current_processor(), level);
}

void yield_to_executor() noexcept {
    Processor* processor = current_processor();
    const PausedBudget budget(processor);
    Machine& machine = *processor->machine;
    machine.now = processor->now;
    machine.running = nullptr;
    Thread& self = *processor->current;
    dirql_current_processor = nullptr;
    self.fiber.switch_to(machine.executor);
    unwind_if_asked();
    processor = current_processor();
    budget.back_on(processor);
    update_horizon(processor);
}

[[noreturn]] void idle_loop(void* data) {
    auto* processor = static_cast<Processor*>(data);
    for (;;) {
        lower_irql(processor, DISPATCH_LEVEL); // interrupts first
        processor->pending &= ~(1u << DISPATCH_LEVEL);
        retire_dpcs(processor);
        if (best_ready_priority(*processor) >= 0) {
            swap_context();
        } else if (!has_work(*processor)) {
            yield_to_executor();
        }
    }
}

namespace {

// Time that nobody worked in: it is counted against no budget of work.
void leap_to(Processor& processor, std::uint64_t time) noexcept {
    Machine& machine = *processor.machine;
    const std::uint64_t skipped = time - processor.now;
    processor.now = time;
    processor.work_began += skipped;
    machine.busy_time_ends = machine.busy_time_ends > never - skipped ? never : machine.busy_time_ends + skipped;
    machine.run_deadline = std::min(machine.run_ends, machine.busy_time_ends);
}

// What comes between here. Time may leap to the next timer; then nothing else does.
Interleave interleave_at(Processor& processor) noexcept {
    if (!processor.machine->exploring) return Interleave::nothing;
    const bool can_switch = processor.irql < DISPATCH_LEVEL && processor.in_dpc == 0 && !idle(processor);
    const std::uint64_t next_timer = processor.machine->next_timer;
    const bool can_leap = next_timer != never && next_timer > processor.now && clock_matters(processor);
    const Interleave chosen = explored_interleave(processor, can_switch && rival_ready(processor), can_leap);
    if (chosen == Interleave::timer) leap_to(processor, next_timer);
    return chosen;
}

} // namespace

// A preemption point whose time has come. In order: budgets, the clock, what is pending, the end of the turn, the others.
void preempt(Processor* processor) noexcept {
    Machine& machine = *processor->machine;
    if (machine.host_stands_in) return;
    if (processor->now >= machine.run_deadline) stop_stalled(used_up_budget(machine));
    if (processor->now >= processor->budget_check) check_budget(*processor);
    const Interleave interleave = interleave_at(*processor);
    if (processor->now >= machine.next_timer && clock_matters(*processor)) clock_interrupt(*processor);
    const bool turn_over = processor->now >= processor->turn_ends || interleave == Interleave::thread;
    if (turn_over) end_turn(*processor);
    if (processor->current != processor->idle_thread) lower_irql(processor, processor->irql);
    processor = current_processor();
    if (interleave == Interleave::processor) processor->gave_way = 1;
    const bool others_turn = interleave == Interleave::processor || (turn_over && !machine.exploring);
    if (others_turn && !machine.stopping && others_have_work(*processor)) yield_to_executor();
    processor = current_processor();
    update_horizon(processor);
}

} // namespace dirql::ke
