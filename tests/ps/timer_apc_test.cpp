// Timers by handle that call a routine in the thread that set them.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "../../src/ob/services.hpp"

#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr LONGLONG ms = 10'000;

struct Calls {
    std::vector<ULONG64> times;
    KIRQL irql = HIGH_LEVEL;
    KPROCESSOR_MODE mode = KernelMode;
    ke::Thread* thread = nullptr;
    static VOID NTAPI routine(PVOID context, ULONG low, LONG high) {
        auto& calls = *static_cast<Calls*>(context);
        calls.times.push_back(low | ULONG64{static_cast<ULONG>(high)} << 32);
        calls.irql = ke::current_processor()->irql;
        calls.mode = ke::current_thread()->previous_mode;
        calls.thread = ke::current_thread();
    }
};

HANDLE make_timer(TIMER_TYPE type = SynchronizationTimer) {
    HANDLE timer = nullptr;
    CHECK(NtCreateTimer(&timer, TIMER_ALL_ACCESS, nullptr, type) == STATUS_SUCCESS);
    return timer;
}
NTSTATUS set(HANDLE timer, LONGLONG delay, Calls* calls, LONG period = 0) {
    LARGE_INTEGER due{.QuadPart = -delay};
    return NtSetTimer(timer, &due, calls == nullptr ? nullptr : Calls::routine, calls, FALSE, period, nullptr);
}
// Rests so long, STATUS_TIMEOUT; alertable: routines are called meanwhile, and the rest ends with the first.
NTSTATUS rest(LONGLONG time, bool alertable) {
    LARGE_INTEGER until{.QuadPart = -time};
    HANDLE never = nullptr;
    CHECK(NtCreateEvent(&never, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
    const NTSTATUS status = NtWaitForSingleObject(never, alertable, &until);
    NtClose(never);
    return status;
}
ULONG64 system_time() {
    return static_cast<ULONG64>(ke::boot_system_time) + ke::current_machine().time() / ke::ns_per_tick;
}
NTSTATUS state_of(HANDLE timer) {
    LARGE_INTEGER now{};
    return NtWaitForSingleObject(timer, FALSE, &now);
}

} // namespace

TEST_CASE_METHOD(ProcessFixture, "a timer calls its routine in the alertable wait of the thread that set it") {
    ke::Process* process = create_process();
    const auto body = [&] {
        HANDLE timer = make_timer(NotificationTimer);
        Calls calls;
        const ULONG64 due = system_time() + 10 * ms;
        CHECK(set(timer, 10 * ms, &calls) == STATUS_SUCCESS);
        CHECK(rest(20 * ms, false) == STATUS_TIMEOUT); // not alertable
        CHECK(calls.times.empty());
        CHECK(state_of(timer) == STATUS_SUCCESS);
        CHECK(rest(20 * ms, true) == STATUS_USER_APC);
        REQUIRE(calls.times.size() == 1);
        CHECK(calls.times[0] >= due); // when it expired, not when it was called
        CHECK(calls.times[0] < due + ms);
        CHECK(calls.irql == PASSIVE_LEVEL);
        CHECK(calls.mode == UserMode);
        CHECK(calls.thread == ke::current_thread());
        CHECK(rest(20 * ms, true) == STATUS_TIMEOUT); // once
        // Periodic: expirations that find the APC queued still are lost.
        CHECK(set(timer, 10 * ms, &calls, 10) == STATUS_SUCCESS);
        CHECK(rest(55 * ms, false) == STATUS_TIMEOUT);
        CHECK(rest(ms, true) == STATUS_USER_APC);
        CHECK(calls.times.size() == 2);
        CHECK(rest(55 * ms, true) == STATUS_USER_APC);
        CHECK(rest(55 * ms, true) == STATUS_USER_APC);
        CHECK(calls.times.size() == 4);
        // Cancelled with its APC queued, and set again for no routine.
        CHECK(rest(15 * ms, false) == STATUS_TIMEOUT);
        BOOLEAN signalled = FALSE;
        CHECK(NtCancelTimer(timer, &signalled) == STATUS_SUCCESS);
        CHECK(signalled);
        CHECK(rest(50 * ms, true) == STATUS_TIMEOUT);
        CHECK(set(timer, 10 * ms, &calls) == STATUS_SUCCESS);
        CHECK(rest(15 * ms, false) == STATUS_TIMEOUT);
        CHECK(set(timer, 10 * ms, nullptr) == STATUS_SUCCESS);
        CHECK(rest(50 * ms, true) == STATUS_TIMEOUT);
        CHECK(calls.times.size() == 4);
        CHECK(set(timer, 0, &calls) == STATUS_SUCCESS); // at once
        CHECK(rest(ms, true) == STATUS_USER_APC);
        CHECK(calls.times.size() == 5);
        LARGE_INTEGER due_time{};
        CHECK(NtSetTimer(timer, &due_time, Calls::routine, &calls, FALSE, -1, nullptr) == STATUS_INVALID_PARAMETER_6);
        CHECK(NtSetTimer(nullptr, &due_time, Calls::routine, &calls, FALSE, 0, nullptr) == STATUS_INVALID_HANDLE);
        NtClose(timer);
    };
    const auto stop = run_as_application(*process, {body});
    CHECK(stop.kind == ke::StopKind::none);
    dereference(process);
}

TEST_CASE_METHOD(ProcessFixture, "a timer with a routine outlives its handle, but not its thread") {
    ke::Process* process = create_process();
    static HANDLE left;
    static Calls never_called;
    left = nullptr;
    const auto body = [&] {
        Calls calls;
        HANDLE timer = make_timer();
        CHECK(set(timer, 10 * ms, &calls) == STATUS_SUCCESS);
        NtClose(timer);
        CHECK(rest(50 * ms, true) == STATUS_USER_APC);
        CHECK(calls.times.size() == 1);
        CHECK(rest(100 * ms, true) == STATUS_TIMEOUT);
        CHECK(state_of(left) == STATUS_TIMEOUT); // cancelled
        CHECK(set(left, ms, &calls) == STATUS_SUCCESS);
        CHECK(rest(10 * ms, true) == STATUS_USER_APC);
        CHECK(calls.times.size() == 2);
        HANDLE another = make_timer(); // and with the process
        CHECK(set(another, 10 * ms, &calls, 1) == STATUS_SUCCESS);
        CHECK(rest(20 * ms, false) == STATUS_TIMEOUT);
    };
    const auto ends_at_once = [&] {
        left = make_timer();
        CHECK(set(left, 30 * ms, &never_called, 10) == STATUS_SUCCESS);
    };
    const auto stop = run_as_application(*process, {body, ends_at_once});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(never_called.times.empty());
    dereference(process);
}

TEST_CASE_METHOD(ProcessFixture, "a driver's timer calls its routine as a normal kernel APC") {
    static Calls calls;
    calls = {};
    const auto stop = run([&] {
        HANDLE timer = nullptr;
        REQUIRE(ZwCreateTimer(&timer, TIMER_ALL_ACCESS, nullptr, NotificationTimer) == STATUS_SUCCESS);
        LARGE_INTEGER due{.QuadPart = -10 * ms};
        REQUIRE(ZwSetTimer(timer, &due, Calls::routine, &calls, FALSE, 0, nullptr) == STATUS_SUCCESS);
        LARGE_INTEGER pause{.QuadPart = -20 * ms};
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        CHECK(calls.times.empty()); // a system thread begins in a critical region
        KeLeaveCriticalRegion();
        CHECK(calls.times.size() == 1);
        CHECK(calls.irql == PASSIVE_LEVEL);
        REQUIRE(ZwSetTimer(timer, &due, Calls::routine, &calls, FALSE, 5, nullptr) == STATUS_SUCCESS);
        for (int i = 0; i < 4; ++i) KeDelayExecutionThread(KernelMode, FALSE, &pause);
        CHECK(calls.times.size() >= 12);
        CHECK(ZwCancelTimer(timer, nullptr) == STATUS_SUCCESS);
        KeEnterCriticalRegion();
        ZwClose(timer);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
