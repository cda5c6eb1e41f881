// Routines that a bug check calls.
#include "machines.hpp"

#include <cstring>

using namespace ke_test;

TEST_CASE("bug-check callbacks run at HIGH_LEVEL, each once, with their buffers", "[ke][bug_check]") {
    static KBUGCHECK_CALLBACK_RECORD records[3];
    static char buffer[4];
    static std::string ran;
    static KIRQL level;
    std::memset(records, 0xFF, sizeof records);
    ran.clear();
    KernelFixture kernel({}, shape(2, 1));
    const auto routine = [](PVOID where, ULONG length) {
        static_cast<char*>(where)[0] = 'x';
        level = KeGetCurrentIrql();
        ran += static_cast<char>('0' + length);
        work(10'000); // longer than a turn
    };
    static UCHAR component[] = "test";
    Bodies bodies;
    bodies.push_back([&] { work(1'000'000); });
    bodies.push_back([&] {
        for (KBUGCHECK_CALLBACK_RECORD& record : records) KeInitializeCallbackRecord(&record);
        CHECK(KeRegisterBugCheckCallback(&records[0], routine, buffer, 1, component));
        CHECK(KeRegisterBugCheckCallback(&records[1], routine, buffer, 2, component));
        CHECK(KeRegisterBugCheckCallback(&records[2], routine, buffer, 3, component));
        CHECK_FALSE(KeRegisterBugCheckCallback(&records[2], routine, buffer, 3, component)); // it is
        CHECK(KeDeregisterBugCheckCallback(&records[1]));
        CHECK_FALSE(KeDeregisterBugCheckCallback(&records[1]));
        KeBugCheckEx(0xABCD, 1, 2, 3, 4);
    });
    const ke::Stop stop = kernel.run(bodies);
    check_bug_check(stop, 0xABCD, 1);
    CHECK(stop.irql == PASSIVE_LEVEL); // of the bug check, not of the callbacks
    CHECK(ran == "13");
    CHECK(buffer[0] == 'x');
    CHECK(level == HIGH_LEVEL);
    CHECK(records[0].State == BufferFinished);
}

TEST_CASE("a bug-check callback that misbehaves ends the machine with the first bug check all the same",
          "[ke][bug_check]") {
    static KBUGCHECK_CALLBACK_RECORD record;
    static UCHAR component[] = "test";
    PKBUGCHECK_CALLBACK_ROUTINE routine = nullptr;
    SECTION("it bug checks") {
        routine = [](PVOID, ULONG) { KeBugCheck(0x5678); };
    }
    SECTION("it waits") {
        routine = [](PVOID, ULONG) { sleep_us(100); };
    }
    SECTION("it loops") {
        routine = [](PVOID, ULONG) {
            for (;;) work(1000);
        };
    }
    SECTION("it lowers the IRQL") {
        routine = [](PVOID, ULONG) { KeLowerIrql(PASSIVE_LEVEL); };
    }
    ke::MachineOptions options = shape(2, 1);
    options.callout_budget = 50'000'000;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        KeInitializeCallbackRecord(&record);
        CHECK(KeRegisterBugCheckCallback(&record, routine, nullptr, 0, component));
        KeBugCheckEx(0xABCD, 1, 2, 3, 4);
    });
    check_bug_check(stop, 0xABCD, 1);
}

TEST_CASE("bug-check reason callbacks are registered once", "[ke][bug_check]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        KBUGCHECK_REASON_CALLBACK_RECORD record;
        UCHAR component[] = "test";
        const auto routine = [](KBUGCHECK_CALLBACK_REASON, PKBUGCHECK_REASON_CALLBACK_RECORD, PVOID, ULONG) {};
        KeInitializeCallbackRecord(&record);
        CHECK_FALSE(KeDeregisterBugCheckReasonCallback(&record));
        CHECK_FALSE(KeRegisterBugCheckReasonCallback(&record, routine, KbCallbackInvalid, component));
        CHECK(KeRegisterBugCheckReasonCallback(&record, routine, KbCallbackSecondaryDumpData, component));
        CHECK_FALSE(KeRegisterBugCheckReasonCallback(&record, routine, KbCallbackSecondaryDumpData, component));
        CHECK(KeDeregisterBugCheckReasonCallback(&record));
    }));
}
