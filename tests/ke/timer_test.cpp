// Timers, in virtual time.
#include "machines.hpp"

#include <cstring>
#include <memory>

using namespace ke_test;

namespace {

struct Timer : KTIMER {
    explicit Timer(TIMER_TYPE type = NotificationTimer) { KeInitializeTimerEx(this, type); }
    BOOLEAN set(std::int64_t us, PKDPC dpc = nullptr, LONG period_ms = 0) {
        return KeSetTimerEx(this, relative_us(us), period_ms, dpc);
    }
};

struct Bell : KDPC {
    std::vector<std::uint64_t> rung_us;
    std::string* order = nullptr;
    const char* name = "";
    Bell() { KeInitializeDpc(this, ring, this); }
    static void NTAPI ring(PKDPC, PVOID context, PVOID, PVOID) {
        auto& self = *static_cast<Bell*>(context);
        self.rung_us.push_back(now_us());
        if (self.order != nullptr) *self.order += self.name;
    }
};

LARGE_INTEGER due(LONGLONG value) {
    LARGE_INTEGER time;
    time.QuadPart = value;
    return time;
}

} // namespace

TEST_CASE("a timer is signalled at its time: relative and absolute", "[ke][timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Timer timer;
        const bool absolute = GENERATE(false, true);
        LARGE_INTEGER time = relative_us(700);
        if (absolute) {
            KeQuerySystemTime(&time);
            time.QuadPart += 7000;
        }
        const std::uint64_t before = now_us();
        CHECK_FALSE(KeSetTimer(&timer, time, nullptr));
        CHECK_FALSE(KeReadStateTimer(&timer));
        CHECK(wait(&timer) == STATUS_SUCCESS);
        CHECK(now_us() - before >= 699);
        CHECK(now_us() - before <= 702);
        CHECK(KeReadStateTimer(&timer)); // a notification timer stays
        CHECK_FALSE(KeCancelTimer(&timer));
        CHECK(KeReadStateTimer(&timer));
    }));
}

TEST_CASE("a synchronization timer releases one wait", "[ke][timer]") {
    KernelFixture kernel({}, shape(2));
    Timer timer(SynchronizationTimer);
    int released = 0;
    Bodies bodies;
    for (int i = 0; i < 2; ++i) {
        bodies.push_back([&] {
            if (wait_us(&timer, 1000) == STATUS_SUCCESS) ++released;
        });
    }
    bodies.push_back([&] { timer.set(100); });
    check_finished(kernel.run(bodies));
    CHECK(released == 1);
}

TEST_CASE("a timer is cancelled, and set again", "[ke][timer]") {
    KernelFixture kernel;
    Bell bell;
    check_finished(kernel.run([&] {
        Timer timer;
        CHECK_FALSE(timer.set(100, &bell));
        CHECK(KeCancelTimer(&timer));
        CHECK_FALSE(KeCancelTimer(&timer));
        sleep_us(200);
        CHECK(bell.rung_us.empty());
        CHECK_FALSE(KeReadStateTimer(&timer));
        const std::uint64_t start = now_us();
        CHECK_FALSE(timer.set(100, &bell));
        CHECK(timer.set(300, &bell)); // replaces
        sleep_us(1000);
        REQUIRE(bell.rung_us.size() == 1);
        CHECK(bell.rung_us[0] - start >= 299);
        CHECK(KeReadStateTimer(&timer));
        CHECK_FALSE(timer.set(50, &bell));
        CHECK_FALSE(KeReadStateTimer(&timer)); // setting clears
        KeCancelTimer(&timer);
    }));
}

TEST_CASE("a periodic timer keeps its beat and is always in the queue", "[ke][timer]") {
    KernelFixture kernel({}, shape(1));
    Bell bell;
    check_finished(kernel.run([&] {
        Timer timer(SynchronizationTimer);
        const std::uint64_t start = now_us();
        timer.set(500, &bell, 2);
        for (std::uint64_t beat = 0; beat < 5; ++beat) {
            CHECK(wait(&timer) == STATUS_SUCCESS);
            CHECK(now_us() - start >= 499 + 2000 * beat);
            CHECK(now_us() - start <= 520 + 2000 * beat);
        }
        CHECK(KeCancelTimer(&timer));
        sleep_us(10000);
        CHECK(bell.rung_us.size() == 5);
    }));
}

TEST_CASE("a periodic timer that nobody could serve goes on with the next beat", "[ke][timer]") {
    KernelFixture kernel({}, shape(1));
    Bell bell;
    check_finished(kernel.run([&] {
        Timer timer;
        const std::uint64_t start = now_us();
        timer.set(1000, &bell, 1);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        KeStallExecutionProcessor(5500);
        CHECK(bell.rung_us.empty());
        KeLowerIrql(old);
        CHECK(bell.rung_us.size() == 1); // a DPC is queued once
        sleep_us(1000);
        KeCancelTimer(&timer);
        REQUIRE(bell.rung_us.size() == 2);
        CHECK(bell.rung_us[1] - start >= 5999); // on the beat
        CHECK(bell.rung_us[1] - start <= 6002);
    }));
}

TEST_CASE("timers expire in the order of their times; equal times in the order they were set", "[ke][timer]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        std::string order;
        Bell bells[6];
        std::vector<std::unique_ptr<Timer>> timers;
        const char* names[] = {"a", "b", "c", "d", "e", "f"};
        for (int i = 0; i < 6; ++i) {
            bells[i].order = &order;
            bells[i].name = names[i];
            timers.push_back(std::make_unique<Timer>());
        }
        check_finished(kernel.run([&] {
            LARGE_INTEGER base;
            KeQuerySystemTime(&base);
            const LONGLONG offsets[] = {5000, 2000, 5000, 1000, 2000, 9000};
            for (int i = 0; i < 6; ++i) KeSetTimer(timers[i].get(), due(base.QuadPart + offsets[i]), &bells[i]);
            sleep_us(2000);
        }));
        CHECK(order == "dbeacf");
    });
}

TEST_CASE("a thread that a timer wakes runs after the timer's DPC", "[ke][timer]") {
    KernelFixture kernel({}, shape(1));
    Bell bell;
    std::string order;
    bell.order = &order;
    bell.name = "dpc ";
    check_finished(kernel.run([&] {
        Timer timer;
        timer.set(100, &bell);
        wait(&timer);
        order += "thread";
    }));
    CHECK(order == "dpc thread");
}

TEST_CASE("a due time that has come expires the timer at once, at any level", "[ke][timer]") {
    KernelFixture kernel;
    Bell bell;
    check_finished(kernel.run([&] {
        Timer timer;
        LARGE_INTEGER past;
        KeQuerySystemTime(&past);
        past.QuadPart -= GENERATE_COPY(LONGLONG{0}, LONGLONG{12345}, past.QuadPart); // now, before, and 0
        CHECK_FALSE(KeSetTimer(&timer, past, &bell));
        CHECK(KeReadStateTimer(&timer));
        CHECK(bell.rung_us.size() == 1);
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK_FALSE(KeSetTimer(&timer, past, &bell));
        CHECK(KeReadStateTimer(&timer));
        CHECK(bell.rung_us.size() == 1);
        KeLowerIrql(old);
        CHECK(bell.rung_us.size() == 2);
        const std::uint64_t start = now_us();
        KeSetTimerEx(&timer, past, 1, &bell); // periodic from now on
        CHECK(bell.rung_us.size() == 3);
        sleep_us(1500);
        CHECK(KeCancelTimer(&timer));
        REQUIRE(bell.rung_us.size() == 4);
        CHECK(bell.rung_us[3] - start >= 999);
    }));
}

TEST_CASE("a timer's DPC may free and set the timer", "[ke][timer]") {
    KernelFixture kernel;
    struct Chain {
        std::unique_ptr<Timer> timer;
        KDPC dpc;
        int left = 5;
        Event over;
    } chain;
    KeInitializeDpc(
        &chain.dpc,
        [](PKDPC, PVOID context, PVOID, PVOID) {
            auto& self = *static_cast<Chain*>(context);
            self.timer = std::make_unique<Timer>();
            if (--self.left == 0) {
                self.over.set();
            } else {
                self.timer->set(10, &self.dpc);
            }
        },
        &chain);
    check_finished(kernel.run([&] {
        chain.timer = std::make_unique<Timer>();
        chain.timer->set(10, &chain.dpc);
        CHECK(wait_us(&chain.over, 1000) == STATUS_SUCCESS);
    }));
    CHECK(chain.left == 0);
}

TEST_CASE("initialising a timer that is set is bug check 0xC7", "[ke][timer]") {
    KernelFixture kernel;
    static KTIMER timer;
    const ke::Stop stop = kernel.run([] {
        KeInitializeTimer(&timer);
        KeSetTimer(&timer, relative_us(100), nullptr);
        KeInitializeTimer(&timer);
    });
    check_bug_check(stop, TIMER_OR_DPC_INVALID);
    CHECK(stop.parameters[1] == ke::parameter(&timer));
}

TEST_CASE("garbage in a timer's memory does not matter to its initialisation", "[ke][timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KTIMER timer;
        std::memset(static_cast<void*>(&timer), 0xFF, sizeof timer);
        KeInitializeTimer(&timer);
        CHECK_FALSE(KeCancelTimer(&timer));
        CHECK_FALSE(KeSetTimer(&timer, relative_us(10), nullptr));
        CHECK(wait(&timer) == STATUS_SUCCESS);
    }));
}

TEST_CASE("time passes while a processor stalls, and timers ring meanwhile", "[ke][timer]") {
    KernelFixture kernel;
    Bell bell;
    check_finished(kernel.run([&] {
        Timer timer;
        const std::uint64_t start = now_us();
        timer.set(1000, &bell, 1);
        KeStallExecutionProcessor(4500);
        KeCancelTimer(&timer);
        CHECK(now_us() - start >= 4500);
        CHECK(now_us() - start <= 4510);
        CHECK(bell.rung_us.size() == 4);
    }));
}

TEST_CASE("the clocks agree", "[ke][timer]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        const ULONGLONG interrupt = KeQueryInterruptTime();
        LARGE_INTEGER system, ticks, frequency{};
        KeQuerySystemTime(&system);
        const LARGE_INTEGER counter = KeQueryPerformanceCounter(&frequency);
        CHECK(frequency.QuadPart == 10'000'000); // Windows 10's
        sleep_us(1'000'000);
        LARGE_INTEGER later;
        KeQuerySystemTime(&later);
        CHECK(later.QuadPart - system.QuadPart >= 9'999'990);
        CHECK(KeQueryInterruptTime() - interrupt >= 10'000'000);
        CHECK(KeQueryPerformanceCounter(nullptr).QuadPart - counter.QuadPart >= frequency.QuadPart - 10);
        KeQueryTickCount(&ticks);
        CHECK(KeTickCount.LowPart == ticks.LowPart);
        CHECK(KeTickCount.High1Time == ticks.HighPart);
        CHECK(KeTickCount.High2Time == ticks.HighPart);
        CHECK(ticks.QuadPart == static_cast<LONGLONG>(KeQueryInterruptTime() / KeQueryTimeIncrement()));
    }));
}
