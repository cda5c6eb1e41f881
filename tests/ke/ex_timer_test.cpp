// EX_TIMER, coalescable timers, clock resolution; and timers against a model.
#include "machines.hpp"

#include "ke/timer.hpp"

#include <map>
#include <random>

using namespace ke_test;

namespace {

struct Calls {
    int count = 0;
    std::uint64_t last = 0;
    KIRQL irql = 99;
    static void NTAPI routine(PEX_TIMER, PVOID context) {
        auto& calls = *static_cast<Calls*>(context);
        ++calls.count;
        calls.last = now_us();
        calls.irql = KeGetCurrentIrql();
    }
};

constexpr LONGLONG us(std::int64_t time) { return -time * 10; }

} // namespace

TEST_CASE("an EX_TIMER expires once or again and again, calls its routine and is signalled", "[ke][ex_timer]") {
    KernelFixture kernel({}, shape(2));
    check_finished(kernel.run([] {
        Calls calls;
        PEX_TIMER timer = ExAllocateTimer(Calls::routine, &calls, EX_TIMER_NOTIFICATION);
        REQUIRE(timer != nullptr);
        CHECK_FALSE(ExCancelTimer(timer, nullptr));
        EXT_SET_PARAMETERS parameters;
        ExInitializeSetTimerParameters(&parameters);
        CHECK(parameters.NoWakeTolerance == 0);
        CHECK_FALSE(ExSetTimer(timer, us(500), 0, &parameters));
        CHECK(ExSetTimer(timer, us(1000), 0, nullptr));
        const std::uint64_t begin = now_us();
        CHECK(wait(timer) == STATUS_SUCCESS);
        CHECK(now_us() - begin >= 999);
        CHECK(test_object(timer) == STATUS_SUCCESS); // a notification timer stays signalled
        sleep_us(10);
        CHECK(calls.count == 1);
        CHECK(calls.irql == DISPATCH_LEVEL);
        CHECK_FALSE(ExCancelTimer(timer, nullptr));
        CHECK_FALSE(ExSetTimer(timer, us(100'000), 200'000, nullptr)); // 20 ms
        CHECK(test_object(timer) == STATUS_TIMEOUT);
        sleep_us(100'000 + 3 * 20'000 + 1'000);
        CHECK(calls.count == 5);
        CHECK(ExCancelTimer(timer, nullptr));
        sleep_us(100'000);
        CHECK(calls.count == 5);
        LARGE_INTEGER when;
        KeQuerySystemTime(&when);
        CHECK_FALSE(ExSetTimer(timer, when.QuadPart + 5'000, 0, nullptr)); // absolute
        sleep_us(600);
        CHECK(calls.count == 6);
        CHECK_FALSE(ExSetTimer(timer, 0, 0, nullptr)); // at once
        CHECK(calls.count == 7);
        CHECK_FALSE(ExDeleteTimer(timer, TRUE, FALSE, nullptr));
    }));
}

TEST_CASE("no EX_TIMER expires more often than its clock ticks", "[ke][ex_timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Calls plain, fine;
        PEX_TIMER slow = ExAllocateTimer(Calls::routine, &plain, 0);
        PEX_TIMER fast = ExAllocateTimer(Calls::routine, &fine, EX_TIMER_HIGH_RESOLUTION);
        ExSetTimer(slow, us(15'625), 1, nullptr);
        ExSetTimer(fast, us(500), 1, nullptr);
        sleep_us(15'625 * 4 + 100);
        CHECK(plain.count == 4);
        CHECK(fine.count == 125);
        CHECK(ExDeleteTimer(slow, TRUE, TRUE, nullptr));
        CHECK(ExDeleteTimer(fast, TRUE, FALSE, nullptr));
        sleep_us(20'000);
        CHECK(plain.count == 4);
    }));
}

TEST_CASE("a timer that is not cancelled is deleted when it has expired; the deletion can be waited for",
          "[ke][ex_timer]") {
    KernelFixture kernel({}, shape(2, 4));
    check_finished(kernel.run([] {
        Calls calls;
        static int deleted;
        static KIRQL deleted_at;
        deleted = 0;
        EXT_DELETE_PARAMETERS parameters;
        ExInitializeDeleteTimerParameters(&parameters);
        parameters.DeleteCallback = [](PVOID context) {
            deleted += *static_cast<int*>(context);
            deleted_at = KeGetCurrentIrql();
        };
        static int amount = 5;
        parameters.DeleteContext = &amount;
        PEX_TIMER timer = ExAllocateTimer(Calls::routine, &calls, 0);
        ExSetTimer(timer, us(300), 1'000, nullptr);
        CHECK_FALSE(ExDeleteTimer(timer, FALSE, FALSE, &parameters));
        CHECK(deleted == 0);
        sleep_us(50'000);
        CHECK(calls.count == 1);
        CHECK(deleted == 5);
        CHECK(deleted_at == DISPATCH_LEVEL);
        // One whose routine runs on the other processor is waited for.
        static int inside;
        inside = 0;
        PEX_TIMER slow = ExAllocateTimer(
            [](PEX_TIMER, PVOID) {
                inside = 1;
                work(50'000);
                inside = 2;
            },
            nullptr, 0);
        ExSetTimer(slow, us(100), 0, nullptr);
        KeRaiseIrqlToDpcLevel(); // so that the other processor expires it
        while (inside == 0) work(10);
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(inside == 1);
        CHECK_FALSE(ExDeleteTimer(slow, TRUE, TRUE, &parameters));
        CHECK(inside == 2);
        CHECK(deleted == 10);
        // Its own routine may delete it.
        PEX_TIMER own =
            ExAllocateTimer([](PEX_TIMER self, PVOID) { ExDeleteTimer(self, TRUE, FALSE, nullptr); }, nullptr, 0);
        ExSetTimer(own, us(100), 200'000, nullptr);
        sleep_us(100'000);
    }));
}

TEST_CASE("a deletion waits for all expirations of a timer that run at once", "[ke][ex_timer]") {
    KernelFixture kernel({}, shape(3, 4));
    check_finished(kernel.run([] {
        static int began, ended, deleted_after;
        began = ended = 0;
        deleted_after = -1;
        EXT_DELETE_PARAMETERS parameters;
        ExInitializeDeleteTimerParameters(&parameters);
        parameters.DeleteCallback = [](PVOID) { deleted_after = ended; };
        // The second expiration outlives the first; the third and later ones are over at once.
        PEX_TIMER timer = ExAllocateTimer(
            [](PEX_TIMER, PVOID) {
                const int mine = ++began;
                if (mine == 1) work(100'000);
                if (mine == 2) work(500'000);
                if (mine <= 2) ++ended;
            },
            nullptr, EX_TIMER_HIGH_RESOLUTION);
        KeRaiseIrqlToDpcLevel(); // so that the other processors expire it
        ExSetTimer(timer, us(500), 5'000, nullptr);
        while (ended == 0) work(10);
        CHECK(began >= 2);
        ExDeleteTimer(timer, TRUE, FALSE, &parameters);
        KeLowerIrql(PASSIVE_LEVEL);
        sleep_us(10'000);
        CHECK(deleted_after == 2);
    }));
}

TEST_CASE("after ExDeleteTimer a timer that still expires is neither set, cancelled nor deleted again",
          "[ke][ex_timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Calls calls;
        int deleted = 0;
        EXT_DELETE_PARAMETERS parameters;
        ExInitializeDeleteTimerParameters(&parameters);
        parameters.DeleteCallback = [](PVOID context) { ++*static_cast<int*>(context); };
        parameters.DeleteContext = &deleted;
        PEX_TIMER timer = ExAllocateTimer(Calls::routine, &calls, 0);
        const std::uint64_t begin = now_us();
        CHECK_FALSE(ExSetTimer(timer, us(300), 0, nullptr));
        CHECK_FALSE(ExDeleteTimer(timer, FALSE, FALSE, &parameters));
        CHECK_FALSE(ExSetTimer(timer, us(100'000), 0, nullptr));
        CHECK_FALSE(ExCancelTimer(timer, nullptr));
        CHECK_FALSE(ExDeleteTimer(timer, FALSE, FALSE, nullptr));
        CHECK_FALSE(ExDeleteTimer(timer, TRUE, TRUE, nullptr));
        CHECK(now_us() - begin < 300); // the last one did not wait
        CHECK(deleted == 0);
        sleep_us(1'000);
        CHECK(calls.count == 1);
        CHECK(calls.last - begin < 900);
        CHECK(deleted == 1);
    }));
}

TEST_CASE("misuse of EX_TIMERs is a bug check", "[ke][ex_timer]") {
    KernelFixture kernel;
    static PEX_TIMER timer;
    const auto stops = [&](const std::function<void()>& body, std::uint32_t code) {
        check_bug_check(kernel.run(body), code);
    };
    SECTION("both high-resolution and no-wake") {
        stops([] { timer = ExAllocateTimer(nullptr, nullptr, EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE); },
              TIMER_OR_DPC_INVALID);
    }
    SECTION("high-resolution and absolute") {
        stops([] { ExSetTimer(ExAllocateTimer(nullptr, nullptr, EX_TIMER_HIGH_RESOLUTION), 1000, 0, nullptr); },
              TIMER_OR_DPC_INVALID);
    }
    SECTION("waits without cancelling") {
        stops([] { ExDeleteTimer(ExAllocateTimer(nullptr, nullptr, 0), FALSE, TRUE, nullptr); }, TIMER_OR_DPC_INVALID);
    }
    SECTION("waits at DISPATCH_LEVEL") {
        stops(
            [] {
                timer = ExAllocateTimer(nullptr, nullptr, 0);
                KeRaiseIrqlToDpcLevel();
                ExDeleteTimer(timer, TRUE, TRUE, nullptr);
            },
            DRIVER_VERIFIER_DETECTED_VIOLATION);
    }
}

TEST_CASE("without memory there is no EX_TIMER", "[ke][ex_timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([&] {
        while (ExAllocatePool2(POOL_FLAG_NON_PAGED, 4096, 0x74736554) != nullptr) {
        }
        while (ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, 0x74736554) != nullptr) {
        }
        CHECK(ExAllocateTimer(nullptr, nullptr, 0) == nullptr);
    }));
}

TEST_CASE("the clock's interval: shorter only, and the default when nobody asks any more", "[ke][clock]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        ULONG most, least, now;
        ExQueryTimerResolution(&most, &least, &now);
        CHECK(most == 156'250);
        CHECK(least == 5'000);
        CHECK(now == most);
        CHECK(ExSetTimerResolution(10'000, TRUE) == 10'000);
        CHECK(ExSetTimerResolution(20'000, TRUE) == 10'000);
        CHECK(ExSetTimerResolution(1, TRUE) == 5'000);
        ExQueryTimerResolution(&most, &least, &now);
        CHECK(now == 5'000);
        CHECK(KeQueryTimeIncrement() == 156'250);
        CHECK(ExSetTimerResolution(0, FALSE) == 5'000);
        CHECK(ExSetTimerResolution(0, FALSE) == 5'000);
        CHECK(ExSetTimerResolution(0, FALSE) == 156'250);
        sleep_us(100);
        ULONG64 stamp = 0;
        const ULONG64 before = KeQueryUnbiasedInterruptTime();
        const ULONG64 time = KeQueryUnbiasedInterruptTimePrecise(&stamp);
        CHECK(before >= 1000);
        CHECK(time >= before);
        CHECK(time < before + 1000);
        CHECK(stamp == time);
        sleep_us(100);
        CHECK(KeQueryUnbiasedInterruptTime() >= time + 1000);
    }));
}

TEST_CASE("a coalescable timer expires within its tolerance, with its period", "[ke][timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KTIMER timer;
        static int count;
        count = 0;
        KDPC dpc;
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID, PVOID, PVOID) { ++count; }, nullptr);
        KeInitializeTimer(&timer);
        const std::uint64_t begin = now_us();
        CHECK_FALSE(KeSetCoalescableTimer(&timer, relative_us(50'000), 50, 32, &dpc));
        CHECK(KeSetCoalescableTimer(&timer, relative_us(50'000), 50, 32, &dpc));
        CHECK(wait(&timer) == STATUS_SUCCESS);
        CHECK(now_us() - begin >= 49'999);
        CHECK(now_us() - begin <= 50'000 + 32'000);
        sleep_us(200'000 + 33'000);
        CHECK(count >= 4);
        CHECK(KeCancelTimer(&timer));
    }));
}

// Timers of all kinds against a map of due times.
TEST_CASE("10,000 random steps of timers keep to a model", "[ke][timer][property]") {
    KernelFixture kernel;
    check_finished(kernel.run([&] {
        constexpr std::size_t timers = 12;
        struct Model {
            bool set = false;
            std::uint64_t due = 0;    // 100 ns
            std::uint64_t period = 0; // 100 ns
            bool signalled = false;
            int fired = 0;
        } model[timers];
        static KTIMER timer[timers];
        static KDPC dpc[timers];
        static int fired[timers];
        std::minstd_rand random(3);
        for (std::size_t i = 0; i < timers; ++i) {
            fired[i] = 0;
            KeInitializeTimerEx(&timer[i], i % 2 == 0 ? NotificationTimer : SynchronizationTimer);
            KeInitializeDpc(
                &dpc[i], [](PKDPC, PVOID context, PVOID, PVOID) { ++*static_cast<int*>(context); }, &fired[i]);
        }
        const auto catch_up = [&] {
            const std::uint64_t time = ke::interrupt_time(kernel.machine());
            for (Model& one : model) {
                while (one.set && one.due <= time) {
                    one.signalled = true;
                    ++one.fired;
                    one.set = one.period != 0;
                    one.due += one.period;
                }
            }
        };
        for (int step = 0; step < 10'000; ++step) {
            const std::size_t i = random() % timers;
            Model& one = model[i];
            LARGE_INTEGER due;
            switch (random() % 6) {
            case 0: // relative or absolute, one shot or periodic
            case 1: {
                const auto delay = static_cast<LONGLONG>(1'000 + random() % 300'000);
                const auto period = random() % 3 == 0 ? static_cast<LONG>(1 + random() % 20) : 0;
                const std::uint64_t called = ke::interrupt_time(kernel.machine());
                due.QuadPart = -delay;
                if (random() % 2 == 0) due.QuadPart = ke::boot_system_time + static_cast<LONGLONG>(called) + delay;
                catch_up();
                const bool was_set = one.set;
                REQUIRE((KeSetTimerEx(&timer[i], due, period, &dpc[i]) != FALSE) == was_set);
                one = {true, timer[i].DueTime.QuadPart, static_cast<std::uint64_t>(period) * 10'000, false, one.fired};
                REQUIRE(one.due - called >= static_cast<std::uint64_t>(delay));
                REQUIRE(one.due - called <= static_cast<std::uint64_t>(delay) + 10);
                break;
            }
            case 2: {
                catch_up();
                REQUIRE((KeCancelTimer(&timer[i]) != FALSE) == one.set);
                one.set = false;
                break;
            }
            case 3: {
                catch_up();
                REQUIRE((KeReadStateTimer(&timer[i]) != FALSE) == one.signalled);
                break;
            }
            case 4: {
                catch_up();
                REQUIRE((test_object(&timer[i]) == STATUS_SUCCESS) == one.signalled);
                if (i % 2 != 0) one.signalled = false;
                break;
            }
            default: sleep_us(static_cast<std::int64_t>(random() % 4'000)); break;
            }
        }
        sleep_us(1);
        catch_up();
        for (std::size_t i = 0; i < timers; ++i) {
            CHECK(fired[i] == model[i].fired);
            KeCancelTimer(&timer[i]);
        }
    }));
}
