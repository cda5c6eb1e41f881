// Timers by handle. One may queue an APC to the thread that set it, each time that it expires: until it is set or cancelled, it has
// expired once and is not periodic, or the thread ends. So long it is referenced, as on NT: closing its handles does not stop it.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ob {

struct TimerObject {
    KTIMER timer; // first: what is waited for
    KDPC dpc;     // queues the APC
    KAPC apc;
    LIST_ENTRY entry; // Thread::apc_timers
    bool has_apc;
};

// A thread ends: its timers are cancelled. On the thread, PASSIVE_LEVEL.
void run_down_timers(ke::Thread& thread) noexcept;

} // namespace dirql::ob
