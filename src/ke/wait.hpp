// Dispatcher objects and waiting for them.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// Object types as DISPATCHER_HEADER::Type has them.
namespace object_type {
enum : UCHAR {
    event_notification = 0,
    event_synchronization = 1,
    mutant = 2,
    process = 3,
    queue = 4,
    semaphore = 5,
    thread = 6,
    timer_notification = 8,
    timer_synchronization = 9,
};
}

inline void initialize_header(DISPATCHER_HEADER& header, UCHAR type, LONG signal_state, std::size_t size) noexcept {
    header.Type = type;
    header.Signalling = 0;
    header.Size = static_cast<UCHAR>(size / sizeof(ULONG));
    header.Reserved1 = 0;
    header.SignalState = signal_state;
    InitializeListHead(&header.WaitListHead);
}

// The object's state was set: releases the waits that it now satisfies, in order of arrival. IRQL <= DISPATCH_LEVEL.
void wake_waiters(DISPATCHER_HEADER& header, KPRIORITY increment) noexcept;

// Ends a thread's wait with this status, whatever it waits for.
void end_wait(Thread& thread, NTSTATUS status, KPRIORITY increment) noexcept;

// A wait of the kernel itself, as KeWaitForSingleObject(Executive, KernelMode, not alertable).
NTSTATUS wait_for(void* object, const LARGE_INTEGER* timeout = nullptr);

// The wait of KeRemoveQueue, see queue.hpp; what it got is in Thread::queue_item.
NTSTATUS wait_for_queue(KQUEUE& queue, KPROCESSOR_MODE mode, bool alertable, const LARGE_INTEGER* timeout);

// Bug check where the IRQL forbids a wait, and in a DPC.
void check_may_wait(const void* object, const LARGE_INTEGER* timeout) noexcept;

// After an operation that may have readied a better thread: takes the reschedule where the IRQL allows.
void reschedule_if_asked() noexcept;

// The end of KeSetEvent and its like. With `wait_follows` (their parameter Wait) the thread stays at DISPATCH_LEVEL until its
// next call, which is a wait and which restores the IRQL; that needs an IRQL of at most `most`.
void end_signal(bool wait_follows, KIRQL most, const char* document) noexcept;

} // namespace dirql::ke
