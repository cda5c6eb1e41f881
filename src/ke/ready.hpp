// Threads that wait for a processor: each processor keeps lists of them by priority.
//
// A ready thread lies on the list of the processor that it is meant for, and is run by that one or by any other of its
// affinity that comes to a switch first: a processor always takes the best thread that the machine has for it, except one
// that an idle processor is about to run.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

enum class QueuePlace : std::uint8_t {
    front, // it was preempted in its turn
    back,  // it became ready, or its turn is over
};

// Puts the thread on a list of the best place for it: an idle processor, one that runs a thread of lower priority, or where
// it last ran. Asks that processor for a reschedule where the thread is better than what runs there.
void queue_ready(Thread& thread, QueuePlace place) noexcept;

// The priority of the best thread that is ready for this processor, -1 for none.
[[nodiscard]] int best_ready_priority(const Processor& processor) noexcept;

// Takes the best ready thread off its list; which of equals on the processor's own list goes first is a choice. Null when
// there is none.
[[nodiscard]] Thread* take_best_ready(Processor& processor) noexcept;

// Takes a ready thread off its list.
void remove_ready(Thread& thread) noexcept;

[[nodiscard]] inline bool idle(const Processor& processor) noexcept {
    return processor.current == processor.idle_thread && processor.ready_summary == 0 && processor.in_dpc == 0;
}

[[nodiscard]] inline bool allowed_on(const Thread& thread, const Processor& processor) noexcept {
    return (thread.affinity >> processor.number & 1) != 0;
}

} // namespace dirql::ke
