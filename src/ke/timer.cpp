#include "ke/timer.hpp"

#include "diag/trace.hpp"
#include "ke/clock.hpp"
#include "ke/coalescing.hpp"
#include "ke/dpc.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/irql.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

namespace dirql::ke {
namespace {

KTIMER& timer_of(LIST_ENTRY* entry) noexcept { return *CONTAINING_RECORD(entry, KTIMER, TimerListEntry); }

// KTIMER::DueTime holds the expiration in 100 ns of interrupt time, as on NT.
std::uint64_t due_ns(const KTIMER& timer) noexcept { return timer.DueTime.QuadPart * ns_per_tick; }

void note_first(Machine& machine) noexcept {
    machine.next_timer = IsListEmpty(&machine.timers) ? never : due_ns(timer_of(machine.timers.Flink));
}

// Timers usually end up near the end: the search starts there. Equal times stay in the order of insertion.
void insert_sorted(Machine& machine, KTIMER& timer) noexcept {
    LIST_ENTRY* after = machine.timers.Blink;
    while (after != &machine.timers && timer_of(after).DueTime.QuadPart > timer.DueTime.QuadPart) after = after->Blink;
    InsertHeadList(after, &timer.TimerListEntry);
    timer.Header.Inserted = 1;
    note_first(machine);
    if (Processor* processor = current_processor()) update_horizon(processor);
}

// The timer expires at some instant of the window. None: exactly then.
void set_due(const Machine& machine, KTIMER& timer, std::uint64_t due, std::uint64_t tolerance) noexcept {
    timer.DueTime.QuadPart = tolerance == 0 ? due : coalesced(machine, due, tolerance);
    keep_delay(timer, timer.DueTime.QuadPart - due);
}

void expire(Machine& machine, KTIMER& timer) noexcept {
    timer.Header.SignalState = 1;
    PKDPC dpc = timer.Dpc;
    DIRQL_TRACE(timer_expired, .object = &timer,
                .routine = dpc == nullptr ? nullptr : reinterpret_cast<const void*>(dpc->DeferredRoutine));
    if (timer.Period != 0) {
        // It keeps its beat; beats that nobody could take meanwhile are lost.
        const std::uint64_t period = std::uint64_t{timer.Period} * 10'000;
        const std::uint64_t due = timer.DueTime.QuadPart - kept_delay(timer);
        const std::uint64_t late = interrupt_time(machine) - due;
        set_due(machine, timer, due + (late / period + 1) * period, kept_tolerance(timer));
        insert_sorted(machine, timer);
    }
    wake_waiters(timer.Header, 0);
    if (dpc == nullptr) return;
    const auto now = static_cast<std::uint64_t>(system_time(machine).QuadPart);
    insert_dpc(dpc, reinterpret_cast<void*>(now & 0xFFFF'FFFF), reinterpret_cast<void*>(now >> 32));
}

// A garbage header may look inserted: the list tells.
bool is_in_list(const Machine& machine, const KTIMER& timer) noexcept {
    if (timer.Header.Inserted == 0) return false;
    for (const LIST_ENTRY* entry = machine.timers.Flink; entry != &machine.timers; entry = entry->Flink) {
        if (entry == &timer.TimerListEntry) return true;
    }
    return false;
}

void refuse_set_timer(const KTIMER& timer) noexcept {
    if (current_processor() == nullptr || !is_in_list(current_machine(), timer)) return;
    bug_check(TIMER_OR_DPC_INVALID, 0, parameter(&timer), parameter(&timer), parameter(&timer + 1),
              {.rule = "a timer was initialised while it was set: its memory was used again without KeCancelTimer",
               .document = "Bug Check 0xC7: TIMER_OR_DPC_INVALID"});
}

} // namespace

std::uint64_t timer_due(const LARGE_INTEGER& due) noexcept {
    const std::uint64_t now = current_machine().time();
    if (due.QuadPart < 0) {
        const std::uint64_t wait = std::uint64_t(0) - static_cast<std::uint64_t>(due.QuadPart);
        return wait > (never - now) / ns_per_tick - 1 ? never - never % ns_per_tick - ns_per_tick
                                                      : (now / ns_per_tick + wait) * ns_per_tick;
    }
    const std::int64_t since_boot = due.QuadPart - boot_system_time;
    if (since_boot <= 0) return 0;
    return static_cast<std::uint64_t>(since_boot) > never / ns_per_tick - 1
               ? never - never % ns_per_tick - ns_per_tick
               : static_cast<std::uint64_t>(since_boot) * ns_per_tick;
}

void insert_timer(KTIMER& timer, const LARGE_INTEGER& due) noexcept {
    timer.DueTime.QuadPart = timer_due(due) / ns_per_tick;
    insert_sorted(current_machine(), timer);
}

bool remove_timer(KTIMER& timer) noexcept {
    if (timer.Header.Inserted == 0) return false;
    RemoveEntryList(&timer.TimerListEntry);
    timer.Header.Inserted = 0;
    note_first(current_machine());
    return true;
}

bool set_timer(KTIMER& timer, const LARGE_INTEGER& due, LONG period, PKDPC dpc, ULONG tolerable_delay) noexcept {
    Machine& machine = current_machine();
    const bool was_set = remove_timer(timer);
    timer.Dpc = dpc;
    timer.Period = static_cast<ULONG>(period);
    timer.Header.SignalState = 0;
    expect_punctual(timer);
    const std::uint64_t at = timer_due(due);
    const bool punctual = tolerable_delay == 0 || at <= machine.time();
    keep_tolerance(timer, tolerable_delay);
    set_due(machine, timer, at / ns_per_tick, punctual ? 0 : std::uint64_t{tolerable_delay} * 10'000);
    insert_sorted(machine, timer);
    if (due_ns(timer) <= current_machine().time()) { // a time that has come expires now, at any IRQL
        remove_timer(timer);
        timer.DueTime.QuadPart = interrupt_time(current_machine());
        expire(current_machine(), timer);
    }
    return was_set;
}

void expire_timers(Processor* processor) noexcept {
    Machine& machine = *processor->machine;
    while (machine.next_timer <= processor->now) {
        KTIMER& timer = timer_of(machine.timers.Flink);
        remove_timer(timer);
        expire(machine, timer);
    }
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type) {
    DIRQL_DOOR(KeInitializeTimerEx);
    refuse_set_timer(*Timer);
    const bool synchronization = Type == SynchronizationTimer;
    initialize_header(Timer->Header,
                      synchronization ? object_type::timer_synchronization : object_type::timer_notification, 0,
                      sizeof(KTIMER));
    Timer->Header.Inserted = 0;
    Timer->DueTime.QuadPart = 0;
    Timer->Dpc = nullptr;
    Timer->Period = 0;
}

VOID NTAPI KeInitializeTimer(PKTIMER Timer) {
    DIRQL_CALLED(KeInitializeTimer);
    KeInitializeTimerEx(Timer, NotificationTimer);
}

BOOLEAN NTAPI KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc) {
    DIRQL_DOOR(KeSetTimerEx);
    const bool was_set = set_timer(*Timer, DueTime, Period, Dpc);
    reschedule_if_asked();
    return was_set;
}

BOOLEAN NTAPI KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc) {
    DIRQL_CALLED(KeSetTimer);
    return KeSetTimerEx(Timer, DueTime, 0, Dpc);
}

BOOLEAN NTAPI KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay,
                                    PKDPC Dpc) {
    DIRQL_DOOR(KeSetCoalescableTimer);
    const bool was_set = set_timer(*Timer, DueTime, static_cast<LONG>(Period), Dpc, TolerableDelay);
    reschedule_if_asked();
    return was_set;
}

// A DPC that the expiration has queued already stays queued, as on Windows.
BOOLEAN NTAPI KeCancelTimer(PKTIMER Timer) {
    DIRQL_DOOR(KeCancelTimer);
    return remove_timer(*Timer);
}

BOOLEAN NTAPI KeReadStateTimer(PKTIMER Timer) {
    DIRQL_DOOR(KeReadStateTimer);
    return Timer->Header.SignalState != 0;
}
}
