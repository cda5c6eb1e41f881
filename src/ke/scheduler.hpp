// Which thread a processor runs. Threads of higher priority first; among equals, turns whose length is a choice.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

// Guards the dispatcher database: threads, waits, timers, ready lists. Raises to DISPATCH_LEVEL's software-interrupt mask by
// itself being held only in code that has no preemption point.
class DispatcherLock {
public:
    explicit DispatcherLock(Processor* processor) noexcept : processor_(processor), saved_(processor->irql) {
        if (saved_ < DISPATCH_LEVEL) processor->irql = DISPATCH_LEVEL;
    }
    ~DispatcherLock() { processor_->irql = saved_; }
    DispatcherLock(const DispatcherLock&) = delete;
    DispatcherLock& operator=(const DispatcherLock&) = delete;

private:
    Processor* processor_;
    KIRQL saved_;
};

// Puts a thread on a ready list and asks for a reschedule where it is better than what runs.
void ready_thread(Thread& thread, KPRIORITY increment) noexcept;
void set_priority(Thread& thread, KPRIORITY priority) noexcept;

// Leaves the current thread (whose state says why) for the best ready one. IRQL DISPATCH_LEVEL; returns at DISPATCH_LEVEL when
// the thread runs again, perhaps on another processor.
void swap_context() noexcept;

// Gives the turn to another ready thread of the same or higher priority, if there is one. IRQL < DISPATCH_LEVEL.
void yield_turn() noexcept;

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
