// EX_TIMER: timers that the system allocates, with a callback, periods in units of 100 ns, and a deletion that can wait.
//
// A KTIMER with a DPC of our own, which calls the driver's routine and sets the next period. So a timer is idle when it is neither
// set nor in its DPC, and what ExDeleteTimer began ends there.
#include "ex/pool.hpp"
#include "ke/callout.hpp"
#include "ke/coalescing.hpp"
#include "ke/dpc.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/timer.hpp"
#include "ke/wait.hpp"

#include <algorithm>
#include <utility>

namespace dirql::ex {
namespace {

constexpr ULONG tag = pool_tag("ExTm");
constexpr const char* document = "ExXxxTimer Routines and EX_TIMER Objects";
constexpr std::uint32_t shortest_interval = 5'000; // 100 ns; of the clock, and so of high-resolution timers
constexpr std::uint32_t default_interval = ke::clock_interval_ns / ke::ns_per_tick;

struct Timer {
    KTIMER timer; // first: a wait for the EX_TIMER is one for this
    KDPC dpc;
    KEVENT gone; // for who waits for the deletion
    PEXT_CALLBACK callback;
    void* context;
    std::uint64_t period; // 100 ns; 0: one shot
    ULONG attributes;
    unsigned calling; // expirations whose routine runs: one on each processor may
    bool deleted;
    bool awaited; // by ExDeleteTimer, which frees it
    EXT_DELETE_PARAMETERS end;
};

Timer& timer_of(PEX_TIMER timer) noexcept { return *reinterpret_cast<Timer*>(timer); }
PEX_TIMER as_ex_timer(Timer& timer) noexcept { return reinterpret_cast<PEX_TIMER>(&timer); }

[[noreturn, gnu::cold]] void misused(const Timer* timer, std::uint64_t attributes, const char* rule) noexcept {
    ke::bug_check(TIMER_OR_DPC_INVALID, 0, ke::parameter(timer), attributes, 0, {.rule = rule, .document = document});
}

bool is_set(const Timer& timer) noexcept { return timer.timer.Header.Inserted != 0; }
bool is_idle(const Timer& timer) noexcept {
    return !is_set(timer) && timer.dpc.DpcData == nullptr && timer.calling == 0;
}

void finish_deletion(Timer& timer) noexcept {
    const EXT_DELETE_PARAMETERS end = timer.end;
    free_pool(&timer, tag);
    if (end.DeleteCallback == nullptr) return;
    const KIRQL level = ke::raise_irql(ke::current_processor(), DISPATCH_LEVEL);
    ke::callout({ke::CalloutKind::other, reinterpret_cast<const void*>(end.DeleteCallback)}, end.DeleteCallback,
                end.DeleteContext);
    ke::lower_irql(ke::current_processor(), level);
}

// It keeps its beat; beats that nobody could take meanwhile are lost.
void set_next_period(Timer& timer) noexcept {
    if (timer.period == 0 || timer.deleted || is_set(timer)) return;
    const std::uint64_t late = ke::interrupt_time(ke::current_machine()) - timer.timer.DueTime.QuadPart;
    LARGE_INTEGER due;
    due.QuadPart = ke::boot_system_time +
                   static_cast<LONGLONG>(timer.timer.DueTime.QuadPart + (late / timer.period + 1) * timer.period);
    ke::insert_timer(timer.timer, due); // which leaves it signalled
}

// The DPC of each expiration. Another expiration may come while the routine runs, on another processor.
void NTAPI expired(PKDPC, PVOID context, PVOID, PVOID) noexcept {
    Timer& timer = *static_cast<Timer*>(context);
    set_next_period(timer);
    if (timer.callback != nullptr) {
        ++timer.calling;
        ke::callout({ke::CalloutKind::other, reinterpret_cast<const void*>(timer.callback)}, timer.callback,
                    as_ex_timer(timer), timer.context);
        --timer.calling;
    }
    if (!timer.deleted || !is_idle(timer)) return;
    if (!timer.awaited) return finish_deletion(timer);
    timer.gone.Header.SignalState = 1;
    ke::wake_waiters(timer.gone.Header, 0);
}

bool cancel(Timer& timer) noexcept {
    timer.period = 0;
    return ke::remove_timer(timer.timer);
}

// More often than the clock ticks no timer expires.
std::uint64_t period_of(const Timer& timer, LONGLONG asked) noexcept {
    if (asked <= 0) return 0;
    const bool fine = (timer.attributes & EX_TIMER_HIGH_RESOLUTION) != 0;
    const std::uint32_t tick = fine ? shortest_interval : ke::current_machine().clock_interval;
    return std::max(static_cast<std::uint64_t>(asked), std::uint64_t{tick});
}

} // namespace
} // namespace dirql::ex

using namespace dirql;

extern "C" {

// NULL when memory is short.
PEX_TIMER NTAPI ExAllocateTimer(PEXT_CALLBACK Callback, PVOID CallbackContext, ULONG Attributes) {
    DIRQL_DOOR(ExAllocateTimer);
    constexpr ULONG exclusive = EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE;
    if ((Attributes & exclusive) == exclusive)
        ex::misused(nullptr, Attributes, "a timer was asked to be high-resolution and no-wake: it is one or the other");
    auto* timer = static_cast<ex::Timer*>(
        ex::allocate_pool_for(__builtin_return_address(0), NonPagedPoolNx, sizeof(ex::Timer), ex::tag, ex::Fill::zero));
    if (timer == nullptr) return nullptr;
    const bool notification = (Attributes & EX_TIMER_NOTIFICATION) != 0;
    ke::initialize_header(timer->timer.Header,
                          notification ? ke::object_type::timer_notification : ke::object_type::timer_synchronization,
                          0, sizeof(KTIMER));
    ke::initialize_header(timer->gone.Header, ke::object_type::event_notification, 0, sizeof(KEVENT));
    ke::initialize_dpc(timer->dpc, ex::expired, timer);
    timer->callback = Callback;
    timer->context = CallbackContext;
    timer->attributes = Attributes;
    return ex::as_ex_timer(*timer);
}

// TRUE when it was set already. After ExDeleteTimer, while the timer still expires, this and the two below do nothing and
// return FALSE. Without parameters a no-wake timer tolerates no delay.
BOOLEAN NTAPI ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters) {
    DIRQL_DOOR(ExSetTimer);
    ex::Timer& timer = ex::timer_of(Timer);
    if (timer.deleted) return FALSE;
    const LONGLONG tolerance = Parameters == nullptr ? 0 : Parameters->NoWakeTolerance;
    if (tolerance < 0 && tolerance != EX_TIMER_UNLIMITED_TOLERANCE)
        ex::misused(&timer, timer.attributes, "a timer was set with a negative NoWakeTolerance");
    if ((timer.attributes & EX_TIMER_HIGH_RESOLUTION) != 0 && DueTime >= 0)
        ex::misused(&timer, timer.attributes, "a high-resolution timer was set to an absolute time");
    timer.period = ex::period_of(timer, Period);
    LARGE_INTEGER due;
    due.QuadPart = DueTime;
    const bool was_set = ke::set_timer(timer.timer, due, 0, &timer.dpc);
    if ((timer.attributes & EX_TIMER_NO_WAKE) != 0) ke::let_sleep(timer.timer, static_cast<std::uint64_t>(tolerance));
    ke::reschedule_if_asked();
    return was_set;
}

BOOLEAN NTAPI ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters) {
    DIRQL_DOOR(ExCancelTimer);
    UNREFERENCED_PARAMETER(Parameters);
    ex::Timer& timer = ex::timer_of(Timer);
    return !timer.deleted && ex::cancel(timer);
}

// TRUE when it was cancelled.
BOOLEAN NTAPI ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters) {
    DIRQL_DOOR(ExDeleteTimer);
    ex::Timer& timer = ex::timer_of(Timer);
    if (timer.deleted) return FALSE;
    if (Wait != FALSE && Cancel == FALSE)
        ex::misused(&timer, timer.attributes, "ExDeleteTimer was to wait for a timer that it was not to cancel");
    if (Wait != FALSE) ke::check_may_wait(Timer, nullptr);
    const bool cancelled = Cancel != FALSE && ex::cancel(timer);
    timer.deleted = true;
    timer.awaited = Wait != FALSE;
    if (Parameters != nullptr) timer.end = *Parameters;
    if (!ex::is_idle(timer)) {
        if (Wait == FALSE) return cancelled;
        ke::wait_for(&timer.gone);
    }
    ex::finish_deletion(timer);
    return cancelled;
}

VOID NTAPI ExQueryTimerResolution(PULONG MaximumTime, PULONG MinimumTime, PULONG CurrentTime) {
    DIRQL_DOOR(ExQueryTimerResolution);
    *MaximumTime = ex::default_interval;
    *MinimumTime = ex::shortest_interval;
    *CurrentTime = ke::current_machine().clock_interval;
}

// Shorter only, and the default again when all who asked have said so.
ULONG NTAPI ExSetTimerResolution(ULONG DesiredTime, BOOLEAN SetResolution) {
    DIRQL_DOOR(ExSetTimerResolution);
    ke::Machine& machine = ke::current_machine();
    if (SetResolution != FALSE) {
        ++machine.clock_requests;
        const ULONG possible = std::max<ULONG>(DesiredTime, ex::shortest_interval);
        machine.clock_interval = std::min<ULONG>(machine.clock_interval, possible);
    } else if (machine.clock_requests != 0 && --machine.clock_requests == 0) {
        machine.clock_interval = ex::default_interval;
    }
    return machine.clock_interval;
}
}
