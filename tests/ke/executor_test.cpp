// The lockstep executor: the same seed, the same run; stalls and budgets.
#include "race.hpp"

#include <algorithm>
#include <set>

using namespace ke_test;

TEST_CASE("the same seed gives the same run, 100 times", "[ke][executor]") {
    for (const unsigned processors : {1u, 4u}) {
        const Steps first = race(shape(processors, 77));
        for (int i = 0; i < 100; ++i) REQUIRE(race(shape(processors, 77)) == first);
    }
}

TEST_CASE("and so it does with any number of processors", "[ke][executor]") {
    for (const unsigned processors : {2u, 3u, 16u, 64u})
        CHECK(race(shape(processors, 5)) == race(shape(processors, 5)));
}

TEST_CASE("different seeds give different runs", "[ke][executor]") {
    for (const unsigned processors : {1u, 4u}) {
        std::set<Steps> runs;
        for (std::uint64_t seed = 0; seed < 20; ++seed) runs.insert(race(shape(processors, seed)));
        CHECK(runs.size() >= 19);
    }
}

TEST_CASE("both orders of a race come up", "[ke][executor]") {
    for (const unsigned processors : {1u, 2u}) {
        std::set<std::string> orders;
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            KernelFixture kernel({}, shape(processors, seed));
            std::string order;
            const auto body = [&](char name) {
                return [&, name] {
                    work(200);
                    order += name;
                };
            };
            check_finished(kernel.run({body('a'), body('b')}));
            orders.insert(order);
        }
        CHECK(orders == std::set<std::string>{"ab", "ba"});
    }
}

TEST_CASE("all processors are used when there is work for all", "[ke][executor]") {
    for (const unsigned processors : {2u, 8u, 64u}) {
        KernelFixture kernel({}, shape(processors, 1));
        std::vector<char> used(processors);
        Bodies bodies;
        for (unsigned i = 0; i < processors; ++i) {
            bodies.push_back([&] {
                for (int round = 0; round < 50; ++round) {
                    used[KeGetCurrentProcessorNumber()] = 1;
                    work(100);
                }
            });
        }
        check_finished(kernel.run(bodies));
        CHECK(std::count(used.begin(), used.end(), 1) == static_cast<int>(processors));
    }
}

TEST_CASE("a deadlock is a stall, seen at once", "[ke][executor]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        KEVENT one, two;
        KeInitializeEvent(&one, NotificationEvent, FALSE);
        KeInitializeEvent(&two, NotificationEvent, FALSE);
        const auto body = [](KEVENT* mine, KEVENT* others) {
            return [=] {
                sleep_us(100);
                wait(others);
                KeSetEvent(mine, 0, FALSE);
            };
        };
        const ke::Stop stop = kernel.run({body(&one, &two), body(&two, &one)});
        CHECK(stop.kind == ke::StopKind::stall);
        CHECK(kernel.machine().now < 1'000'000);
    });
}

TEST_CASE("what still can end is no stall: a timer an hour away", "[ke][executor]") {
    KernelFixture kernel({}, shape(2));
    Event event;
    KTIMER timer;
    KDPC dpc;
    check_finished(kernel.run([&] {
        KeInitializeTimer(&timer);
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID context, PVOID, PVOID) { static_cast<Event*>(context)->set(); }, &event);
        KeSetTimer(&timer, relative_us(std::int64_t{3600} * 1'000'000), &dpc);
        wait(&event);
    }));
}

TEST_CASE("an endless loop ends at the same place on every run", "[ke][executor]") {
    const bool raised = GENERATE(false, true);
    for (const unsigned processors : {1u, 4u}) {
        std::set<std::uint64_t> ends;
        for (int i = 0; i < 5; ++i) {
            ke::MachineOptions options = shape(processors, 3);
            options.callout_budget = 2'000'000;
            KernelFixture kernel({}, options);
            std::uint64_t blocks = 0;
            const ke::Stop stop = kernel.run([&] {
                if (raised) KeRaiseIrqlToDpcLevel();
                for (;; ++blocks) work(1);
            });
            CHECK(stop.kind == (raised ? ke::StopKind::bug_check : ke::StopKind::stall));
            ends.insert(blocks);
        }
        CHECK(ends.size() == 1);
        CHECK(*ends.begin() > 150'000);
        CHECK(*ends.begin() <= 200'000);
    }
}

TEST_CASE("the run's budget ends what only waits and waits", "[ke][executor]") {
    ke::MachineOptions options = shape(2);
    options.run_budget = 10'000'000;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([] {
        for (;;) sleep_us(100);
    });
    CHECK(stop.kind == ke::StopKind::stall);
    CHECK(kernel.machine().now >= 10'000'000);
    CHECK(kernel.machine().now < 10'200'000);
}

TEST_CASE("the budget of busy time ends threads that wake each other forever, and leaves those that rest alone",
          "[ke][executor]") {
    ke::MachineOptions options = shape(2);
    options.callout_budget = 1'000'000;
    options.busy_budget = 10'000'000;
    {
        KernelFixture kernel({}, options);
        Event ping(SynchronizationEvent);
        Event pong(SynchronizationEvent);
        const auto call_and_wait = [](Event& call, Event& answer) {
            for (;;) {
                call.set();
                wait(&answer);
            }
        };
        const ke::Stop stop = kernel.run({[&] { call_and_wait(ping, pong); }, [&] { call_and_wait(pong, ping); }});
        CHECK(stop.kind == ke::StopKind::stall);
        CHECK(std::string(stop.rule).find("busy time") != std::string::npos);
        CHECK(kernel.machine().now < 11'000'000);
    }
    KernelFixture kernel({}, options);
    check_finished(kernel.run([] {
        for (int i = 0; i < 100; ++i) sleep_us(1'000);
    }));
    CHECK(kernel.machine().now >= 100'000'000);
}

TEST_CASE("a machine runs again and again, time goes on, and nothing is left over", "[ke][executor]") {
    KernelFixture kernel({}, shape(4, 2));
    std::uint64_t before = 0;
    for (int i = 0; i < 30; ++i) {
        check_finished(kernel.run({[] { sleep_us(10); }, [] { work(100); }, [] { YieldProcessor(); }}));
        CHECK(kernel.machine().now > before);
        before = kernel.machine().now;
    }
    CHECK(kernel.machine().next_timer == ke::never);
    for (unsigned i = 0; i < 4; ++i) {
        const ke::Processor& processor = *kernel.machine().processors[i];
        CHECK(processor.ready_summary == 0);
        CHECK(processor.held.count == 0);
    }
}
