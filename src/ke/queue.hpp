// Kernel queues: KQUEUE, entries that a bounded number of threads work on. Completion ports stand on it.
//
// A thread belongs to the queue that it last asked for an entry. Of the threads of one queue at most MaximumCount are active at
// a time: those that run, or are ready to. One that waits, for whatever, is not active, and another may go on with an entry
// in its stead. Of those that wait for entries the one that came last goes first.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// `most_active`: 0 for the number of processors.
void initialize_queue(KQUEUE& queue, ULONG most_active) noexcept;

// Gives the entry to a thread that waits and may become active, or puts it at the end (or the front). Returns how many entries lay
// there before. IRQL <= DISPATCH_LEVEL; the reschedule that it may ask for is the caller's to take.
LONG insert_queue(KQUEUE& queue, LIST_ENTRY& entry, bool at_front) noexcept;

// Waits for an entry. STATUS_SUCCESS with `entry`; STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ALERTED; STATUS_ABANDONED when the queue
// was run down.
[[nodiscard]] NTSTATUS remove_queue(KQUEUE& queue, KPROCESSOR_MODE mode, bool alertable, const LARGE_INTEGER* timeout,
                                    LIST_ENTRY*& entry) noexcept;

// One more entry for the thread that has just got one: without a wait. Null when there is none.
[[nodiscard]] LIST_ENTRY* remove_queue_now(KQUEUE& queue) noexcept;

// Frees the queue's threads of it, ends their waits with STATUS_ABANDONED, and gives up what lay in it: a ring of entries
// without a head, of which the first is returned; null when there was none. No wait for this queue succeeds any more.
LIST_ENTRY* run_down_queue(KQUEUE& queue) noexcept;

// The thread ends, or asks another queue: it is of none.
void leave_queue(Thread& thread) noexcept;

// What waits (wait.cpp) ask of queues.
namespace detail {
// May the thread, which is the current one, have an entry now? Of a queue that was run down: yes, the news.
[[nodiscard]] bool queue_satisfies(const DISPATCHER_HEADER& header, const Thread& thread) noexcept;
// STATUS_ABANDONED when the queue was run down.
NTSTATUS take_from_queue(DISPATCHER_HEADER& header, Thread& thread) noexcept;
// The thread blocks, or is ready again.
void queue_thread_rests(Thread& thread) noexcept;
inline void queue_thread_goes_on(const Thread& thread) noexcept {
    if (thread.queue != nullptr) [[unlikely]]
        thread.queue->CurrentCount = thread.queue->CurrentCount + 1;
}
} // namespace detail

} // namespace dirql::ke
