// Threaded DPCs, and what the watchdog of DPCs tells.
#include "machines.hpp"

using namespace ke_test;

namespace {

ke::Thread* make_thread_of_fixture(ke::Machine& machine, const ke::ThreadStart& start) {
    auto* thread = machine.allocate<ke::Thread>();
    if (thread == nullptr || !ke::initialize_thread(machine, *thread, start)) return nullptr;
    ke::start_thread(*thread);
    return thread;
}

} // namespace

TEST_CASE("a threaded DPC runs at PASSIVE_LEVEL in a thread of its processor, and may wait", "[ke][dpc][threaded]") {
    KernelFixture kernel({}, shape(3, 2));
    kernel.machine().hooks.make_system_thread = make_thread_of_fixture;
    static std::string order;
    static unsigned where;
    static ke::Thread* thread;
    static KDPC threaded, second;
    static KSPIN_LOCK lock;
    order.clear();
    lock = 0;
    check_finished(kernel.run([] {
        const auto routine = [](PKDPC, PVOID, PVOID argument1, PVOID argument2) {
            CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
            CHECK(argument2 == nullptr);
            order += *static_cast<const char*>(argument1);
            where = ke::current_processor()->number;
            thread = ke::current_thread();
            const KIRQL old = KeAcquireSpinLockForDpc(&lock);
            CHECK(old == PASSIVE_LEVEL);
            CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
            KeReleaseSpinLockForDpc(&lock, old);
            CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
            sleep_us(50);
            order += 'e';
        };
        KeInitializeThreadedDpc(&threaded, routine, nullptr);
        KeInitializeThreadedDpc(&second, routine, nullptr);
        KeSetTargetProcessorDpc(&threaded, 2);
        KeSetTargetProcessorDpc(&second, 2);
        KeSetImportanceDpc(&second, MediumImportance);
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        CHECK(KeInsertQueueDpc(&threaded, const_cast<char*>("a"), nullptr));
        CHECK_FALSE(KeInsertQueueDpc(&threaded, const_cast<char*>("a"), nullptr));
        CHECK(KeInsertQueueDpc(&second, const_cast<char*>("b"), nullptr));
        CHECK(KeRemoveQueueDpc(&second));
        CHECK_FALSE(KeRemoveQueueDpc(&second));
        CHECK(KeInsertQueueDpc(&second, const_cast<char*>("b"), nullptr));
        KeLowerIrql(old);
        KeFlushQueuedDpcs();
        CHECK(order == "aebe");
        CHECK(where == 2);
        CHECK(thread != ke::current_thread());
        CHECK(thread->priority == HIGH_PRIORITY);
    }));
}

TEST_CASE("where there is no thread for it a threaded DPC runs as an ordinary one", "[ke][dpc][threaded]") {
    KernelFixture kernel; // no hook
    static KIRQL level;
    level = 99;
    check_finished(kernel.run([] {
        KDPC dpc;
        KeInitializeThreadedDpc(
            &dpc, [](PKDPC, PVOID, PVOID, PVOID) { level = KeGetCurrentIrql(); }, nullptr);
        KeInsertQueueDpc(&dpc, nullptr, nullptr);
        CHECK(level == DISPATCH_LEVEL);
    }));
}

TEST_CASE("the DPC watchdog tells what is left", "[ke][dpc]") {
    KernelFixture kernel;
    static KDPC_WATCHDOG_INFORMATION at_start, later;
    static NTSTATUS status;
    static ULONG yield_early, yield_late;
    check_finished(kernel.run([] {
        KDPC_WATCHDOG_INFORMATION none;
        CHECK(KeQueryDpcWatchdogInformation(&none) == STATUS_UNSUCCESSFUL);
        KDPC dpc;
        KeInitializeDpc(
            &dpc,
            [](PKDPC, PVOID, PVOID, PVOID) {
                status = KeQueryDpcWatchdogInformation(&at_start);
                yield_early = KeShouldYieldProcessor();
                KeStallExecutionProcessor(3'000'000); // of the budget of five seconds
                KeQueryDpcWatchdogInformation(&later);
                yield_late = KeShouldYieldProcessor();
            },
            nullptr);
        KeInsertQueueDpc(&dpc, nullptr, nullptr);
        CHECK(status == STATUS_SUCCESS);
        CHECK(at_start.DpcTimeLimit == 320);
        CHECK(at_start.DpcTimeCount <= 320);
        CHECK(at_start.DpcTimeCount >= 319);
        CHECK(later.DpcTimeCount == 127);
        CHECK(later.DpcWatchdogCount == 127);
        CHECK(yield_early == 0);
        CHECK(yield_late != 0);
    }));
}
