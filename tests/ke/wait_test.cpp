// Waits for one object: events, semaphores, threads, time-outs, order.
#include "machines.hpp"

#include <memory>

using namespace ke_test;

TEST_CASE("a notification event releases all and stays set; a synchronization event releases one", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Event all(NotificationEvent), one(SynchronizationEvent);
        int through_all = 0, through_one = 0;
        Bodies bodies;
        for (int i = 0; i < 3; ++i) {
            bodies.push_back([&] {
                wait(&all);
                ++through_all;
                wait(&one);
                ++through_one;
            });
        }
        bodies.push_back([&] {
            sleep_us(100);
            CHECK(all.set() == 0);
            sleep_us(100);
            CHECK(through_all == 3);
            CHECK(KeReadStateEvent(&all) == 1);
            for (int i = 1; i <= 3; ++i) {
                CHECK(one.set() == 0);
                sleep_us(100);
                CHECK(through_one == i);
                CHECK(KeReadStateEvent(&one) == 0);
            }
            CHECK(one.set() == 0);
            CHECK(one.set() != 0); // set already
            CHECK(test_object(&one) == STATUS_SUCCESS);
            CHECK(test_object(&one) == STATUS_TIMEOUT); // the wait took it
            CHECK(KeResetEvent(&all) != 0);
            CHECK(KeResetEvent(&all) == 0);
            KeClearEvent(&all);
        });
        check_finished(kernel.run(bodies));
    });
}

TEST_CASE("a pulse releases who waits now, and leaves the event not set", "[ke][wait]") {
    KernelFixture kernel({}, shape(2, 1));
    Event event(GENERATE(NotificationEvent, SynchronizationEvent));
    const bool notification = event.Header.Type == 0;
    int released = 0;
    Bodies bodies;
    for (int i = 0; i < 3; ++i) {
        bodies.push_back([&] {
            if (wait_us(&event, 1000) == STATUS_SUCCESS) ++released;
        });
    }
    bodies.push_back([&] {
        sleep_us(200);
        CHECK(KePulseEvent(&event, 0, FALSE) == 0);
        CHECK(KeReadStateEvent(&event) == 0);
        sleep_us(200);
        CHECK(released == (notification ? 3 : 1));
    });
    check_finished(kernel.run(bodies));
}

TEST_CASE("waiters of a synchronization event are released in the order of arrival", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        Event event(SynchronizationEvent);
        std::vector<int> order;
        Bodies bodies;
        for (int i = 0; i < 6; ++i) {
            bodies.push_back([&, i] {
                sleep_us(100 * (6 - i)); // arrival: 5, 4, ... 0
                wait(&event);
                order.push_back(i);
            });
        }
        bodies.push_back([&] {
            sleep_us(1000);
            for (int i = 0; i < 6; ++i) {
                event.set();
                sleep_us(50);
            }
        });
        check_finished(kernel.run(bodies));
        CHECK(order == std::vector<int>{5, 4, 3, 2, 1, 0});
    });
}

TEST_CASE("a semaphore releases as many as it was released by", "[ke][wait]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        KSEMAPHORE semaphore;
        int through = 0;
        Bodies bodies;
        for (int i = 0; i < 5; ++i) {
            bodies.push_back([&] {
                sleep_us(10);
                wait(&semaphore);
                ++through;
            });
        }
        bodies.push_back([&] {
            KeInitializeSemaphore(&semaphore, 0, 4);
            sleep_us(500);
            CHECK(KeReleaseSemaphore(&semaphore, 0, 2, FALSE) == 0);
            sleep_us(500);
            CHECK(through == 2);
            CHECK(KeReadStateSemaphore(&semaphore) == 0);
            CHECK(KeReleaseSemaphore(&semaphore, 0, 4, FALSE) == 0);
            sleep_us(500);
            CHECK(through == 5);
            CHECK(KeReadStateSemaphore(&semaphore) == 1);
            CHECK(KeReleaseSemaphore(&semaphore, 0, 1, FALSE) == 1);
        });
        check_finished(kernel.run(bodies));
    });
}

TEST_CASE("a semaphore's limit raises and changes nothing", "[ke][wait]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KSEMAPHORE semaphore;
        KeInitializeSemaphore(&semaphore, 1, 3);
        const LONG adjustment = GENERATE_REF(values<LONG>({3, MAXLONG, -1}));
        CHECK(test::status_raised_by([&] { KeReleaseSemaphore(&semaphore, 0, adjustment, FALSE); }) ==
              STATUS_SEMAPHORE_LIMIT_EXCEEDED);
        CHECK(KeReadStateSemaphore(&semaphore) == 1);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        CHECK(KeReleaseSemaphore(&semaphore, 0, 2, FALSE) == 1);
    }));
}

TEST_CASE("a thread is signalled when it has ended, for ever", "[ke][wait]") {
    KernelFixture kernel({}, shape(2, 5));
    ke::Thread* first = nullptr;
    bool ended = false;
    check_finished(kernel.run({[&] {
                                   first = ke::current_thread();
                                   sleep_us(300);
                                   ended = true;
                               },
                               [&] {
                                   sleep_us(10);
                                   CHECK(test_object(first) == STATUS_TIMEOUT);
                                   CHECK(wait(first) == STATUS_SUCCESS);
                                   CHECK(ended);
                                   CHECK(wait(first) == STATUS_SUCCESS);
                               }}));
}

TEST_CASE("time-outs: zero, relative, absolute, past, and very long", "[ke][wait]") {
    KernelFixture kernel({}, shape(1));
    check_finished(kernel.run([] {
        Event never_set;
        const auto waits_for = [&](LONGLONG timeout) {
            LARGE_INTEGER time;
            time.QuadPart = timeout;
            const std::uint64_t before = now();
            CHECK(KeWaitForSingleObject(&never_set, Executive, KernelMode, FALSE, &time) == STATUS_TIMEOUT);
            CHECK(time.QuadPart == timeout); // the caller's is not written
            return now() - before;
        };
        LARGE_INTEGER system_time;
        CHECK(waits_for(0) < 1000);
        const std::uint64_t relative = waits_for(-50'000); // 5 ms
        CHECK(relative >= 5'000'000 - 100);
        CHECK(relative < 5'001'000);
        KeQuerySystemTime(&system_time);
        const std::uint64_t absolute = waits_for(system_time.QuadPart + 20'000); // 2 ms
        CHECK(absolute >= 1'999'000);
        CHECK(absolute < 2'001'000);
        KeQuerySystemTime(&system_time);
        CHECK(waits_for(system_time.QuadPart - 1) < 1000); // past
        CHECK(waits_for(1) < 1000);                        // 1601
        const std::uint64_t hour = waits_for(-36'000'000'000);
        CHECK(hour >= std::uint64_t{3600} * 1'000'000'000 - 100);
        CHECK(hour < std::uint64_t{3600} * 1'000'000'000 + 1000);
    }));
}

TEST_CASE("a wait that is never over is a stall", "[ke][wait]") {
    KernelFixture kernel;
    LARGE_INTEGER timeout;
    timeout.QuadPart = -MAXLONGLONG; // beyond all budgets
    const bool for_ever = GENERATE(true, false);
    const ke::Stop stop = kernel.run([&] {
        Event event;
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, for_ever ? nullptr : &timeout);
    });
    CHECK(stop.kind == ke::StopKind::stall);
}

TEST_CASE("KeDelayExecutionThread lasts as long as it was asked to", "[ke][wait]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        for (const std::int64_t us : {1, 10, 999, 1'000'000}) {
            const std::uint64_t before = now();
            LARGE_INTEGER interval = relative_us(us);
            CHECK(KeDelayExecutionThread(KernelMode, FALSE, &interval) == STATUS_SUCCESS);
            const std::uint64_t passed = now() - before;
            CHECK(passed + 100 >= static_cast<std::uint64_t>(us) * 1000);
            CHECK(passed < static_cast<std::uint64_t>(us) * 1000 + 1000);
        }
        LARGE_INTEGER past;
        past.QuadPart = 1;
        CHECK(KeDelayExecutionThread(KernelMode, FALSE, &past) == STATUS_SUCCESS);
    }));
}

TEST_CASE("waits above APC_LEVEL: only to test, else bug checks", "[ke][wait]") {
    KernelFixture kernel;
    SECTION("a time-out of zero is allowed at DISPATCH_LEVEL") {
        check_finished(kernel.run([] {
            Event event(SynchronizationEvent, true);
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            CHECK(test_object(&event) == STATUS_SUCCESS);
            CHECK(test_object(&event) == STATUS_TIMEOUT);
            CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
            KeLowerIrql(old);
        }));
    }
    SECTION("a longer one is not") {
        KEVENT event;
        const ke::Stop stop = kernel.run([&] {
            KeInitializeEvent(&event, NotificationEvent, TRUE);
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            wait(&event);
        });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3B);
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == ke::parameter(&event));
    }
    SECTION("nor in a DPC") {
        KDPC dpc;
        const ke::Stop stop = kernel.run([&] {
            KeInitializeDpc(
                &dpc,
                [](PKDPC, PVOID, PVOID, PVOID) {
                    KEVENT event;
                    KeInitializeEvent(&event, NotificationEvent, FALSE);
                    wait(&event);
                },
                nullptr);
            KeInsertQueueDpc(&dpc, nullptr, nullptr);
        });
        check_bug_check(stop, ATTEMPTED_SWITCH_FROM_DPC);
        CHECK(stop.parameters[0] == ke::parameter(stop.thread));
    }
    SECTION("nor KeDelayExecutionThread") {
        const ke::Stop stop = kernel.run([&] {
            KeRaiseIrqlToDpcLevel();
            sleep_us(1);
        });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3B);
    }
}

TEST_CASE("what is no dispatcher object cannot be waited for", "[ke][wait]") {
    KernelFixture kernel;
    UCHAR garbage[64];
    std::fill(std::begin(garbage), std::end(garbage), UCHAR{0x77});
    const ke::Stop stop = kernel.run([&] { wait(garbage); });
    check_bug_check(stop, IRQL_NOT_LESS_OR_EQUAL, 0x7777'7777'7777'7777);
    CHECK(stop.parameters[1] == DISPATCH_LEVEL);
}

TEST_CASE("an object never initialised, or one of the I/O manager's, cannot be waited for", "[ke][wait]") {
    KernelFixture kernel;
    SECTION("an event of zeros") {
        KEVENT event{};
        check_bug_check(kernel.run([&] { wait(&event); }), IRQL_NOT_LESS_OR_EQUAL, 0);
    }
    SECTION("a file object, whose type is the number of semaphores") {
        FILE_OBJECT file{};
        file.Type = IO_TYPE_FILE;
        file.Size = sizeof file;
        file.DeviceObject = reinterpret_cast<PDEVICE_OBJECT>(&file);
        file.Vpb = reinterpret_cast<PVPB>(&file);
        void* objects[] = {&file};
        check_bug_check(kernel.run([&] {
            KeWaitForMultipleObjects(1, objects, WaitAny, Executive, KernelMode, FALSE, nullptr, nullptr);
        }),
                        IRQL_NOT_LESS_OR_EQUAL);
    }
}

TEST_CASE("a signal with Wait = TRUE holds the processor until the wait", "[ke][wait]") {
    KernelFixture kernel;
    Event request(SynchronizationEvent), reply(SynchronizationEvent);
    std::string order;
    check_finished(kernel.run({[&] {
                                   become(12);
                                   wait(&request);
                                   order += "served ";
                                   reply.set();
                               },
                               [&] {
                                   sleep_us(10);
                                   KeSetEvent(&request, 0, TRUE);
                                   order += "held "; // the other thread is better, and yet
                                   CHECK(ke::current_processor()->irql == DISPATCH_LEVEL);
                                   CHECK(wait(&reply) == STATUS_SUCCESS);
                                   CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
                                   order += "done";
                               }}));
    CHECK(order == "held served done");
}

TEST_CASE("Wait = TRUE above APC_LEVEL is a bug check", "[ke][wait]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        KEVENT event;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        KeRaiseIrqlToDpcLevel();
        KeSetEvent(&event, 0, TRUE);
    });
    check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00020016);
}

TEST_CASE("a semaphore is released with Wait = TRUE at PASSIVE_LEVEL only, an event set at APC_LEVEL too",
          "[ke][wait]") {
    KernelFixture kernel;
    const auto stop_of = [&](bool semaphore_too) {
        return kernel.run([=] {
            KEVENT event;
            KSEMAPHORE semaphore;
            KeInitializeEvent(&event, NotificationEvent, FALSE);
            KeInitializeSemaphore(&semaphore, 0, 2);
            KeReleaseSemaphore(&semaphore, 0, 1, TRUE);
            wait(&semaphore);
            KIRQL irql;
            KeRaiseIrql(APC_LEVEL, &irql);
            KeSetEvent(&event, 0, TRUE);
            wait(&event);
            if (semaphore_too) KeReleaseSemaphore(&semaphore, 0, 1, TRUE);
            KeLowerIrql(irql);
        });
    };
    SECTION("right") { check_finished(stop_of(false)); }
    SECTION("wrong") {
        const ke::Stop stop = stop_of(true);
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00020016);
        CHECK(stop.parameters[1] == APC_LEVEL);
        CHECK(stop.parameters[2] == PASSIVE_LEVEL);
    }
}
