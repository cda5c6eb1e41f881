// Events and semaphores.
#include "ke/exports/ke.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <utility>

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State) {
    DIRQL_DOOR(KeInitializeEvent);
    const bool synchronization = Type == SynchronizationEvent;
    initialize_header(Event->Header,
                      synchronization ? object_type::event_synchronization : object_type::event_notification,
                      State != FALSE, sizeof(KEVENT));
}

LONG NTAPI KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait) {
    DIRQL_DOOR(KeSetEvent);
    const LONG previous = std::exchange(Event->Header.SignalState, 1);
    if (previous == 0) wake_waiters(Event->Header, Increment);
    end_signal(Wait != FALSE, APC_LEVEL, "KeSetEvent function (wdm.h)");
    return previous;
}

LONG NTAPI KeResetEvent(PRKEVENT Event) {
    DIRQL_DOOR(KeResetEvent);
    return std::exchange(Event->Header.SignalState, 0);
}

VOID NTAPI KeClearEvent(PRKEVENT Event) {
    DIRQL_DOOR(KeClearEvent);
    Event->Header.SignalState = 0;
}

LONG NTAPI KeReadStateEvent(PRKEVENT Event) {
    DIRQL_DOOR(KeReadStateEvent);
    return Event->Header.SignalState;
}

// Releases those who wait now, and leaves the event not signalled.
LONG NTAPI KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait) {
    DIRQL_DOOR(KePulseEvent);
    const LONG previous = std::exchange(Event->Header.SignalState, 1);
    if (previous == 0) wake_waiters(Event->Header, Increment);
    Event->Header.SignalState = 0;
    end_signal(Wait != FALSE, APC_LEVEL, "KePulseEvent function (wdm.h)");
    return previous;
}

VOID NTAPI KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit) {
    DIRQL_DOOR(KeInitializeSemaphore);
    initialize_header(Semaphore->Header, object_type::semaphore, Count, sizeof(KSEMAPHORE));
    Semaphore->Limit = Limit;
}

// Raises STATUS_SEMAPHORE_LIMIT_EXCEEDED, and changes nothing, where the count would pass the limit.
LONG NTAPI KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait) {
    DIRQL_DOOR(KeReleaseSemaphore);
    const LONG previous = Semaphore->Header.SignalState;
    const LONGLONG count = LONGLONG{previous} + Adjustment;
    if (count > Semaphore->Limit || count < previous) raise_status(STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    Semaphore->Header.SignalState = static_cast<LONG>(count);
    if (previous == 0) wake_waiters(Semaphore->Header, Increment);
    end_signal(Wait != FALSE, PASSIVE_LEVEL, "KeReleaseSemaphore function (wdm.h)");
    return previous;
}

LONG NTAPI KeReadStateSemaphore(PRKSEMAPHORE Semaphore) {
    DIRQL_DOOR(KeReadStateSemaphore);
    return Semaphore->Header.SignalState;
}
}
