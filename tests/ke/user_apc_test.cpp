// User APCs and alerts: delivered to an application that waits alertably, on its stack, before its service returns.
#include "machines.hpp"

#include "ke/apc.hpp"
#include "ke/system_service.hpp"

#include <stdexcept>

using namespace ke_test;

extern "C" {
VOID NTAPI KeInitializeApc(PRKAPC, PRKTHREAD, int, ke::KernelRoutine, ke::RundownRoutine, ke::NormalRoutine,
                           KPROCESSOR_MODE, PVOID);
BOOLEAN NTAPI KeInsertQueueApc(PRKAPC, PVOID, PVOID, KPRIORITY);
BOOLEAN NTAPI KeRemoveQueueApc(PRKAPC);
BOOLEAN NTAPI KeAlertThread(PKTHREAD, KPROCESSOR_MODE);
BOOLEAN NTAPI KeTestAlertThread(KPROCESSOR_MODE);
}

namespace {

constexpr int original_environment = 0;

void nothing(PKAPC, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) {}

// As an application's NtDelayExecution would: user mode, alertable.
NTSTATUS sleep_alertably(std::int64_t us) {
    return ke::system_service([&] {
        LARGE_INTEGER time = relative_us(us);
        return KeDelayExecutionThread(UserMode, TRUE, &time);
    });
}

NTSTATUS in_kernel(const std::function<NTSTATUS()>& body) {
    return ke::system_service([&] { return body(); });
}

struct Script {
    std::string text;
    KAPC apc[4];
    ke::Thread* thread = nullptr;

    static void NTAPI kernel_routine(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID* argument1, PVOID*) {
        auto& script = *static_cast<Script*>(*argument1);
        CHECK(KeGetCurrentIrql() == APC_LEVEL);
        CHECK(apc->Inserted == FALSE);
        script.text += 'k';
    }
    static void NTAPI user_routine(PVOID context, PVOID argument1, PVOID argument2) {
        auto& script = *static_cast<Script*>(argument1);
        script.text += *static_cast<const char*>(context);
        CHECK(ke::current_thread()->side == ke::Side::user);
        CHECK(argument2 == &script);
        char here = 0;
        const auto& self = *ke::current_thread();
        CHECK(reinterpret_cast<std::byte*>(&here) > self.user_stack_low);
        CHECK(reinterpret_cast<std::byte*>(&here) < self.user_stack_top);
        CHECK(in_kernel([] {
                  CHECK(ke::current_thread()->previous_mode == UserMode);
                  return STATUS_SUCCESS;
              }) == STATUS_SUCCESS);
    }
    bool queue(unsigned which, const char* name) {
        KeInitializeApc(&apc[which], ke::as_kthread(thread), original_environment, kernel_routine, nullptr,
                        user_routine, UserMode, const_cast<char*>(name));
        return KeInsertQueueApc(&apc[which], this, this, 0) != FALSE;
    }
};

} // namespace

TEST_CASE("a user APC ends an alertable wait and runs in the application before its service returns",
          "[ke][apc][user]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        ke::Process& process = kernel.create_process();
        Script script;
        check_finished(kernel.run_as_application(process, [&] {
            script.thread = ke::current_thread();
            // Queued by the thread itself: nothing runs until it waits alertably.
            in_kernel(
                [&] { return script.queue(0, "a") && script.queue(1, "b") ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL; });
            CHECK(script.text.empty());
            CHECK(in_kernel([] {
                      LARGE_INTEGER time = relative_us(10);
                      CHECK(KeDelayExecutionThread(UserMode, FALSE, &time) == STATUS_SUCCESS);
                      CHECK(KeDelayExecutionThread(KernelMode, TRUE, &time) == STATUS_SUCCESS);
                      return STATUS_SUCCESS;
                  }) == STATUS_SUCCESS);
            CHECK(script.text.empty());
            CHECK(sleep_alertably(1'000'000) == STATUS_USER_APC);
            CHECK(script.text == "kakb"); // all that was queued
            CHECK(now_us() < 500'000);
            CHECK(sleep_alertably(10) == STATUS_SUCCESS);
            in_kernel([&] {
                script.queue(2, "c");
                CHECK_FALSE(KeInsertQueueApc(&script.apc[2], nullptr, nullptr, 0)); // it is queued already
                CHECK(KeRemoveQueueApc(&script.apc[2]));
                CHECK_FALSE(KeRemoveQueueApc(&script.apc[2]));
                return STATUS_SUCCESS;
            });
            CHECK(sleep_alertably(10) == STATUS_SUCCESS);
            CHECK(script.text == "kakb");
        }));
    });
}

TEST_CASE("a user APC reaches a thread that waits already; one queued by an APC is delivered with it",
          "[ke][apc][user]") {
    KernelFixture kernel({}, shape(2, 3));
    ke::Process& process = kernel.create_process();
    static Script script;
    script = {};
    static KDPC dpc;
    static KTIMER timer;
    check_finished(kernel.run_as_application(process, [&] {
        script.thread = ke::current_thread();
        in_kernel([] {
            KeInitializeTimer(&timer);
            KeInitializeDpc(
                &dpc, [](PKDPC, PVOID, PVOID, PVOID) { script.queue(0, "a"); }, nullptr);
            KeSetTimer(&timer, relative_us(300), &dpc);
            return STATUS_SUCCESS;
        });
        const std::uint64_t before = now_us();
        CHECK(sleep_alertably(1'000'000) == STATUS_USER_APC);
        CHECK(now_us() - before < 1'000);
        CHECK(script.text == "ka");
        // Nested: an APC routine that waits alertably lets the next in.
        static int depth = 0;
        depth = 0;
        static KAPC outer;
        in_kernel([] {
            KeInitializeApc(
                &outer, KeGetCurrentThread(), original_environment, nothing, nullptr,
                [](PVOID, PVOID, PVOID) {
                    ++depth;
                    in_kernel([] { return script.queue(1, "n") ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL; });
                    if (sleep_alertably(1'000'000) == STATUS_USER_APC) ++depth;
                },
                UserMode, nullptr);
            KeInsertQueueApc(&outer, nullptr, nullptr, 0);
            return STATUS_SUCCESS;
        });
        CHECK(sleep_alertably(1'000'000) == STATUS_USER_APC);
        CHECK(depth == 2);
        CHECK(script.text == "kakn");
    }));
}

TEST_CASE("an exception of an APC routine unwinds the application through its service", "[ke][apc][user]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    static KAPC apc;
    check_finished(kernel.run_as_application(process, [&] {
        in_kernel([] {
            KeInitializeApc(
                &apc, KeGetCurrentThread(), original_environment, nothing, nullptr,
                [](PVOID, PVOID, PVOID) { throw std::runtime_error("from the APC"); }, UserMode, nullptr);
            KeInsertQueueApc(&apc, nullptr, nullptr, 0);
            return STATUS_SUCCESS;
        });
        CHECK_THROWS_AS(sleep_alertably(1000), std::runtime_error);
        CHECK(sleep_alertably(10) == STATUS_SUCCESS);
    }));
}

TEST_CASE("a machine that stops in an APC routine unwinds it and who waited", "[ke][apc][user]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    static KAPC apc;
    static int unwound;
    unwound = 0;
    struct Counter {
        ~Counter() { ++unwound; }
    };
    const ke::Stop stop = kernel.run_as_application(process, [&] {
        const Counter outer;
        in_kernel([] {
            KeInitializeApc(
                &apc, KeGetCurrentThread(), original_environment, nothing, nullptr,
                [](PVOID, PVOID, PVOID) {
                    const Counter inner;
                    in_kernel([]() -> NTSTATUS { KeBugCheckEx(0x1234, 1, 2, 3, 4); });
                },
                UserMode, nullptr);
            KeInsertQueueApc(&apc, nullptr, nullptr, 0);
            return STATUS_SUCCESS;
        });
        try {
            sleep_alertably(1000);
        } catch (const ke::Stopped&) {
            unwound += 10;
        }
    });
    check_bug_check(stop, 0x1234, 1);
    CHECK(unwound == 12);
}

TEST_CASE("a kernel routine may take the user routine away; KernelMode waits keep user APCs out", "[ke][apc][user]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    static KAPC apc;
    check_finished(kernel.run_as_application(process, [&] {
        in_kernel([] {
            KeInitializeApc(
                &apc, KeGetCurrentThread(), original_environment,
                [](PKAPC, ke::NormalRoutine* normal, PVOID*, PVOID*, PVOID*) { *normal = nullptr; }, nullptr,
                [](PVOID, PVOID, PVOID) { FAIL("it was taken away"); }, UserMode, nullptr);
            KeInsertQueueApc(&apc, nullptr, nullptr, 0);
            LARGE_INTEGER time = relative_us(10);
            CHECK(KeDelayExecutionThread(KernelMode, TRUE, &time) == STATUS_SUCCESS);
            CHECK_FALSE(KeTestAlertThread(UserMode)); // makes it pending
            CHECK(ke::current_thread()->user_apc_pending == 1);
            CHECK(KeDelayExecutionThread(UserMode, FALSE, &time) == STATUS_USER_APC);
            return STATUS_SUCCESS;
        });
        CHECK(apc.Inserted == FALSE);
        CHECK(ke::current_thread()->user_apc_pending == 0);
    }));
}

TEST_CASE("alerts end alertable waits of their mode, and are kept until one", "[ke][apc][alert]") {
    KernelFixture kernel({}, shape(2, 1));
    ke::Thread* sleeper = nullptr;
    NTSTATUS statuses[4] = {-1, -1, -1, -1};
    Bodies bodies;
    bodies.push_back([&] {
        sleeper = ke::current_thread();
        LARGE_INTEGER second = relative_us(1'000'000);
        statuses[0] = KeDelayExecutionThread(KernelMode, TRUE, &second);
        statuses[1] = KeDelayExecutionThread(UserMode, TRUE, &second);
        LARGE_INTEGER short_time = relative_us(1'000);
        statuses[2] = KeDelayExecutionThread(KernelMode, FALSE, &short_time);
        CHECK(KeTestAlertThread(KernelMode)); // came meanwhile, and was kept
        CHECK_FALSE(KeTestAlertThread(KernelMode));
        CHECK_FALSE(KeAlertThread(KeGetCurrentThread(), UserMode));
        CHECK(KeAlertThread(KeGetCurrentThread(), UserMode));
        statuses[3] = KeDelayExecutionThread(UserMode, TRUE, &second);
    });
    bodies.push_back([&] {
        sleep_us(100);
        CHECK_FALSE(KeAlertThread(ke::as_kthread(sleeper), KernelMode));
        sleep_us(100);
        CHECK_FALSE(KeAlertThread(ke::as_kthread(sleeper), KernelMode)); // ends waits in user mode, too
        sleep_us(100);
        CHECK_FALSE(KeAlertThread(ke::as_kthread(sleeper), KernelMode)); // not alertable: kept
        CHECK(KeAlertThread(ke::as_kthread(sleeper), KernelMode));
    });
    check_finished(kernel.run(bodies));
    CHECK(statuses[0] == STATUS_ALERTED);
    CHECK(statuses[1] == STATUS_ALERTED);
    CHECK(statuses[2] == STATUS_SUCCESS);
    CHECK(statuses[3] == STATUS_ALERTED);
}

TEST_CASE("a driver's kernel APC passes the callout door", "[ke][apc]") {
    KernelFixture kernel;
    static KAPC apc;
    check_bug_check(kernel.run([] {
        KeInitializeApc(
            &apc, KeGetCurrentThread(), original_environment,
            [](PKAPC, ke::NormalRoutine*, PVOID*, PVOID*, PVOID*) { KeEnterCriticalRegion(); }, nullptr, nullptr,
            KernelMode, nullptr);
        KeInsertQueueApc(&apc, nullptr, nullptr, 0);
    }),
                    DRIVER_VERIFIER_DETECTED_VIOLATION, 0xC5);
}
