// Deferred procedure calls: order, targets, importance, and what they may not do.
#include "machines.hpp"

using namespace ke_test;

namespace {

struct Call : KDPC {
    std::string* order;
    char name;
    ULONG processor = 99;
    PVOID argument1 = nullptr, argument2 = nullptr;
    int runs = 0;
    Call(std::string& text, char letter) : order(&text), name(letter) { KeInitializeDpc(this, run, this); }
    static void NTAPI run(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2) {
        auto& self = *static_cast<Call*>(context);
        REQUIRE(dpc == &self);
        REQUIRE(KeGetCurrentIrql() == DISPATCH_LEVEL);
        self.processor = KeGetCurrentProcessorNumber();
        self.argument1 = argument1;
        self.argument2 = argument2;
        ++self.runs;
        *self.order += self.name;
    }
    BOOLEAN queue() { return KeInsertQueueDpc(this, this, order); }
};

} // namespace

TEST_CASE("a DPC queued at PASSIVE_LEVEL runs before the call returns, with its arguments", "[ke][dpc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        std::string order;
        Call call(order, 'a');
        check_finished(kernel.run([&] {
            CHECK(call.queue());
            CHECK(order == "a");
            CHECK(call.argument1 == &call);
            CHECK(call.argument2 == &order);
            CHECK(call.queue());
            CHECK(order == "aa");
        }));
    });
}

TEST_CASE("queued DPCs run in order, those of high importance first, each once", "[ke][dpc]") {
    KernelFixture kernel;
    std::string order;
    Call a(order, 'a'), b(order, 'b'), low(order, 'l'), high(order, 'h');
    check_finished(kernel.run([&] {
        KeSetImportanceDpc(&high, HighImportance);
        KeSetImportanceDpc(&low, LowImportance);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        CHECK(low.queue());
        CHECK(a.queue());
        CHECK(b.queue());
        CHECK(high.queue());
        CHECK_FALSE(a.queue());
        CHECK_FALSE(high.queue());
        KeLowerIrql(old);
        CHECK(order == "hlab");
    }));
}

TEST_CASE("a DPC is taken from the queue, from every place in it", "[ke][dpc]") {
    KernelFixture kernel;
    std::string order;
    Call calls[] = {{order, 'a'}, {order, 'b'}, {order, 'c'}, {order, 'd'}};
    check_finished(kernel.run([&] {
        CHECK_FALSE(KeRemoveQueueDpc(&calls[0]));
        for (const std::string removed : {"a", "d", "bc", "abcd", "ad"}) {
            order.clear();
            const KIRQL old = KeRaiseIrqlToDpcLevel();
            for (Call& call : calls) CHECK(call.queue());
            for (const char name : removed) CHECK(KeRemoveQueueDpc(&calls[name - 'a']));
            KeLowerIrql(old);
            std::string expected;
            for (const char name : std::string("abcd")) {
                if (removed.find(name) == std::string::npos) expected += name;
            }
            CHECK(order == expected);
        }
    }));
}

TEST_CASE("a DPC runs on its target processor", "[ke][dpc]") {
    for (const bool busy : {false, true}) {
        for (const KDPC_IMPORTANCE importance :
             {LowImportance, MediumImportance, MediumHighImportance, HighImportance}) {
            KernelFixture kernel({}, shape(4, 2));
            std::string order;
            Call call(order, 'x');
            bool over = false;
            Bodies bodies;
            for (unsigned number = 0; number < 4 && busy; ++number) {
                bodies.push_back([&, number] {
                    stay_on(number);
                    while (!over) work(10);
                });
            }
            bodies.push_back([&] {
                KeSetImportanceDpc(&call, importance);
                for (CCHAR target = 3; target >= 0; --target) {
                    KeSetTargetProcessorDpc(&call, target);
                    CHECK(call.queue());
                    for (int i = 0; i < 100000 && call.processor != static_cast<ULONG>(target); ++i) YieldProcessor();
                    CHECK(call.processor == static_cast<ULONG>(target));
                }
                over = true;
            });
            INFO("busy " << busy << ", importance " << importance);
            check_finished(kernel.run(bodies));
        }
    }
}

TEST_CASE("a DPC of low importance waits for the end of a turn", "[ke][dpc]") {
    KernelFixture kernel;
    std::string order;
    Call call(order, 'l');
    Call more[] = {{order, '1'}, {order, '2'}, {order, '3'}, {order, '4'}, {order, '5'}};
    check_finished(kernel.run([&] {
        KeSetImportanceDpc(&call, LowImportance);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        call.queue();
        KeLowerIrql(old);
        CHECK(order.empty());
        for (int i = 0; i < 10000 && order.empty(); ++i) work(1);
        CHECK(order == "l");
        order.clear();
        for (Call& one : more) {
            KeSetImportanceDpc(&one, LowImportance);
            one.queue();
        }
        CHECK(order == "12345"); // a long queue is processed at once
    }));
}

TEST_CASE("KeFlushQueuedDpcs returns when all have run, on all processors", "[ke][dpc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        std::string order;
        std::vector<Call> calls(options.processors, Call(order, 'x'));
        check_finished(kernel.run([&] {
            for (unsigned number = 0; number < options.processors; ++number) {
                KeInitializeDpc(&calls[number], Call::run, &calls[number]);
                KeSetTargetProcessorDpc(&calls[number], static_cast<CCHAR>(number));
                KeSetImportanceDpc(&calls[number], number % 2 == 0 ? LowImportance : MediumImportance);
                calls[number].queue();
            }
            KeFlushQueuedDpcs();
            CHECK(order.size() == options.processors);
        }));
    });
}

TEST_CASE("a thread that spins for what a DPC, a timer or another processor does goes on", "[ke][dpc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        struct Flag {
            KDPC dpc;
            KTIMER timer;
            volatile int value = 0;
            static void NTAPI raise(PKDPC, PVOID context, PVOID, PVOID) { static_cast<Flag*>(context)->value = 1; }
        } by_timer, by_target;
        volatile int by_thread = 0;
        check_finished(kernel.run({[&] {
                                       KeInitializeDpc(&by_timer.dpc, Flag::raise, &by_timer);
                                       KeInitializeTimer(&by_timer.timer);
                                       KeSetTimer(&by_timer.timer, relative_us(500), &by_timer.dpc);
                                       while (by_timer.value == 0) work(1);
                                       while (by_thread == 0) work(1); // equal priority, perhaps on one processor
                                       while (by_target.value == 0) work(1);
                                   },
                                   [&] {
                                       KeInitializeDpc(&by_target.dpc, Flag::raise, &by_target);
                                       KeSetTargetProcessorDpc(&by_target.dpc,
                                                               static_cast<CCHAR>(options.processors - 1));
                                       KeInsertQueueDpc(&by_target.dpc, nullptr, nullptr);
                                       work(300);
                                       by_thread = 1;
                                   }}));
    });
}

TEST_CASE("a processor that spins gets the DPC that another queued to it, though all others sleep", "[ke][dpc]") {
    KernelFixture kernel({}, shape(2, 6));
    std::string order;
    Call call(order, 'x');
    KeSetTargetProcessorDpc(&call, 0);
    KeSetImportanceDpc(&call, GENERATE(MediumImportance, HighImportance));
    check_finished(kernel.run({[&] {
                                   stay_on(0);
                                   for (int i = 0; i < 1'000'000 && call.runs == 0; ++i) work(1);
                                   CHECK(call.processor == 0);
                               },
                               [&] {
                                   stay_on(1);
                                   sleep_us(200);
                                   call.queue();
                               }}));
}

TEST_CASE("a DPC that spins for a timer gets it from another processor", "[ke][dpc]") {
    KernelFixture kernel({}, shape(2, 6));
    struct Pair {
        KDPC spinner, ringer;
        KTIMER timer;
        volatile int rung = 0;
    } pair;
    KeInitializeDpc(
        &pair.spinner,
        [](PKDPC, PVOID context, PVOID, PVOID) {
            while (static_cast<Pair*>(context)->rung == 0) work(1);
        },
        &pair);
    KeInitializeDpc(
        &pair.ringer, [](PKDPC, PVOID context, PVOID, PVOID) { static_cast<Pair*>(context)->rung = 1; }, &pair);
    check_finished(kernel.run([&] {
        KeInitializeTimer(&pair.timer);
        KeSetTimer(&pair.timer, relative_us(300), &pair.ringer);
        KeInsertQueueDpc(&pair.spinner, nullptr, nullptr);
        CHECK(pair.rung == 1);
    }));
}

TEST_CASE("DPCs without end use up their allotment: bug check 0x133", "[ke][dpc]") {
    static KDPC dpc;
    const bool loops = GENERATE(true, false);
    ke::MachineOptions options = shape(GENERATE(1u, 2u));
    options.callout_budget = 20'000'000;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        if (loops) {
            KeInitializeDpc(
                &dpc,
                [](PKDPC, PVOID, PVOID, PVOID) {
                    for (;;) work(1);
                },
                nullptr);
        } else {
            KeInitializeDpc(
                &dpc, [](PKDPC self, PVOID, PVOID, PVOID) { KeInsertQueueDpc(self, nullptr, nullptr); }, nullptr);
        }
        KeInsertQueueDpc(&dpc, nullptr, nullptr);
    });
    check_bug_check(stop, DPC_WATCHDOG_VIOLATION);
}

TEST_CASE("a DPC that lowers the level and lets a thread in is bug check 0xB8", "[ke][dpc]") {
    KernelFixture kernel;
    static KDPC dpc;
    Event go;
    const ke::Stop stop = kernel.run({[&] {
                                          become(12);
                                          wait(&go);
                                      },
                                      [&] {
                                          sleep_us(100);
                                          KeInitializeDpc(
                                              &dpc,
                                              [](PKDPC, PVOID event, PVOID, PVOID) {
                                                  KeSetEvent(static_cast<PKEVENT>(event), 0, FALSE);
                                                  KeLowerIrql(PASSIVE_LEVEL);
                                              },
                                              &go);
                                          KeInsertQueueDpc(&dpc, nullptr, nullptr);
                                      }});
    check_bug_check(stop, ATTEMPTED_SWITCH_FROM_DPC);
}
