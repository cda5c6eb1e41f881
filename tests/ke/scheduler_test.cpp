// Who runs: priorities, preemption, turns, boosts and their fall, affinity.
#include "machines.hpp"

#include <memory>

using namespace ke_test;

namespace {

// Stays on processor 0, which the others then share with it.
void share_processor() { stay_on(0); }

// Runs until the flag is set, at most `most` blocks; tells whether it was.
bool spin_for(const volatile bool& flag, unsigned most = 2'000'000) {
    while (!flag && most-- != 0) work(1);
    return flag;
}

} // namespace

TEST_CASE("a thread of higher priority runs as soon as it is released", "[ke][scheduler]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Event go(SynchronizationEvent);
        std::string order;
        check_finished(kernel.run({[&] {
                                       share_processor();
                                       become(9);
                                       wait(&go);
                                       order += "high ";
                                   },
                                   [&] {
                                       share_processor();
                                       sleep_us(100);
                                       go.set();
                                       order += "low";
                                   }}));
        CHECK(order == "high low");
    });
}

TEST_CASE("one of equal or lower priority does not", "[ke][scheduler]") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        KernelFixture kernel({}, shape(1, seed));
        Event go;
        std::string order;
        check_finished(kernel.run({[&] {
                                       wait(&go);
                                       order += "equal";
                                   },
                                   [&] {
                                       become(7);
                                       wait(&go);
                                       order += " low";
                                   },
                                   [&] {
                                       sleep_us(100);
                                       go.set();
                                       order += "self ";
                                   }}));
        CHECK(order == "self equal low");
    }
}

TEST_CASE("threads become ready by priority, whatever the seed", "[ke][scheduler]") {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        KernelFixture kernel({}, shape(1, seed));
        Event go;
        std::vector<int> order;
        Bodies bodies;
        for (const int priority : {3, 17, 9, 1, 31, 12}) {
            bodies.push_back([&, priority] {
                become(priority);
                wait(&go);
                order.push_back(priority);
                work(5000);
            });
        }
        bodies.push_back([&] {
            become(2);
            sleep_us(1000);
            const KIRQL old = KeRaiseIrqlToDpcLevel();
            go.set();
            KeLowerIrql(old);
        });
        check_finished(kernel.run(bodies));
        CHECK(order == std::vector<int>{31, 17, 12, 9, 3, 1});
    }
}

TEST_CASE("equals take turns, also when one of them hardly leaves DISPATCH_LEVEL", "[ke][scheduler]") {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        KernelFixture kernel({}, shape(1, seed));
        std::uint64_t done[3] = {};
        bool over = false;
        Bodies bodies;
        for (int i = 0; i < 2; ++i) {
            bodies.push_back([&, i] {
                while (!over) {
                    work(1);
                    ++done[i];
                }
            });
        }
        bodies.push_back([&] {
            while (!over) {
                const KIRQL old = KeRaiseIrqlToDpcLevel();
                work(500);
                KeLowerIrql(old);
                done[2] += 500;
                if (done[2] > 300'000) over = true;
            }
        });
        check_finished(kernel.run(bodies));
        for (const std::uint64_t count : done) CHECK(count > 30'000);
    }
}

TEST_CASE("a zero delay gives way to an equal", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(1));
    std::string order;
    Bodies bodies;
    for (const char name : {'a', 'b'}) {
        bodies.push_back([&, name] {
            for (int i = 0; i < 4; ++i) {
                order += name;
                sleep_us(0);
            }
        });
    }
    check_finished(kernel.run(bodies));
    CHECK((order == "abababab" || order == "babababa"));
}

TEST_CASE("KeSetEvent's increment boosts the thread it wakes, which falls back turn by turn", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(1, 3));
    Event go(SynchronizationEvent);
    std::vector<int> levels;
    check_finished(kernel.run({[&] {
                                   wait(&go);
                                   ke::Thread& self = *ke::current_thread();
                                   levels.push_back(self.priority);
                                   for (int i = 0; i < 20'000; ++i) { // 200 us: ten turns at least
                                       work(1);
                                       if (self.priority != levels.back()) levels.push_back(self.priority);
                                   }
                               },
                               [&] {
                                   sleep_us(100);
                                   go.set(4);
                               }}));
    CHECK(levels == std::vector<int>{12, 11, 10, 9, 8});
}

TEST_CASE("a boost ends below real time, and real-time threads get none", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(1));
    Event go;
    int boosted = 0, real_time = 0;
    check_finished(kernel.run({[&] {
                                   become(13);
                                   wait(&go);
                                   boosted = ke::current_thread()->priority;
                               },
                               [&] {
                                   become(16);
                                   wait(&go);
                                   real_time = ke::current_thread()->priority;
                               },
                               [&] {
                                   sleep_us(100);
                                   go.set(8);
                               }}));
    CHECK(boosted == 15);
    CHECK(real_time == 16);
}

TEST_CASE("a boosted thread that does not wait gives way to those above its base in the end", "[ke][scheduler]") {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        KernelFixture kernel({}, shape(1, seed));
        Event go;
        volatile bool other_ran = false;
        check_finished(kernel.run({[&] {
                                       wait(&go);
                                       CHECK(spin_for(other_ran));
                                   },
                                   [&] {
                                       become(9);
                                       sleep_us(110);
                                       other_ran = true;
                                   },
                                   [&] {
                                       become(10);
                                       sleep_us(100);
                                       go.set(6);
                                   }}));
    }
}

TEST_CASE("a change of priority takes effect at once: running, ready and waiting", "[ke][scheduler]") {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        KernelFixture kernel({}, shape(1, seed));
        std::string order;
        ke::Thread* other = nullptr;
        Event started;
        check_finished(kernel.run({[&] {
                                       other = ke::current_thread();
                                       become(5);
                                       started.set();
                                       order += "other ";
                                   },
                                   [&] {
                                       wait(&started);
                                       sleep_us(50);
                                       order += "self ";
                                   }}));
        CHECK(order == "other self ");
        order.clear();
        check_finished(kernel.run({[&] {
                                       become(9);
                                       order += "a";
                                       become(3); // now the other one is better
                                       order += "c";
                                   },
                                   [&] {
                                       become(6);
                                       order += "b";
                                   }}));
        CHECK((order == "abc" || order == "bac"));
        CHECK(order.back() == 'c');
    }
}

TEST_CASE("raising a ready thread lets it in", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(1));
    ke::Thread* low = nullptr;
    volatile bool ran = false;
    check_finished(kernel.run({[&] {
                                   low = ke::current_thread();
                                   become(4);
                                   ran = true;
                               },
                               [&] {
                                   sleep_us(1); // the other one runs first, and drops below
                                   while (low == nullptr) sleep_us(1);
                                   const bool before = ran;
                                   ke::set_priority(*low, 20);
                                   ke::reschedule_if_asked();
                                   CHECK((before || ran));
                               }}));
}

TEST_CASE("the best ready threads run, on however many processors there are", "[ke][scheduler]") {
    for (const unsigned processors : {1u, 2u, 3u, 5u}) {
        KernelFixture kernel({}, shape(processors, 8));
        Event go;
        volatile bool over = false;
        std::vector<std::uint64_t> done(8);
        Bodies bodies;
        for (unsigned i = 0; i < 8; ++i) { // priorities 8 to 15
            bodies.push_back([&, i] {
                become(static_cast<int>(8 + i));
                wait(&go);
                while (!over) {
                    work(1);
                    ++done[i];
                }
            });
        }
        bodies.push_back([&] {
            become(20);
            sleep_us(100);
            go.set();
            sleep_us(500);
            over = true;
        });
        check_finished(kernel.run(bodies));
        for (unsigned i = 0; i < 8; ++i) {
            INFO("processors " << processors << ", priority " << 8 + i);
            CHECK((done[i] > 0) == (i >= 8 - processors));
        }
    }
}

TEST_CASE("a thread waits for no busy processor while another is free", "[ke][scheduler]") {
    on_many_machines([](const ke::MachineOptions& options) {
        if (options.processors == 1) return;
        KernelFixture kernel({}, options);
        volatile bool flag = false;
        Event was_here;
        check_finished(kernel.run({[&] {
                                       wait(&was_here);
                                       stay_on(0);
                                       become(20);
                                       CHECK(spin_for(flag)); // nothing below 20 gets this processor
                                   },
                                   [&] {
                                       stay_on(0);
                                       ke::current_thread()->affinity = ~std::uint64_t{0};
                                       was_here.set();
                                       sleep_us(200); // it last ran on processor 0
                                       flag = true;
                                   },
                                   [&] {
                                       become(21);
                                       stay_on(1);
                                       while (!flag && now_us() < 300) work(1);
                                   }}));
        CHECK(flag);
    });
}

TEST_CASE("affinity holds", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(4, 2));
    Bodies bodies;
    for (unsigned i = 0; i < 12; ++i) {
        bodies.push_back([i] {
            const unsigned mine = i % 4;
            stay_on(mine);
            for (int round = 0; round < 30; ++round) {
                REQUIRE(KeGetCurrentProcessorNumber() == mine);
                work(200);
                REQUIRE(KeGetCurrentProcessorNumber() == mine);
                sleep_us(7);
            }
            stay_on((mine + 1) % 4);
            REQUIRE(KeGetCurrentProcessorNumber() == (mine + 1) % 4);
        });
    }
    check_finished(kernel.run(bodies));
}

TEST_CASE("the budget of a callout does not run while the thread waits, and ends with the thread", "[ke][scheduler]") {
    ke::MachineOptions options = shape(1);
    options.callout_budget = 3'000'000; // 3 ms
    KernelFixture kernel({}, options);
    Event started;
    check_finished(kernel.run({[&] {
                                   sleep_us(100'000);
                                   work(200'000); // 2 ms
                                   started.set();
                               },
                               [&] {
                                   wait(&started);
                                   work(200'000);
                               }}));
    for (int i = 0; i < 5; ++i) check_finished(kernel.run([] { work(200'000); }));
    const ke::Stop stop = kernel.run([] { work(400'000); });
    CHECK(stop.kind == ke::StopKind::stall);
}

TEST_CASE("a timer takes its time from a thread that a timer woke and that works on", "[ke][scheduler]") {
    KernelFixture kernel({}, shape(1));
    std::uint64_t woken = 0;
    Bodies bodies;
    bodies.push_back([&] {
        sleep_us(100);
        woken = now_us();
    });
    bodies.push_back([&] {
        sleep_us(10);
        work(100'000); // a millisecond
    });
    check_finished(kernel.run(bodies));
    CHECK(woken >= 100);
    CHECK(woken < 150); // a turn later at most
}
