#include "ke/executor.hpp"

#include "ke/clock.hpp"
#include "ke/coalescing.hpp"
#include "ke/exploration.hpp"
#include "ke/irql.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"
#include "ke/trap.hpp"

#include <utility>

#include <algorithm>

namespace dirql::ke {
namespace {

// The last flow ended: its stacks are free now that nobody runs on them.
void reap(Machine& machine) noexcept {
    Thread* thread = std::exchange(machine.to_reap, nullptr);
    if (thread == nullptr) return;
    release_thread_stacks(machine, *thread);
    if (machine.hooks.thread_reaped == nullptr || machine.stopping) return;
    // Upper layers find a processor to stand on, at DISPATCH_LEVEL as in a DPC.
    Processor* processor = machine.processors[0];
    Thread* const current = std::exchange(processor->current, processor->idle_thread);
    const KIRQL irql = std::exchange(processor->irql, DISPATCH_LEVEL);
    const std::uint64_t horizon = std::exchange(processor->horizon, never);
    processor->now = machine.now;
    machine.running = processor;
    dirql_current_processor = processor;
    on_host_flow(machine, [&] { machine.hooks.thread_reaped(*thread); });
    dirql_current_processor = nullptr;
    machine.running = nullptr;
    processor->current = current;
    processor->irql = irql;
    processor->horizon = horizon;
}

// Runs the flow that this processor is in until it comes back here.
void resume(Machine& machine, Processor* processor) noexcept {
    processor->now = machine.now;
    processor->waiting_for_lock = 0;
    machine.explored_points = 0;
    machine.running = processor;
    dirql_current_processor = processor;
    if (processor->irql >= DISPATCH_LEVEL) leave_pageable_levels(processor); // touched on another processor meanwhile
    update_horizon(processor);
    machine.executor.switch_to(processor->current->fiber);
    dirql_current_processor = nullptr;
    reap(machine);
}

// 0: may go on; 1: has given way to the others; 2: only spins.
unsigned rank(const Processor& processor) noexcept {
    return processor.waiting_for_lock != 0 || (processor.machine->exploring && only_spins(processor))
               ? 2
               : processor.gave_way;
}

// Processors that only spin wait until all others had a turn.
Processor* choose_processor(Machine& machine) noexcept {
    Processor* candidates[max_processors];
    std::uint32_t count = 0;
    for (unsigned wanted = 0; wanted <= 2 && count == 0; ++wanted) {
        for (unsigned i = 0; i < machine.processor_count; ++i) {
            Processor* processor = machine.processors[i];
            if (has_work(*processor) && rank(*processor) == wanted) candidates[count++] = processor;
        }
    }
    if (count == 0) return nullptr;
    Processor* chosen = candidates[count == 1 ? 0 : machine.choice.pick(ChoiceKind::processor, count)];
    for (unsigned i = 0; i < machine.processor_count; ++i) machine.processors[i]->gave_way = 0;
    return chosen;
}

void clear_spinners(Machine& machine) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) machine.processors[i]->waiting_for_lock = 0;
}

std::uint64_t after(std::uint64_t now, std::uint64_t budget) noexcept {
    return budget > never - now ? never : now + budget;
}

// All processors are idle: time goes on to the next timer, or to the end of the run if that is earlier. False when there is none.
bool leap(Machine& machine) noexcept {
    const std::uint64_t wake = next_wake(machine);
    if (wake == never) return false;
    const std::uint64_t to = std::min(wake, machine.run_ends);
    if (to > machine.now) {
        machine.busy_time_ends = after(machine.busy_time_ends, to - machine.now);
        machine.run_deadline = std::min(machine.run_ends, machine.busy_time_ends);
        machine.now = to;
    }
    if (wake <= to) request_interrupt(machine.processors[0], DISPATCH_LEVEL);
    return true;
}

void record_stall(Machine& machine, const char* why) noexcept {
    machine.stopping = true;
    machine.stop.kind = StopKind::stall;
    machine.stop.rule = why;
}

} // namespace

const char* used_up_budget(const Machine& machine) noexcept {
    return machine.run_deadline == machine.run_ends
               ? "the run's budget of virtual time is used up"
               : "the run's budget of busy time is used up: the work goes on without an end";
}

void run(Machine& machine, bool (*done)(void*), void* context) noexcept {
    machine.executor.adopt_host_thread();
    machine.run_ends = after(machine.now, machine.options.run_budget);
    machine.busy_time_ends = after(machine.now, machine.options.busy_budget);
    machine.run_deadline = std::min(machine.run_ends, machine.busy_time_ends);
    const ArmedTraps traps(machine);
    watch_pageable(machine);
    while (!machine.stopping && !done(context)) {
        Processor* processor = choose_processor(machine);
        if (processor != nullptr) {
            const bool spinner = processor->waiting_for_lock != 0;
            resume(machine, processor);
            if (!spinner) clear_spinners(machine);
        } else if (!leap(machine)) {
            record_stall(machine, "nothing can ever run again");
        } else if (machine.now >= machine.run_deadline) {
            record_stall(machine, used_up_budget(machine));
        }
    }
    stop_exploring(machine);
    settle_pageable(machine);
}

void unwind_application_threads(Machine& machine) noexcept {
    machine.executor.adopt_host_thread();
    const ArmedTraps traps(machine);
    Processor* processor = machine.processors[0];
    for (LIST_ENTRY* p = machine.processes.Flink; p != &machine.processes; p = p->Flink) {
        auto* process = CONTAINING_RECORD(p, Process, all_entry);
        for (LIST_ENTRY* t = process->threads.Flink; t != &process->threads; t = t->Flink) {
            auto* thread = CONTAINING_RECORD(t, Thread, process_entry);
            if (thread->is_system != 0 || thread->started == 0 || thread->state == ThreadState::terminated ||
                thread->door == nullptr)
                continue;
            thread->unwind = 1;
            processor->current = thread;
            processor->irql = PASSIVE_LEVEL;
            processor->pending = 0;
            processor->held.count = 0;
            resume(machine, processor);
        }
    }
}

} // namespace dirql::ke
