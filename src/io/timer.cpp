// IoTimer: a routine for each device, called once a second at DISPATCH_LEVEL. One kernel timer ticks for all devices.
#include "ex/pool.hpp"
#include "io/device.hpp"
#include "io/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/stop.hpp"

// Its layout is the system's own: drivers hold only pointers to it.
struct _IO_TIMER {
    LIST_ENTRY entry; // State::timers, while it runs
    PDEVICE_OBJECT device;
    PIO_TIMER_ROUTINE routine;
    PVOID context;
    bool running;
    ULONG round; // of ticks, in which it was called last
};

using PIO_TIMER = _IO_TIMER*;

namespace dirql::io {
namespace {

// The next one to call in this round. Looked for anew each time: while a routine runs, other processors stop and delete timers.
PIO_TIMER next_of_round(State& io, ULONG round) noexcept {
    for (LIST_ENTRY* e = io.timers.Flink; e != &io.timers; e = e->Flink) {
        auto* timer = CONTAINING_RECORD(e, _IO_TIMER, entry);
        if (timer->round != round) return timer;
    }
    return nullptr;
}

void NTAPI tick(PKDPC, PVOID, PVOID, PVOID) {
    State& io = state();
    const ULONG round = ++io.timer_round;
    while (PIO_TIMER timer = next_of_round(io, round)) {
        timer->round = round;
        ke::callout({ke::CalloutKind::timer, reinterpret_cast<const void*>(timer->routine), timer->device},
                    timer->routine, timer->device, timer->context);
    }
}

void run_clock(State& io) noexcept {
    LARGE_INTEGER second;
    second.QuadPart = -10'000'000;
    KeSetTimerEx(&io.timer, second, 1000, &io.timer_dpc);
}

void stop(PIO_TIMER timer) noexcept {
    if (!timer->running) return;
    State& io = state();
    timer->running = false;
    RemoveEntryList(&timer->entry);
    if (--io.running_timers == 0) KeCancelTimer(&io.timer);
}

} // namespace

void initialize_timers(State& io) noexcept {
    InitializeListHead(&io.timers);
    KeInitializeTimerEx(&io.timer, NotificationTimer);
    KeInitializeDpc(&io.timer_dpc, tick, nullptr);
}

void delete_timer(PDEVICE_OBJECT device) noexcept {
    if (device->Timer == nullptr) return;
    stop(device->Timer);
    ex::free_pool(device->Timer, 0);
    device->Timer = nullptr;
}

bool timer_running(PDEVICE_OBJECT device) noexcept { return device->Timer != nullptr && device->Timer->running; }

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoInitializeTimer(PDEVICE_OBJECT DeviceObject, PIO_TIMER_ROUTINE TimerRoutine, PVOID Context) {
    DIRQL_DOOR(IoInitializeTimer);
    if (DeviceObject->Timer != nullptr) {
        ke::bug_check(DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x0A, ke::parameter(DeviceObject), 0, 0,
                      {.rule = "IoInitializeTimer was called again for a device that has its timer",
                       .document = "IoInitializeTimer function (wdm.h)",
                       .device = DeviceObject});
    }
    auto* timer = static_cast<PIO_TIMER>(ex::allocate_pool(NonPagedPoolNx, sizeof(_IO_TIMER), 'mToI'));
    if (timer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    *timer = {{}, DeviceObject, TimerRoutine, Context, false, 0};
    DeviceObject->Timer = timer;
    return STATUS_SUCCESS;
}

VOID NTAPI IoStartTimer(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoStartTimer);
    PIO_TIMER timer = DeviceObject->Timer;
    if (timer->running || state_of(DeviceObject).delete_pending) return;
    State& io = state();
    timer->running = true;
    timer->round = io.timer_round; // one that starts during a tick waits for the next
    InsertTailList(&io.timers, &timer->entry);
    if (io.running_timers++ == 0) run_clock(io);
}

VOID NTAPI IoStopTimer(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoStopTimer);
    stop(DeviceObject->Timer);
}
}
