// Timers that may be late: within what they tolerate, together with others, and in the same way in each run.
#include "machines.hpp"

#include "ke/coalescing.hpp"
#include "ke/timer.hpp"

#include <array>
#include <random>
#include <set>

using namespace ke_test;

namespace {

constexpr std::uint64_t ms = 10'000; // of interrupt time

std::uint64_t time_now() { return ke::interrupt_time(ke::current_machine()); }

LARGE_INTEGER at(std::uint64_t interrupt_time) {
    LARGE_INTEGER due;
    due.QuadPart = ke::boot_system_time + static_cast<LONGLONG>(interrupt_time);
    return due;
}

// Notes when its DPC ran.
struct Beat {
    KTIMER timer;
    KDPC dpc;
    std::vector<std::uint64_t> times;
    Beat() {
        KeInitializeTimerEx(&timer, SynchronizationTimer);
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID context, PVOID, PVOID) { static_cast<Beat*>(context)->times.push_back(time_now()); },
            this);
    }
    Beat(const Beat&) = delete;
    Beat& operator=(const Beat&) = delete;
    bool set(std::uint64_t due, ULONG period, ULONG tolerance) {
        return KeSetCoalescableTimer(&timer, at(due), period, tolerance, &dpc) != FALSE;
    }
    [[nodiscard]] std::uint64_t due() const { return timer.DueTime.QuadPart; }
};

void sleep_until(std::uint64_t interrupt_time) {
    LARGE_INTEGER due = at(interrupt_time);
    KeDelayExecutionThread(KernelMode, FALSE, &due);
}

} // namespace

TEST_CASE("a coalescable timer joins another in its window, else a beat that all have in common", "[ke][coalescing]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        const std::uint64_t second = (time_now() / (1000 * ms) + 1) * 1000 * ms;
        Beat beat;
        CHECK_FALSE(beat.set(second + 107 * ms, 0, 0)); // no tolerance: KeSetTimerEx
        CHECK(beat.due() == second + 107 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 50));
        CHECK(beat.due() == second + 150 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 93)); // the window's last instant belongs to it
        CHECK(beat.due() == second + 200 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 92));
        CHECK(beat.due() == second + 150 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 150));
        CHECK(beat.due() == second + 250 * ms);
        CHECK(beat.set(second + 107 * ms, 0, MAXLONG));
        CHECK(beat.due() == second + 1000 * ms);
        CHECK(beat.set(second + 150 * ms, 0, 50)); // its first instant, too
        CHECK(beat.due() == second + 200 * ms);
        CHECK(beat.set(second + 151 * ms, 0, 16)); // no beat: the next tick of the clock
        CHECK(beat.due() % ke::current_machine().clock_interval == 0);
        CHECK(beat.due() - (second + 151 * ms) <= 16 * ms);
        CHECK(beat.set(second + 151 * ms + 1, 0, 1));
        CHECK(beat.due() - (second + 151 * ms + 1) <= 1 * ms);
        KTIMER other;
        KeInitializeTimer(&other);
        KeSetTimer(&other, at(second + 133 * ms + 7), nullptr);
        CHECK(beat.set(second + 107 * ms, 0, 50));
        CHECK(beat.due() == second + 133 * ms + 7);
        CHECK(beat.set(second + 133 * ms + 8, 0, 50));
        CHECK(beat.due() == second + 150 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 26));
        CHECK(beat.due() < second + 133 * ms);
        CHECK(beat.set(second + 107 * ms, 0, 50)); // it is no other timer for itself
        CHECK(beat.due() == second + 133 * ms + 7);
        KeCancelTimer(&other);
        CHECK(wait(&beat.timer) == STATUS_SUCCESS);
        CHECK(beat.times == std::vector<std::uint64_t>{second + 133 * ms + 7});
        CHECK_FALSE(beat.set(second, 0, 1000)); // a time that has come
        CHECK(beat.times.size() == 2);
        CHECK_FALSE(KeCancelTimer(&beat.timer));
    }));
}

TEST_CASE("periods of coalescable timers stay within the tolerance and do not drift", "[ke][coalescing]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        const std::uint64_t begin = (time_now() / (1000 * ms) + 1) * 1000 * ms + 3 * ms;
        Beat slow, fast;
        constexpr ULONG period = 500, tolerance = 50;
        CHECK_FALSE(slow.set(begin, period, tolerance));
        CHECK_FALSE(fast.set(begin + 20 * ms, 100, 40));
        sleep_until(begin + 10'000 * ms + 60 * ms);
        CHECK(KeCancelTimer(&slow.timer));
        CHECK(KeCancelTimer(&fast.timer));
        REQUIRE(slow.times.size() == 21);
        for (std::size_t i = 0; i < slow.times.size(); ++i) {
            CHECK(slow.times[i] >= begin + i * period * ms);
            CHECK(slow.times[i] <= begin + (i * period + tolerance) * ms + 10);
            if (i != 0) CHECK(slow.times[i] - slow.times[i - 1] <= (period + tolerance) * ms);
            if (i != 0) CHECK(slow.times[i] - slow.times[i - 1] >= (period - tolerance) * ms);
        }
        REQUIRE(fast.times.size() >= 99);
        CHECK(fast.times.size() <= 101);
        // Set again without tolerance, it is punctual.
        slow.times.clear();
        const std::uint64_t again = time_now() + 7 * ms;
        CHECK_FALSE(KeSetTimerEx(&slow.timer, at(again), 30, &slow.dpc));
        sleep_until(again + 91 * ms);
        CHECK(KeCancelTimer(&slow.timer));
        REQUIRE(slow.times.size() == 4);
        for (std::size_t i = 0; i < 4; ++i) CHECK(slow.times[i] - (again + i * 30 * ms) <= 10);
    }));
}

TEST_CASE("10,000 random coalescable timers expire in their windows, and together", "[ke][coalescing][property]") {
    constexpr std::size_t count = 25;
    const auto run_once = [&](ULONG tolerance, std::vector<std::uint64_t>& log) {
        KernelFixture kernel;
        check_finished(kernel.run([&] {
            static std::array<Beat, count>* beats;
            beats = new std::array<Beat, count>;
            std::minstd_rand random(11);
            for (int round = 0; round < 400; ++round) {
                std::array<std::uint64_t, count> due;
                for (std::size_t i = 0; i < count; ++i) {
                    due[i] = time_now() + (10 + random() % 2'000) * ms + random() % ms;
                    (*beats)[i].times.clear();
                    (*beats)[i].set(due[i], 0, tolerance);
                }
                sleep_until(time_now() + 4'000 * ms);
                std::set<std::uint64_t> instants;
                for (std::size_t i = 0; i < count; ++i) {
                    const auto& times = (*beats)[i].times;
                    REQUIRE(times.size() == 1);
                    REQUIRE(times[0] >= due[i]);
                    REQUIRE(times[0] <= due[i] + tolerance * ms + 100); // the DPCs before it take their time
                    instants.insert(times[0] / ms);
                    log.push_back(times[0]);
                }
                if (tolerance >= 100) REQUIRE(instants.size() <= 20);
                if (tolerance >= 1000) REQUIRE(instants.size() <= 4);
            }
            delete beats;
        }));
    };
    std::vector<std::uint64_t> first, second, punctual;
    run_once(100, first);
    run_once(100, second);
    CHECK(first == second);
    run_once(0, punctual);
    const auto instants = [](const std::vector<std::uint64_t>& log) {
        std::set<std::uint64_t> different;
        for (const std::uint64_t time : log) different.insert(time / ms);
        return different.size();
    };
    CHECK(2 * instants(punctual) > 3 * instants(first)); // random windows: more do not meet
    std::vector<std::uint64_t> wide;
    run_once(1'000, wide);
}

namespace {

struct NoWake {
    PEX_TIMER timer;
    std::uint64_t last = 0;
    explicit NoWake(ULONG attributes = EX_TIMER_NO_WAKE) {
        timer = ExAllocateTimer([](PEX_TIMER, PVOID context) { static_cast<NoWake*>(context)->last = time_now(); },
                                this, attributes);
        REQUIRE(timer != nullptr);
    }
    ~NoWake() { ExDeleteTimer(timer, TRUE, FALSE, nullptr); }
    // Returns when it was due.
    std::uint64_t set(std::uint64_t delay, LONGLONG tolerance) {
        EXT_SET_PARAMETERS parameters;
        ExInitializeSetTimerParameters(&parameters);
        parameters.NoWakeTolerance = tolerance;
        last = 0;
        ExSetTimer(timer, -static_cast<LONGLONG>(delay), 0, &parameters);
        return reinterpret_cast<KTIMER*>(timer)->DueTime.QuadPart;
    }
};

bool soon_after(std::uint64_t time, std::uint64_t due) { return time >= due && time <= due + 10; }

} // namespace

TEST_CASE("a no-wake timer lets processors sleep on, but not those that are awake", "[ke][coalescing]") {
    KernelFixture kernel({}, shape(2));
    check_finished(kernel.run([] {
        NoWake timer;
        // Asleep until the thread's own timer.
        std::uint64_t due = timer.set(10 * ms, LONGLONG{1000} * static_cast<LONGLONG>(ms));
        sleep_until(due + 30 * ms);
        CHECK(soon_after(timer.last, due + 30 * ms));
        // The tolerance is over before.
        due = timer.set(10 * ms, 20 * static_cast<LONGLONG>(ms));
        sleep_until(due + 30 * ms);
        CHECK(soon_after(timer.last, due + 20 * ms));
        due = timer.set(10 * ms, 0);
        sleep_until(due + 30 * ms);
        CHECK(soon_after(timer.last, due));
        due = timer.set(10 * ms, EX_TIMER_UNLIMITED_TOLERANCE);
        sleep_until(due + 50'000 * ms);
        CHECK(soon_after(timer.last, due + 50'000 * ms));
        // Awake.
        due = timer.set(1 * ms, EX_TIMER_UNLIMITED_TOLERANCE);
        KeStallExecutionProcessor(2'000);
        CHECK(soon_after(timer.last, due));
        // With nothing else to come it comes after all, as real machines wake for something.
        due = timer.set(10 * ms, EX_TIMER_UNLIMITED_TOLERANCE);
        CHECK(wait(timer.timer) == STATUS_SUCCESS);
        CHECK(timer.last >= due);
        // An attribute's matter: others are in time, whatever the parameters say.
        NoWake plain(0);
        due = plain.set(10 * ms, EX_TIMER_UNLIMITED_TOLERANCE);
        sleep_until(due + 30 * ms);
        CHECK(soon_after(plain.last, due));
        // A coalescable timer does not join one that wakes nobody.
        due = timer.set(10 * ms + 1, EX_TIMER_UNLIMITED_TOLERANCE);
        Beat beat;
        beat.set(due - 1, 0, 200);
        CHECK(beat.due() != due);
        KeCancelTimer(&beat.timer);
    }));
}

TEST_CASE("a negative tolerance of an EX_TIMER is bug check 0xC7", "[ke][coalescing]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        PEX_TIMER timer = ExAllocateTimer(nullptr, nullptr, EX_TIMER_NO_WAKE);
        EXT_SET_PARAMETERS parameters;
        ExInitializeSetTimerParameters(&parameters);
        parameters.NoWakeTolerance = -2;
        ExSetTimer(timer, -10, 0, &parameters);
    });
    check_bug_check(stop, TIMER_OR_DPC_INVALID);
}
