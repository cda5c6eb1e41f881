// Machines through the front door: one after another in one Host, and side by side on host threads.
#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <catch.hpp>

#include <thread>
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

} // namespace

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
