// Which thread a processor runs. Threads of higher priority first; among equals, turns whose length is a choice. A thread
// that was boosted above its base priority falls back by one with each turn it uses up.
//
// In lockstep, kernel code between two preemption points is atomic: the dispatcher database (threads, waits, timers, ready
// lists) needs no lock.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

// Puts a thread on a ready list and asks for a reschedule where it is better than what runs.
void ready_thread(Thread& thread, KPRIORITY increment) noexcept;
void set_priority(Thread& thread, KPRIORITY priority) noexcept;

// Leaves the current thread for the best ready one: a thread that waits (its state says so) always, one that could go on
// only for a thread of higher priority, or of equal priority when its turn is over. IRQL DISPATCH_LEVEL; returns at
// DISPATCH_LEVEL when the thread runs again, perhaps on another processor. In a DPC: bug check 0xB8.
void swap_context() noexcept;

// Gives the turn to another ready thread of the same or higher priority, if there is one. IRQL < DISPATCH_LEVEL.
void yield_turn() noexcept;

// Bug check 0xB8: code of a DPC wants to wait or to yield.
[[noreturn, gnu::cold]] void switch_from_dpc(Processor& processor) noexcept;

// What a flow keeps of its processor while it is away, or while a DPC uses the processor: how much of its budget it has used.
// A wait starts the budget anew: driver code that waits is no endless loop.
class PausedBudget {
public:
    explicit PausedBudget(Processor* processor) noexcept;
    void back_on(Processor* processor) const noexcept;

private:
    std::uint64_t used_;
};

// Back to the executor, which resumes this flow when this processor's turn comes again. Any IRQL.
void yield_to_executor() noexcept;

// The current thread has ended: never returns. At DISPATCH_LEVEL. The executor reaps it.
[[noreturn]] void leave_for_good() noexcept;

// Recomputes when the running processor must look up from its work.
void update_horizon(Processor* processor) noexcept;

// The body of each processor's idle thread.
[[noreturn]] void idle_loop(void* processor);

[[nodiscard]] bool has_work(const Processor& processor) noexcept;

} // namespace dirql::ke
