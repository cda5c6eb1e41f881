// Kernel APCs: special and normal, regions, and waits that they interrupt.
#include "machines.hpp"

#include "ke/apc.hpp"

#include <list>

using namespace ke_test;

namespace {

// APCs that write their names, each with where it ran.
struct Script {
    std::string text;
    struct Entry {
        KAPC apc;
        Script* script;
        char name;
    };
    std::list<Entry> entries;

    static void NTAPI kernel_routine(PKAPC apc, ke::NormalRoutine*, PVOID* context, PVOID* argument1, PVOID*) {
        auto& entry = *CONTAINING_RECORD(apc, Entry, apc);
        (void)context;
        const bool special = *argument1 == nullptr;
        if (special) entry.script->text += entry.name;
        if (KeGetCurrentIrql() != APC_LEVEL) entry.script->text += '!';
    }
    static void NTAPI normal_routine(PVOID context, PVOID, PVOID) {
        auto& entry = *static_cast<Entry*>(context);
        entry.script->text += entry.name;
        if (KeGetCurrentIrql() != PASSIVE_LEVEL) entry.script->text += '!';
    }
    // Upper-case names are special APCs, lower-case ones normal.
    void queue(ke::Thread& thread, char name) {
        Entry& entry = entries.emplace_back(Entry{{}, this, name});
        const bool special = name >= 'A' && name <= 'Z';
        ke::initialize_apc(entry.apc, thread, kernel_routine, nullptr, special ? nullptr : normal_routine, KernelMode,
                           &entry);
        REQUIRE(ke::insert_apc(entry.apc, special ? nullptr : &entry, nullptr, 0));
        ke::reschedule_if_asked();
    }
};

} // namespace

TEST_CASE("an APC of the current thread is delivered at once", "[ke][apc]") {
    KernelFixture kernel;
    Script script;
    check_finished(kernel.run([&] {
        script.queue(*ke::current_thread(), 'A');
        CHECK(script.text == "A");
        script.queue(*ke::current_thread(), 'b');
        CHECK(script.text == "Ab");
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    }));
}

TEST_CASE("special APCs go before normal ones, each kind in order", "[ke][apc]") {
    KernelFixture kernel;
    Script script;
    check_finished(kernel.run([&] {
        KIRQL old;
        KeRaiseIrql(APC_LEVEL, &old);
        for (const char name : {'a', 'b', 'A', 'c', 'B'}) script.queue(*ke::current_thread(), name);
        CHECK(script.text.empty());
        KeLowerIrql(old);
        CHECK(script.text == "ABabc");
    }));
}

TEST_CASE("regions: critical holds back normal APCs, guarded all; leaving the last one delivers", "[ke][apc]") {
    KernelFixture kernel;
    Script script;
    check_finished(kernel.run([&] {
        ke::Thread& self = *ke::current_thread();
        KeEnterCriticalRegion();
        script.queue(self, 'a');
        CHECK(script.text.empty());
        script.queue(self, 'A');
        CHECK(script.text == "A");
        KeEnterGuardedRegion();
        CHECK(KeAreAllApcsDisabled());
        script.queue(self, 'B');
        CHECK(script.text == "A");
        KeLeaveCriticalRegion();
        CHECK(script.text == "A"); // the guarded region stands
        KeEnterGuardedRegion();
        KeLeaveGuardedRegion();
        CHECK(script.text == "A");
        KeLeaveGuardedRegion();
        CHECK(script.text == "ABa");
        CHECK_FALSE(KeAreApcsDisabled());
    }));
}

TEST_CASE("leaving a region that was not entered is a bug check", "[ke][apc]") {
    KernelFixture kernel;
    SECTION("critical") {
        check_bug_check(kernel.run([] { KeLeaveCriticalRegion(); }), DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3E);
    }
    SECTION("guarded") {
        check_bug_check(kernel.run([] { KeLeaveGuardedRegion(); }), DRIVER_VERIFIER_DETECTED_VIOLATION, 0x0004000E);
    }
}

TEST_CASE("an APC is delivered during a wait, which goes on to its first time-out", "[ke][apc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Script script;
        ke::Thread* waiter = nullptr;
        Event unset;
        std::uint64_t waited_us = 0;
        check_finished(kernel.run({[&] {
                                       waiter = ke::current_thread();
                                       const std::uint64_t before = now_us();
                                       CHECK(wait_us(&unset, 1000) == STATUS_TIMEOUT);
                                       waited_us = now_us() - before;
                                       script.text += '.';
                                   },
                                   [&] {
                                       for (const char name : {'A', 'b', 'C'}) {
                                           sleep_us(250);
                                           script.queue(*waiter, name);
                                       }
                                   }}));
        CHECK(script.text == "AbC.");
        CHECK(waited_us >= 999);
        CHECK(waited_us <= 1060);
    });
}

TEST_CASE("and is satisfied as if nothing had been", "[ke][apc]") {
    KernelFixture kernel({}, shape(2, 3));
    Script script;
    ke::Thread* waiter = nullptr;
    Event event(SynchronizationEvent), other;
    check_finished(kernel.run({[&] {
                                   waiter = ke::current_thread();
                                   CHECK(wait_many({&other, &event}, WaitAny) == STATUS_WAIT_1);
                               },
                               [&] {
                                   sleep_us(100);
                                   script.queue(*waiter, 'A');
                                   sleep_us(100);
                                   CHECK(script.text == "A");
                                   event.set();
                               }}));
}

TEST_CASE("a wait inside a region keeps the APC for later", "[ke][apc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Script script;
        ke::Thread* waiter = nullptr;
        Event event;
        check_finished(kernel.run({[&] {
                                       waiter = ke::current_thread();
                                       KeEnterCriticalRegion();
                                       wait(&event);
                                       CHECK(script.text == "A");
                                       KeLeaveCriticalRegion();
                                       CHECK(script.text == "Aa");
                                   },
                                   [&] {
                                       sleep_us(100);
                                       script.queue(*waiter, 'a');
                                       sleep_us(100);
                                       CHECK(script.text.empty());
                                       script.queue(*waiter, 'A');
                                       sleep_us(100);
                                       CHECK(script.text == "A");
                                       event.set();
                                   }}));
    });
}

TEST_CASE("a wait at APC_LEVEL is not interrupted; its processor goes idle meanwhile", "[ke][apc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Script script;
        ke::Thread* waiter = nullptr;
        Event event, raised;
        check_finished(kernel.run({[&] {
                                       waiter = ke::current_thread();
                                       KIRQL old;
                                       KeRaiseIrql(APC_LEVEL, &old);
                                       raised.set();
                                       work(3000); // the APC may arrive now, while the thread runs, or in the wait
                                       wait(&event);
                                       CHECK(script.text.empty());
                                       KeLowerIrql(old);
                                       CHECK(script.text == "Ab");
                                   },
                                   [&] {
                                       wait(&raised);
                                       script.queue(*waiter, 'A');
                                       script.queue(*waiter, 'b');
                                       sleep_us(300);
                                       event.set();
                                   }}));
    });
}

TEST_CASE("an APC of a ready or running thread elsewhere is delivered when it next may", "[ke][apc]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Script script;
        ke::Thread* target = nullptr;
        check_finished(kernel.run({[&] {
                                       target = ke::current_thread();
                                       for (int i = 0; i < 100000 && script.text.empty(); ++i) work(1);
                                       CHECK(script.text == "A");
                                   },
                                   [&] {
                                       while (target == nullptr) work(1);
                                       script.queue(*target, 'A');
                                   }}));
    });
}

TEST_CASE("normal APCs come one at a time; special ones interrupt them", "[ke][apc]") {
    KernelFixture kernel;
    struct Nest {
        Script script;
        KAPC outer;
    } nest;
    check_finished(kernel.run([&] {
        const auto outer = [](PVOID context, PVOID, PVOID) {
            auto& self = *static_cast<Nest*>(context);
            self.script.text += '(';
            self.script.queue(*ke::current_thread(), 'n');
            self.script.queue(*ke::current_thread(), 'S');
            sleep_us(10); // waits are allowed here
            self.script.text += ')';
        };
        const auto nothing = [](PKAPC, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) {};
        ke::initialize_apc(nest.outer, *ke::current_thread(), nothing, nullptr, outer, KernelMode, &nest);
        ke::insert_apc(nest.outer, nullptr, nullptr, 0);
        ke::reschedule_if_asked();
    }));
    CHECK(nest.script.text == "(S)n");
}

TEST_CASE("an APC is queued once, and can be taken back", "[ke][apc]") {
    KernelFixture kernel;
    Script script;
    check_finished(kernel.run([&] {
        KeEnterGuardedRegion();
        script.queue(*ke::current_thread(), 'A');
        KAPC& apc = script.entries.back().apc;
        CHECK_FALSE(ke::insert_apc(apc, nullptr, nullptr, 0));
        CHECK(ke::remove_apc(apc));
        CHECK_FALSE(ke::remove_apc(apc));
        KeLeaveGuardedRegion();
        CHECK(script.text.empty());
    }));
}

TEST_CASE("an alertable user-mode wait ends for a user APC, queued before it or during it", "[ke][apc]") {
    KernelFixture kernel({}, shape(2));
    const bool before = GENERATE(true, false);
    static KAPC apc;
    ke::Thread* waiter = nullptr;
    Event unset, ready;
    const auto nothing = [](PKAPC, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) {};
    const auto user = [](PVOID, PVOID, PVOID) {};
    check_finished(
        kernel.run({[&] {
                        waiter = ke::current_thread();
                        ke::initialize_apc(apc, *waiter, nothing, nullptr, user, UserMode, nullptr);
                        if (before) ke::insert_apc(apc, nullptr, nullptr, 0);
                        ready.set();
                        LARGE_INTEGER timeout = relative_us(1000);
                        CHECK(KeWaitForSingleObject(&unset, UserRequest, KernelMode, TRUE, &timeout) == STATUS_TIMEOUT);
                        CHECK(KeWaitForSingleObject(&unset, UserRequest, UserMode, FALSE, &timeout) == STATUS_TIMEOUT);
                        CHECK(KeWaitForSingleObject(&unset, UserRequest, UserMode, TRUE, &timeout) == STATUS_USER_APC);
                        ke::remove_apc(apc);
                    },
                    [&] {
                        wait(&ready);
                        sleep_us(2500);
                        if (!before) ke::insert_apc(apc, nullptr, nullptr, 0);
                    }}));
}
