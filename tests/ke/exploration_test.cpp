// Every schedule with a bounded number of preemptions: the script that enumerates, and what it finds.
#include "machines.hpp"

#include "ke/exploration.hpp"

#include <array>
#include <map>
#include <set>

using namespace ke_test;

namespace {

// How many runs a scenario has that asks the script so.
template <class Scenario> unsigned count_runs(unsigned max_preemptions, Scenario&& scenario) {
    ke::ChoiceScript script(max_preemptions);
    unsigned runs = 0;
    do {
        script.rewind();
        scenario(script);
        ++runs;
    } while (script.next() && runs < 100'000);
    CHECK_FALSE(script.diverged());
    CHECK_FALSE(script.overflowed());
    return runs;
}

// Runs the scenario under each schedule; its outcomes, with how often each came.
template <class Scenario>
std::map<std::string, unsigned> outcomes(unsigned max_preemptions, unsigned processors, Scenario&& scenario) {
    std::map<std::string, unsigned> found;
    count_runs(max_preemptions, [&](ke::ChoiceScript& script) {
        ke::MachineOptions options;
        options.processors = processors;
        options.physical_memory = std::size_t{16} << 20;
        KernelFixture kernel({}, options);
        ++found[scenario(kernel, script)];
    });
    return found;
}

std::set<std::string> names(const std::map<std::string, unsigned>& found) {
    std::set<std::string> all;
    for (const auto& [name, count] : found) all.insert(name);
    return all;
}

// The threads begin the race together: none goes on before all are there.
class Start {
public:
    explicit Start(ke::ChoiceScript& script, unsigned threads) : script_(script), missing_(threads) {
        KeInitializeEvent(&all_there_, NotificationEvent, FALSE);
    }
    void operator()() {
        if (--missing_ != 0) {
            KeWaitForSingleObject(&all_there_, Executive, KernelMode, FALSE, nullptr);
            return;
        }
        ke::begin_exploring(script_);
        KeSetEvent(&all_there_, 0, FALSE);
    }

private:
    ke::ChoiceScript& script_;
    KEVENT all_there_;
    unsigned missing_;
};

// Two threads add one to a number that they read and write with a door between.
std::string lost_update(KernelFixture& kernel, ke::ChoiceScript& script) {
    Start start(script, 2);
    int number = 0;
    const auto add = [&] {
        start();
        const int read = number;
        (void)KeQueryTimeIncrement();
        number = read + 1;
        (void)KeQueryTimeIncrement();
    };
    if (kernel.run({add, add}).kind != ke::StopKind::none) return "stopped";
    return std::to_string(number);
}

} // namespace

TEST_CASE("a script tries each sequence of choices with at most so many preemptions", "[ke][explore]") {
    using enum ke::ChoiceKind;
    const auto ten_points = [](ke::ChoiceScript& script) {
        for (int i = 0; i < 10; ++i) (void)script.pick(preemption, 2);
    };
    CHECK(count_runs(0, ten_points) == 1);
    CHECK(count_runs(1, ten_points) == 1 + 10);
    CHECK(count_runs(2, ten_points) == 1 + 10 + 45);
    CHECK(count_runs(3, ten_points) == 1 + 10 + 45 + 120);
    CHECK(count_runs(10, ten_points) == 1024);
    // Three ways to preempt at each point.
    CHECK(count_runs(2, [](ke::ChoiceScript& script) {
              for (int i = 0; i < 4; ++i) (void)script.pick(preemption, 4);
          }) == 1 + 4 * 3 + 6 * 9);
    // Choices that are due anyway cost nothing.
    CHECK(count_runs(0, [](ke::ChoiceScript& script) {
              for (int i = 0; i < 3; ++i) (void)script.pick(thread, 3);
          }) == 27);
    // What is asked may depend on what was answered.
    std::set<std::array<std::uint32_t, 2>> seen;
    CHECK(count_runs(1, [&](ke::ChoiceScript& script) {
              const std::uint32_t first = script.pick(preemption, 2);
              const std::uint32_t second = first != 0 ? script.pick(processor, 3) : script.pick(preemption, 2);
              seen.insert({first, second});
          }) == 5);
    CHECK(seen.size() == 5);
}

TEST_CASE("a script notices a scenario that is no function of its choices", "[ke][explore]") {
    ke::ChoiceScript script(1);
    std::uint32_t bound = 2;
    script.rewind();
    (void)script.pick(ke::ChoiceKind::preemption, bound);
    REQUIRE(script.next());
    script.rewind();
    (void)script.pick(ke::ChoiceKind::preemption, ++bound);
    CHECK(script.diverged());
}

TEST_CASE("a lost update needs one preemption, and is found with one", "[ke][explore]") {
    for (const unsigned processors : {1u, 2u}) {
        CAPTURE(processors);
        if (processors == 1) CHECK(names(outcomes(0, processors, lost_update)) == std::set<std::string>{"2"});
        CHECK(names(outcomes(1, processors, lost_update)) == std::set<std::string>{"1", "2"});
        CHECK(names(outcomes(2, processors, lost_update)) == std::set<std::string>{"1", "2"});
    }
}

TEST_CASE("under a lock there is no schedule that loses an update", "[ke][explore]") {
    for (const unsigned processors : {1u, 2u}) {
        const auto found = outcomes(2, processors, [](KernelFixture& kernel, ke::ChoiceScript& script) {
            Start start(script, 2);
            KSPIN_LOCK lock = 0;
            int number = 0;
            const auto add = [&] {
                start();
                KIRQL old;
                KeAcquireSpinLock(&lock, &old);
                const int read = number;
                (void)KeQueryTimeIncrement();
                number = read + 1;
                KeReleaseSpinLock(&lock, old);
            };
            if (kernel.run({add, add}).kind != ke::StopKind::none) return std::string("stopped");
            return std::to_string(number);
        });
        CAPTURE(processors);
        CHECK(names(found) == std::set<std::string>{"2"});
        CHECK(found.at("2") > 4); // and there were schedules to tell apart
    }
}

TEST_CASE("two mutexes taken in two orders: the deadlock is found, and reported as a stall", "[ke][explore]") {
    const auto found = outcomes(1, 1, [](KernelFixture& kernel, ke::ChoiceScript& script) {
        Start start(script, 2);
        KMUTEX a;
        KMUTEX b;
        KeInitializeMutex(&a, 0);
        KeInitializeMutex(&b, 0);
        const auto take = [&](KMUTEX& first, KMUTEX& second) {
            start();
            KeWaitForSingleObject(&first, Executive, KernelMode, FALSE, nullptr);
            KeWaitForSingleObject(&second, Executive, KernelMode, FALSE, nullptr);
            KeReleaseMutex(&second, FALSE);
            KeReleaseMutex(&first, FALSE);
        };
        const ke::Stop stop = kernel.run({[&] { take(a, b); }, [&] { take(b, a); }});
        return std::string(stop.kind == ke::StopKind::stall ? "stall" : "ended");
    });
    CHECK(names(found) == std::set<std::string>{"ended", "stall"});
}

TEST_CASE("a timer may be due at any point: before its cancellation, after, or between", "[ke][explore]") {
    for (const unsigned processors : {1u, 2u}) {
        const auto found = outcomes(2, processors, [](KernelFixture& kernel, ke::ChoiceScript& script) {
            std::string what;
            KTIMER timer;
            KDPC dpc;
            KeInitializeTimer(&timer);
            KeInitializeDpc(
                &dpc, [](PKDPC, PVOID text, PVOID, PVOID) { *static_cast<std::string*>(text) += "fired "; }, &what);
            what.reserve(64);
            const ke::Stop stop = kernel.run([&] {
                LARGE_INTEGER due;
                due.QuadPart = -1'000'000'000; // more than any budget of work: the leap is none
                KeSetTimer(&timer, due, &dpc);
                ke::begin_exploring(script);
                (void)KeQueryTimeIncrement();
                const bool cancelled = KeCancelTimer(&timer) != FALSE;
                ke::end_exploring();
                KeFlushQueuedDpcs();
                what += cancelled ? "cancelled" : "too late";
            });
            return stop.kind == ke::StopKind::none ? what : "stopped";
        });
        CAPTURE(processors);
        CHECK(names(found) == std::set<std::string>{"cancelled", "fired too late"});
    }
}

TEST_CASE("who polls for another makes room for it in the end", "[ke][explore]") {
    for (const unsigned processors : {1u, 2u}) {
        const auto found = outcomes(1, processors, [](KernelFixture& kernel, ke::ChoiceScript& script) {
            volatile bool done = false;
            const auto poll = [&] {
                ke::begin_exploring(script);
                while (!done) (void)KeQueryTimeIncrement();
            };
            const ke::Stop stop = kernel.run({poll, [&] { done = true; }});
            return std::string(stop.kind == ke::StopKind::none ? "done" : "stopped");
        });
        CAPTURE(processors);
        CHECK(names(found) == std::set<std::string>{"done"});
    }
}
