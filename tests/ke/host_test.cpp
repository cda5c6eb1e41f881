// Machines through the front door: one after another in one Host, and side by side on host threads.
#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <catch.hpp>

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace dirql;

MachineOptions shape(unsigned processors, std::uint64_t seed) {
    MachineOptions options;
    options.processors = processors;
    options.seed = seed;
    options.physical_memory = std::size_t{64} << 20;
    return options;
}

struct Workers {
    KSPIN_LOCK lock = 0;
    volatile LONG running = 0;
    KEVENT over;
    std::vector<ULONG_PTR>* order;

    static void NTAPI routine(PVOID context) {
        auto& self = *static_cast<Workers*>(context);
        for (int i = 0; i < 20; ++i) {
            KIRQL old;
            KeAcquireSpinLock(&self.lock, &old);
            self.order->push_back(KeGetCurrentProcessorNumber());
            KeReleaseSpinLock(&self.lock, old);
            LARGE_INTEGER interval;
            interval.QuadPart = -10;
            KeDelayExecutionThread(KernelMode, FALSE, &interval);
        }
        if (InterlockedDecrement(&self.running) == 0) KeSetEvent(&self.over, 0, FALSE);
        PsTerminateSystemThread(STATUS_SUCCESS);
    }
};

// What a machine does with four threads: on which processors, in which order, at which time, and where its pool lies.
std::vector<ULONG_PTR> fingerprint(Host& host, const MachineOptions& options) {
    std::vector<ULONG_PTR> order;
    order.reserve(200);
    Machine machine(host, options);
    Workers workers;
    workers.order = &order;
    const Outcome outcome = machine.run_in_kernel([&] {
        KeInitializeEvent(&workers.over, NotificationEvent, FALSE);
        void* block = ExAllocatePoolWithTag(NonPagedPoolNx, 100, 0x54534554);
        order.push_back(reinterpret_cast<ULONG_PTR>(block) & 0x3FFFFFFF);
        ExFreePoolWithTag(block, 0x54534554);
        workers.running = 4;
        for (int i = 0; i < 4; ++i) {
            HANDLE thread;
            if (NT_SUCCESS(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, nullptr, nullptr, nullptr, Workers::routine,
                                                &workers)))
                ZwClose(thread);
        }
        KeWaitForSingleObject(&workers.over, Executive, KernelMode, FALSE, nullptr);
    });
    CHECK(outcome.finished());
    order.push_back(static_cast<ULONG_PTR>(machine.now().count()));
    return order;
}

// Two threads that count up together and note what they saw: who ran when is all that makes runs differ.
struct Race {
    volatile LONG counter = 0;
    volatile LONG running = 2;
    KEVENT over;
    std::vector<ULONG_PTR>* seen;

    static void NTAPI racer(PVOID context) {
        auto& self = *static_cast<Race*>(context);
        for (int i = 0; i < 500; ++i) {
            const LONG read = self.counter;
            KeQueryTimeIncrement(); // another may come between
            self.counter = read + 1;
        }
        self.seen->push_back(KeGetCurrentProcessorNumber());
        self.seen->push_back(static_cast<ULONG_PTR>(self.counter));
        if (InterlockedDecrement(&self.running) == 0) KeSetEvent(&self.over, 0, FALSE);
        PsTerminateSystemThread(STATUS_SUCCESS);
    }
};

// What they saw, and the machine's trace.
std::pair<std::vector<ULONG_PTR>, std::string> race(Host& host, MachineOptions options) {
    std::vector<ULONG_PTR> seen;
    seen.reserve(8);
    options.trace = true;
    Machine machine(host, options);
    Race race;
    race.seen = &seen;
    const Outcome outcome = machine.run_in_kernel([&] {
        KeInitializeEvent(&race.over, NotificationEvent, FALSE);
        for (int i = 0; i < 2; ++i) {
            HANDLE thread;
            if (NT_SUCCESS(
                    PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, nullptr, nullptr, nullptr, Race::racer, &race)))
                ZwClose(thread);
        }
        KeWaitForSingleObject(&race.over, Executive, KernelMode, FALSE, nullptr);
    });
    CHECK(outcome.finished());
    return {seen, machine.trace().text()};
}

} // namespace

TEST_CASE("two racing threads: other traces with other seeds, the same with the same", "[ke][host]") {
    Host host;
    for (const unsigned processors : {1u, 4u}) {
        CAPTURE(processors);
        std::set<std::vector<ULONG_PTR>> results;
        std::set<std::string> traces;
        constexpr std::uint64_t seeds = 10;
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            const auto first = race(host, shape(processors, seed));
            REQUIRE(first.first.size() == 4);
            CHECK(race(host, shape(processors, seed)) == first);
            results.insert(first.first);
            traces.insert(first.second);
        }
        CHECK(traces.size() == seeds);
        CHECK(results.size() > seeds / 2);
    }
}

TEST_CASE("threads that are ready at once run at once, each on a processor of its own", "[ke][host]") {
    Host host;
    const auto first = fingerprint(host, shape(4, 11));
    CHECK(std::set<ULONG_PTR>(first.begin() + 1, first.end() - 1) == std::set<ULONG_PTR>{0, 1, 2, 3});
    CHECK(fingerprint(host, shape(4, 12)) != first);
}

TEST_CASE("machines one after another in one Host: the same run each time", "[ke][host]") {
    Host host;
    const auto first = fingerprint(host, shape(4, 11));
    CHECK(first.size() == 82);
    for (int i = 0; i < 20; ++i) CHECK(fingerprint(host, shape(4, 11)) == first);
}

TEST_CASE("a machine that stopped leaves the slot clean for the next", "[ke][host]") {
    Host host;
    const auto first = fingerprint(host, shape(2, 3));
    for (int i = 0; i < 5; ++i) {
        Machine machine(host, shape(2, 3));
        const Outcome outcome = machine.run_in_kernel([] {
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            KeBugCheckEx(0xDEADDEAD, 1, 2, 3, 4);
        });
        CHECK_FALSE(outcome.finished());
    }
    CHECK(fingerprint(host, shape(2, 3)) == first);
}

TEST_CASE("two machines on two host threads do not disturb each other", "[ke][host][threads]") {
    Host host;
    const auto expected_a = fingerprint(host, shape(3, 5));
    const auto expected_b = fingerprint(host, shape(8, 6));
    int wrong_a = 0, wrong_b = 0;
    const auto repeat = [&host](const MachineOptions& options, const std::vector<ULONG_PTR>& expected, int& wrong) {
        return [&host, &expected, &wrong, options] {
            for (int i = 0; i < 15; ++i) wrong += fingerprint(host, options) != expected;
        };
    };
    std::thread a(repeat(shape(3, 5), expected_a, wrong_a));
    std::thread b(repeat(shape(8, 6), expected_b, wrong_b));
    a.join();
    b.join();
    CHECK(wrong_a == 0);
    CHECK(wrong_b == 0);
}

namespace {

// Writes to freed pool of every size. Nobody sees it before a block is taken again.
void ruin_freed_pool() {
    constexpr ULONG tag = 0x54534554;
    constexpr unsigned blocks = 240;
    UCHAR* block[blocks];
    for (unsigned i = 0; i < blocks; ++i)
        block[i] = static_cast<UCHAR*>(ExAllocatePoolWithTag(NonPagedPoolNx, 16 * (i + 1), tag));
    for (UCHAR* each : block) ExFreePoolWithTag(each, tag);
    for (UCHAR* each : block) *each = 0;
}

} // namespace

TEST_CASE("what a driver ruined is an outcome also where the kernel finds it between two runs", "[ke][host]") {
    Host host;
    const auto first = fingerprint(host, shape(2, 3));
    {
        Machine machine(host, shape(2, 3));
        CHECK(machine.run_in_kernel(ruin_freed_pool).finished());
        bool ran = false;
        for (int i = 0; i < 2; ++i) {
            const Outcome outcome = machine.run([&](Process&) { ran = true; });
            INFO(outcome.report);
            CHECK(outcome.is_bug_check(DRIVER_CAUGHT_MODIFYING_FREED_POOL));
            CHECK_FALSE(ran);
        }
        CHECK(machine.load("late", nullptr).error().code == ErrorCode::stopped);
    }
    CHECK(fingerprint(host, shape(2, 3)) == first);
}
