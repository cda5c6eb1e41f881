// Spin locks: exclusion and progress with any number of processors, and misuse.
#include "machines.hpp"

using namespace ke_test;

namespace {

// A counter that a lock must guard: preempted between every two steps.
struct Guarded {
    KSPIN_LOCK lock = 0;
    int inside = 0;
    int total = 0;
    void enter() {
        REQUIRE(++inside == 1);
        const int before = total;
        work(7);
        total = before + 1;
        work(3);
        --inside;
    }
};

void contend(Guarded& guarded, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        KIRQL old;
        KeAcquireSpinLock(&guarded.lock, &old);
        REQUIRE(old == PASSIVE_LEVEL);
        REQUIRE(KeGetCurrentIrql() == DISPATCH_LEVEL);
        guarded.enter();
        KeReleaseSpinLock(&guarded.lock, old);
        work(1);
    }
}

} // namespace

TEST_CASE("one processor at a time holds a spin lock, and all get it", "[ke][spin_lock]") {
    for (const unsigned processors : {1u, 2u, 8u, 64u}) {
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
            INFO("processors " << processors << ", seed " << seed);
            KernelFixture kernel({}, shape(processors, seed));
            Guarded guarded;
            Bodies bodies;
            for (unsigned number = 0; number < processors; ++number) {
                bodies.push_back([&, number] {
                    stay_on(number);
                    contend(guarded, 20);
                });
            }
            check_finished(kernel.run(bodies));
            CHECK(guarded.total == static_cast<int>(20 * processors));
            CHECK(guarded.lock == 0);
        }
    }
}

TEST_CASE("threads and DPCs share a lock", "[ke][spin_lock]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Guarded guarded;
        static KDPC dpcs[8];
        Bodies bodies;
        for (unsigned number = 0; number < options.processors; ++number) {
            bodies.push_back([&, number] {
                KeInitializeDpc(
                    &dpcs[number],
                    [](PKDPC, PVOID context, PVOID, PVOID) {
                        auto& shared = *static_cast<Guarded*>(context);
                        KeAcquireSpinLockAtDpcLevel(&shared.lock);
                        shared.enter();
                        KeReleaseSpinLockFromDpcLevel(&shared.lock);
                    },
                    &guarded);
                KeSetImportanceDpc(&dpcs[number], HighImportance);
                KeSetTargetProcessorDpc(&dpcs[number], static_cast<CCHAR>((number + 1) % options.processors));
                for (int i = 0; i < 10; ++i) {
                    KeInsertQueueDpc(&dpcs[number], nullptr, nullptr);
                    contend(guarded, 1);
                }
            });
        }
        bodies.push_back([&] {
            sleep_us(1000);
            KeFlushQueuedDpcs();
        });
        check_finished(kernel.run(bodies));
        CHECK(guarded.total >= static_cast<int>(11 * options.processors));
        CHECK(guarded.lock == 0);
    });
}

TEST_CASE("trying takes a free lock and leaves a held one", "[ke][spin_lock]") {
    KernelFixture kernel({}, shape(2, 1));
    KSPIN_LOCK lock = 0;
    volatile bool held = false, tried = false;
    check_finished(kernel.run({[&] {
                                   stay_on(0);
                                   KIRQL old;
                                   KeAcquireSpinLock(&lock, &old);
                                   CHECK_FALSE(KeTestSpinLock(&lock));
                                   held = true;
                                   while (!tried) work(1);
                                   KeReleaseSpinLock(&lock, old);
                               },
                               [&] {
                                   stay_on(1);
                                   while (!held) work(1);
                                   CHECK_FALSE(KeTestSpinLock(&lock)); // at PASSIVE_LEVEL: what it is for
                                   const KIRQL old = KeRaiseIrqlToDpcLevel();
                                   CHECK_FALSE(KeTryToAcquireSpinLockAtDpcLevel(&lock));
                                   tried = true;
                                   while (!KeTryToAcquireSpinLockAtDpcLevel(&lock)) YieldProcessor();
                                   CHECK_FALSE(KeTestSpinLock(&lock));
                                   KeReleaseSpinLockFromDpcLevel(&lock);
                                   CHECK(KeTestSpinLock(&lock));
                                   KeLowerIrql(old);
                               }}));
}

TEST_CASE("locks nest, and are released in any order", "[ke][spin_lock]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KSPIN_LOCK locks[40] = {}; // more than a processor keeps account of
        KIRQL old;
        KeAcquireSpinLock(&locks[0], &old);
        for (int i = 1; i < 40; ++i) KeAcquireSpinLockAtDpcLevel(&locks[i]);
        for (int i = 1; i < 40; ++i) KeReleaseSpinLockFromDpcLevel(&locks[i]);
        KeReleaseSpinLock(&locks[0], old);
        CHECK(ke::current_processor()->held.count == 0);
    }));
}

TEST_CASE("the locks of threaded DPCs raise when they must, and lower what they have raised", "[ke][spin_lock]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KSPIN_LOCK lock = 0;
        for (const KIRQL level : {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL}) {
            KIRQL before;
            KeRaiseIrql(level, &before);
            const KIRQL old = KeAcquireSpinLockForDpc(&lock);
            CHECK(old == level);
            CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
            CHECK_FALSE(KeTestSpinLock(&lock));
            KeReleaseSpinLockForDpc(&lock, old);
            CHECK(KeTestSpinLock(&lock));
            CHECK(KeGetCurrentIrql() == level);
            KeLowerIrql(before);
        }
    }));
}

TEST_CASE("spin locks at a wrong IRQL have codes of their own, with the lock", "[ke][spin_lock]") {
    KernelFixture kernel;
    static KSPIN_LOCK lock;
    lock = 0;
    const auto check = [&](std::uint32_t code, KIRQL irql, const ke::Stop& stop) {
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, code);
        CHECK(stop.parameters[1] == irql);
        CHECK(stop.parameters[2] == ke::parameter(&lock));
    };
    SECTION("released elsewhere than at DISPATCH_LEVEL") {
        check(0x32, PASSIVE_LEVEL, kernel.run([] { KeReleaseSpinLock(&lock, PASSIVE_LEVEL); }));
    }
    SECTION("acquired as at DISPATCH_LEVEL, below it") {
        check(0x40, PASSIVE_LEVEL, kernel.run([] { KeAcquireSpinLockAtDpcLevel(&lock); }));
    }
    SECTION("released as at DISPATCH_LEVEL, below it") {
        check(0x41, APC_LEVEL, kernel.run([] {
            KIRQL old;
            KeRaiseIrql(APC_LEVEL, &old);
            KeReleaseSpinLockFromDpcLevel(&lock);
        }));
    }
    SECTION("acquired above DISPATCH_LEVEL") {
        check(0x42, HIGH_LEVEL, kernel.run([] {
            KIRQL old;
            KeRaiseIrql(HIGH_LEVEL, &old);
            KeAcquireSpinLock(&lock, &old);
        }));
    }
}

TEST_CASE("misuse of spin locks", "[ke][spin_lock]") {
    KernelFixture kernel({}, shape(2));
    static KSPIN_LOCK lock;
    lock = 0;
    SECTION("acquired twice by one processor") {
        const ke::Stop stop = kernel.run([] {
            KIRQL old;
            KeAcquireSpinLock(&lock, &old);
            KeAcquireSpinLock(&lock, &old);
        });
        check_bug_check(stop, SPIN_LOCK_ALREADY_OWNED, ke::parameter(&lock));
    }
    SECTION("released, but not held") {
        const ke::Stop stop = kernel.run([] {
            KeRaiseIrqlToDpcLevel();
            KeReleaseSpinLock(&lock, PASSIVE_LEVEL);
        });
        check_bug_check(stop, SPIN_LOCK_NOT_OWNED, ke::parameter(&lock));
    }
    SECTION("released by another processor") {
        volatile bool held = false;
        const ke::Stop stop = kernel.run({[&] {
                                              stay_on(0);
                                              KIRQL old;
                                              KeAcquireSpinLock(&lock, &old);
                                              held = true;
                                              for (;;) work(1);
                                          },
                                          [&] {
                                              stay_on(1);
                                              while (!held) work(1);
                                              KeRaiseIrqlToDpcLevel();
                                              KeReleaseSpinLock(&lock, PASSIVE_LEVEL);
                                          }});
        check_bug_check(stop, SPIN_LOCK_NOT_OWNED, ke::parameter(&lock));
        CHECK(stop.processor == 1);
    }
    SECTION("a deadlock of two locks in two orders uses up the allotment") {
        static KSPIN_LOCK other;
        other = 0;
        const auto cross = [](unsigned processor, KSPIN_LOCK* first, KSPIN_LOCK* second) {
            return [=] {
                stay_on(processor);
                KIRQL old;
                KeAcquireSpinLock(first, &old);
                work(10'000);
                KeAcquireSpinLockAtDpcLevel(second);
            };
        };
        kernel.machine().options.callout_budget = 20'000'000;
        check_bug_check(kernel.run({cross(0, &lock, &other), cross(1, &other, &lock)}), DPC_WATCHDOG_VIOLATION);
    }
}
