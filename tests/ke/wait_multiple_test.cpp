// Waits for several objects at once.
#include "machines.hpp"

#include <memory>

using namespace ke_test;

namespace {

// A wait and what it came back with.
struct Waiter {
    NTSTATUS status = -1;
    bool over = false;
    std::function<void()> body(std::vector<void*> objects, WAIT_TYPE type) {
        return [this, objects, type] {
            status = wait_many(objects, type);
            over = true;
        };
    }
};

} // namespace

TEST_CASE("WaitAny ends with the index of the object that was set", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Event events[3] = {Event(SynchronizationEvent), Event(NotificationEvent), Event(SynchronizationEvent)};
        for (int which = 0; which < 3; ++which) {
            Waiter waiter;
            check_finished(kernel.run({waiter.body({&events[0], &events[1], &events[2]}, WaitAny), [&] {
                                           sleep_us(100);
                                           events[which].set();
                                       }}));
            CHECK(waiter.status == STATUS_WAIT_0 + which);
            CHECK(KeReadStateEvent(&events[which]) == (which == 1 ? 1 : 0)); // the wait took the synchronization events
            KeClearEvent(&events[which]);
        }
    });
}

TEST_CASE("of several that are set WaitAny takes the first, and only that", "[ke][wait]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        Event a(SynchronizationEvent, false), b(SynchronizationEvent, true), c(SynchronizationEvent, true);
        CHECK(wait_many({&a, &b, &c}, WaitAny) == STATUS_WAIT_1);
        CHECK(KeReadStateEvent(&b) == 0);
        CHECK(KeReadStateEvent(&c) == 1);
        LARGE_INTEGER zero{};
        CHECK(wait_many({&a, &b}, WaitAny, &zero) == STATUS_TIMEOUT);
    }));
}

TEST_CASE("WaitAll takes nothing until it can take all", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Event event(SynchronizationEvent);
        KSEMAPHORE semaphore{};
        KMUTEX mutex;
        KeInitializeMutex(&mutex, 0);
        KeInitializeSemaphore(&semaphore, 0, 10);
        bool over = false;
        check_finished(kernel.run({[&] {
                                       CHECK(wait_many({&event, &semaphore, &mutex}, WaitAll) == STATUS_SUCCESS);
                                       over = true;
                                       CHECK(KeReadStateMutex(&mutex) == 0);
                                       KeReleaseMutex(&mutex, FALSE);
                                   },
                                   [&] {
                                       sleep_us(100);
                                       event.set();
                                       sleep_us(100);
                                       CHECK_FALSE(over);
                                       CHECK(KeReadStateEvent(&event) == 1); // still there for others:
                                       CHECK(test_object(&event) == STATUS_SUCCESS);
                                       KeReleaseSemaphore(&semaphore, 0, 2, FALSE);
                                       sleep_us(100);
                                       CHECK_FALSE(over);
                                       event.set();
                                       sleep_us(100);
                                       CHECK(over);
                                       CHECK(KeReadStateEvent(&event) == 0);
                                       CHECK(KeReadStateSemaphore(&semaphore) == 1);
                                   }}));
    });
}

TEST_CASE("two WaitAll of the same objects in other orders do not deadlock", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        KMUTEX left, right;
        KeInitializeMutex(&left, 0);
        KeInitializeMutex(&right, 0);
        int inside = 0;
        const auto body = [&](KMUTEX* first, KMUTEX* second) {
            return [&inside, first, second] {
                for (int i = 0; i < 50; ++i) {
                    REQUIRE(wait_many({first, second}, WaitAll) == STATUS_SUCCESS);
                    REQUIRE(++inside == 1);
                    work(100);
                    --inside;
                    KeReleaseMutex(first, FALSE);
                    work(20);
                    KeReleaseMutex(second, FALSE);
                }
            };
        };
        check_finished(kernel.run({body(&left, &right), body(&right, &left), body(&left, &right)}));
        CHECK(KeReadStateMutex(&left) == 1);
        CHECK(KeReadStateMutex(&right) == 1);
    });
}

TEST_CASE("a WaitAll that cannot go does not hold up those behind it", "[ke][wait]") {
    KernelFixture kernel({}, shape(2, 2));
    Event shared(SynchronizationEvent), missing;
    Waiter all, any;
    check_finished(kernel.run({all.body({&shared, &missing}, WaitAll),
                               [&] {
                                   sleep_us(50);
                                   any.body({&shared}, WaitAny)();
                               },
                               [&] {
                                   sleep_us(100);
                                   shared.set();
                                   sleep_us(50);
                                   CHECK(any.over);
                                   CHECK_FALSE(all.over);
                                   shared.set();
                                   missing.set();
                               }}));
    CHECK(all.status == STATUS_SUCCESS);
}

TEST_CASE("one object several times in a wait", "[ke][wait]") {
    KernelFixture kernel({}, shape(2));
    Event event(SynchronizationEvent);
    Waiter any, all, behind;
    check_finished(kernel.run({any.body({&event, &event, &event}, WaitAny),
                               [&] {
                                   sleep_us(10);
                                   behind.body({&event}, WaitAny)();
                               },
                               [&] {
                                   sleep_us(100);
                                   event.set();
                                   sleep_us(10);
                                   CHECK(any.over);
                                   CHECK_FALSE(behind.over); // one signal, one wait
                                   event.set();
                               }}));
    CHECK(any.status == STATUS_WAIT_0);
    check_finished(kernel.run({all.body({&event, &event}, WaitAll), [&] {
                                   sleep_us(100);
                                   event.set();
                               }}));
    CHECK(all.status == STATUS_SUCCESS);
}

TEST_CASE("three objects need no wait blocks, 64 with blocks are possible", "[ke][wait]") {
    KernelFixture kernel({}, shape(2));
    std::vector<Event> events(64, Event(SynchronizationEvent));
    std::vector<KWAIT_BLOCK> blocks(64);
    std::vector<void*> objects;
    for (Event& event : events) {
        KeInitializeEvent(&event, SynchronizationEvent, FALSE); // a copied list head points elsewhere
        objects.push_back(&event);
    }
    NTSTATUS any = -1, all = -1;
    check_finished(kernel.run({[&] {
                                   any = wait_many(objects, WaitAny, nullptr, blocks.data());
                                   all = wait_many(objects, WaitAll, nullptr, blocks.data());
                               },
                               [&] {
                                   sleep_us(100);
                                   events[63].set();
                                   sleep_us(100);
                                   for (Event& event : events) event.set();
                               }}));
    CHECK(any == STATUS_WAIT_63);
    CHECK(all == STATUS_SUCCESS);
    for (Event& event : events) CHECK(KeReadStateEvent(&event) == 0);
}

TEST_CASE("too many objects are bug check 0xC", "[ke][wait]") {
    KernelFixture kernel;
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, TRUE);
    const bool with_blocks = GENERATE(false, true);
    void* objects[65];
    static KWAIT_BLOCK blocks[65];
    std::fill(std::begin(objects), std::end(objects), &event);
    const ke::Stop stop = kernel.run([&] {
        KeWaitForMultipleObjects(with_blocks ? 65 : 4, objects, WaitAny, Executive, KernelMode, FALSE, nullptr,
                                 with_blocks ? blocks : nullptr);
    });
    check_bug_check(stop, MAXIMUM_WAIT_OBJECTS_EXCEEDED);
}

TEST_CASE("the time-out of a multiple wait leaves every object alone", "[ke][wait]") {
    KernelFixture kernel({}, shape(2, 9));
    Event a(SynchronizationEvent), b(SynchronizationEvent);
    check_finished(kernel.run({[&] {
                                   LARGE_INTEGER timeout = relative_us(500);
                                   const std::uint64_t before = now_us();
                                   CHECK(wait_many({&a, &b}, WaitAll, &timeout) == STATUS_TIMEOUT);
                                   CHECK(now_us() - before >= 499);
                                   CHECK(KeReadStateEvent(&a) == 1);
                                   CHECK(IsListEmpty(&a.Header.WaitListHead));
                                   CHECK(IsListEmpty(&b.Header.WaitListHead));
                               },
                               [&] {
                                   sleep_us(100);
                                   a.set();
                               }}));
}
