// IRQL: per processor, raising and lowering, and what lowering delivers in which order.
#include "machines.hpp"

#include "ke/apc.hpp"
#include "ke/dpc.hpp"
#include "ke/irql.hpp"

using namespace ke_test;

namespace {

struct Trace {
    std::string text;
    KDPC dpc;
    KAPC apc;
};

void NTAPI note_dpc(PKDPC, PVOID context, PVOID, PVOID) {
    auto& trace = *static_cast<Trace*>(context);
    trace.text += KeGetCurrentIrql() == DISPATCH_LEVEL ? "dpc " : "dpc at wrong level ";
}

void NTAPI note_apc(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID* argument, PVOID*) {
    (void)apc;
    auto& trace = *static_cast<Trace*>(*argument);
    trace.text += KeGetCurrentIrql() == APC_LEVEL ? "apc " : "apc at wrong level ";
}

} // namespace

TEST_CASE("raising returns the old level, lowering restores it", "[ke][irql]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        KIRQL old;
        KeRaiseIrql(APC_LEVEL, &old);
        CHECK(old == PASSIVE_LEVEL);
        CHECK(KeRaiseIrqlToDpcLevel() == APC_LEVEL);
        KIRQL dispatch;
        KeRaiseIrql(HIGH_LEVEL, &dispatch);
        CHECK(dispatch == DISPATCH_LEVEL);
        CHECK(KeGetCurrentIrql() == HIGH_LEVEL);
        KeLowerIrql(dispatch);
        CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
        KeLowerIrql(old);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        KeRaiseIrql(PASSIVE_LEVEL, &old); // to the same level: allowed
        KeLowerIrql(PASSIVE_LEVEL);
    }));
}

TEST_CASE("raising downwards and lowering upwards are bug checks", "[ke][irql]") {
    SECTION("raise to a lower level") {
        KernelFixture kernel;
        const ke::Stop stop = kernel.run([] {
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            KeRaiseIrql(APC_LEVEL, &old);
        });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x30);
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == APC_LEVEL);
    }
    SECTION("lower to a higher level") {
        KernelFixture kernel;
        const ke::Stop stop = kernel.run([] { KeLowerIrql(APC_LEVEL); });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31);
        CHECK(stop.parameters[1] == PASSIVE_LEVEL);
        CHECK(stop.parameters[2] == APC_LEVEL);
    }
}

TEST_CASE("requests wait while the level is raised; then DPC, thread of higher priority, APC", "[ke][irql]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        auto trace = std::make_unique<Trace>();
        Event go;
        check_finished(kernel.run({[&] {
                                       stay_on(0);
                                       become(14);
                                       wait(&go);
                                       trace->text += "thread ";
                                   },
                                   [&] {
                                       stay_on(0);
                                       sleep_us(100);
                                       KeInitializeDpc(&trace->dpc, note_dpc, trace.get());
                                       ke::initialize_apc(trace->apc, *ke::current_thread(), note_apc, nullptr, nullptr,
                                                          KernelMode, nullptr);
                                       KIRQL old;
                                       KeRaiseIrql(DISPATCH_LEVEL, &old);
                                       ke::insert_apc(trace->apc, trace.get(), nullptr, 0);
                                       go.set();
                                       KeInsertQueueDpc(&trace->dpc, nullptr, nullptr);
                                       work(1000);
                                       CHECK(trace->text.empty());
                                       KeLowerIrql(old);
                                       trace->text += "back";
                                   }}));
        CHECK(trace->text == "dpc thread apc back");
    });
}

TEST_CASE("at APC_LEVEL DPCs run and APCs wait", "[ke][irql]") {
    KernelFixture kernel;
    auto trace = std::make_unique<Trace>();
    check_finished(kernel.run([&] {
        KeInitializeDpc(&trace->dpc, note_dpc, trace.get());
        ke::initialize_apc(trace->apc, *ke::current_thread(), note_apc, nullptr, nullptr, KernelMode, nullptr);
        KIRQL old;
        KeRaiseIrql(APC_LEVEL, &old);
        ke::insert_apc(trace->apc, trace.get(), nullptr, 0);
        KeInsertQueueDpc(&trace->dpc, nullptr, nullptr);
        CHECK(trace->text == "dpc ");
        KeLowerIrql(old);
        CHECK(trace->text == "dpc apc ");
    }));
}

TEST_CASE("each processor has its own level", "[ke][irql]") {
    KernelFixture kernel({}, shape(4, 3));
    unsigned raised = 0;
    Bodies bodies;
    for (unsigned number = 0; number < 4; ++number) {
        bodies.push_back([&, number] {
            stay_on(number);
            KIRQL old;
            KeRaiseIrql(static_cast<KIRQL>(number), &old);
            ++raised;
            for (int i = 0; i < 10000 && raised != 4; ++i) work(1);
            for (int i = 0; i < 100; ++i) {
                work(10);
                REQUIRE(KeGetCurrentIrql() == number);
                REQUIRE(KeGetCurrentProcessorNumber() == number);
            }
            KeLowerIrql(old);
        });
    }
    check_finished(kernel.run(bodies));
    CHECK(raised == 4);
}

TEST_CASE("an export below or above its levels is a bug check that names it", "[ke][irql]") {
    SECTION("too high") {
        KernelFixture kernel;
        const ke::Stop stop = kernel.run([] {
            KIRQL old;
            KeRaiseIrql(HIGH_LEVEL, &old);
            KEVENT event;
            KeInitializeEvent(&event, NotificationEvent, FALSE);
            KeSetEvent(&event, 0, FALSE);
        });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(std::string(stop.text) == "KeSetEvent");
    }
    SECTION("too low") {
        KernelFixture kernel;
        KSPIN_LOCK lock = 0;
        const ke::Stop stop = kernel.run([&] { KeAcquireSpinLockAtDpcLevel(&lock); });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION);
        CHECK(std::string(stop.text) == "KeAcquireSpinLockAtDpcLevel");
    }
}
