#include "catch.hpp"
#include "process_fixture.hpp"

#include "ke/apc.hpp"
#include "ob/handle_table.hpp"
#include "ob/state.hpp"
#include "ps/state.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

struct ThreadFixture : ProcessFixture {
    std::int64_t threads() { return ob::type_state(ob::state_of(machine()), ps::thread_type).objects; }
};

VOID NTAPI set_event(PVOID event) { KeSetEvent(static_cast<PRKEVENT>(event), 0, FALSE); }
VOID NTAPI end_with_42(PVOID) { PsTerminateSystemThread(42); }
VOID NTAPI wait_for(PVOID event) { KeWaitForSingleObject(event, Executive, KernelMode, FALSE, nullptr); }

HANDLE start(PKSTART_ROUTINE routine, PVOID context, PCLIENT_ID id = nullptr) {
    HANDLE handle = nullptr;
    const NTSTATUS status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, nullptr, nullptr, id, routine, context);
    return NT_SUCCESS(status) ? handle : nullptr;
}

// Waits for the thread's end and closes the handle; returns its exit status.
NTSTATUS join(HANDLE handle) {
    void* thread = nullptr;
    if (!NT_SUCCESS(ob::reference_by_handle(handle, SYNCHRONIZE, *PsThreadType, KernelMode, &thread)))
        return STATUS_INVALID_HANDLE;
    ZwClose(handle);
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, nullptr);
    const NTSTATUS status = PsGetThreadExitStatus(static_cast<PETHREAD>(thread));
    ObDereferenceObject(thread);
    return status;
}

} // namespace

TEST_CASE_METHOD(ThreadFixture, "a driver's thread runs, is waited for, and goes") {
    std::int64_t before = 0;
    const auto stop = run([&] {
        before = threads();
        KEVENT event;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        CLIENT_ID id{};
        const HANDLE handle = start(set_event, &event, &id);
        REQUIRE(handle != nullptr);
        CHECK(ObIsKernelHandle(handle));
        CHECK(id.UniqueProcess == PsGetProcessId(PsInitialSystemProcess));
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
        CHECK(join(handle) == STATUS_SUCCESS);
        CHECK(join(start(end_with_42, nullptr)) == 42);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(threads() == before - 1); // the test's own has gone as well
}

TEST_CASE_METHOD(ThreadFixture, "a thread without handle or reference goes when it ends") {
    const auto stop = run([&] {
        KEVENT event;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        const std::int64_t before = threads();
        ZwClose(start(wait_for, &event));
        CHECK(threads() == before + 1);
        KeSetEvent(&event, 0, FALSE);
        LARGE_INTEGER later;
        later.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &later);
        CHECK(threads() == before);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "who runs") {
    const auto stop = run([&] {
        const PETHREAD self = PsGetCurrentThread();
        CHECK(PsGetThreadId(self) == PsGetCurrentThreadId());
        CHECK(PsGetThreadProcessId(self) == PsGetCurrentProcessId());
        CHECK(PsGetCurrentProcessId() == reinterpret_cast<HANDLE>(4));
        CHECK(PsGetCurrentProcess() == PsInitialSystemProcess);
        CHECK(PsGetThreadProcess(self) == PsGetCurrentProcess());
        CHECK(IoThreadToProcess(self) == PsGetCurrentProcess());
        CHECK(PsIsSystemThread(self));
        CHECK(PsIsSystemProcess(PsGetCurrentProcess()));
        CHECK_FALSE(PsIsThreadTerminating(self));
        CHECK(PsGetThreadExitStatus(self) == STATUS_PENDING);
        CHECK(PsGetProcessExitStatus(PsGetCurrentProcess()) == STATUS_PENDING);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
        CHECK(KeAreApcsDisabled()); // system threads run in a critical region
        CHECK_FALSE(KeAreAllApcsDisabled());
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "pseudo handles mean the caller") {
    const auto stop = run([&] {
        void* thread = nullptr;
        void* process = nullptr;
        CHECK(ObReferenceObjectByHandle(NtCurrentThread(), 0, *PsThreadType, KernelMode, &thread, nullptr) ==
              STATUS_SUCCESS);
        CHECK(thread == PsGetCurrentThread());
        CHECK(ObReferenceObjectByHandle(NtCurrentProcess(), 0, *PsProcessType, KernelMode, &process, nullptr) ==
              STATUS_SUCCESS);
        CHECK(process == PsGetCurrentProcess());
        void* none = nullptr;
        CHECK(ObReferenceObjectByHandle(NtCurrentProcess(), 0, *PsThreadType, KernelMode, &none, nullptr) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        ObDereferenceObject(thread);
        ObDereferenceObject(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "threads and processes by identifier") {
    const auto stop = run([&] {
        PETHREAD thread = nullptr;
        PEPROCESS process = nullptr;
        REQUIRE(PsLookupThreadByThreadId(PsGetCurrentThreadId(), &thread) == STATUS_SUCCESS);
        CHECK(thread == PsGetCurrentThread());
        REQUIRE(PsLookupProcessByProcessId(reinterpret_cast<HANDLE>(4), &process) == STATUS_SUCCESS);
        CHECK(process == PsGetCurrentProcess());
        CHECK(PsLookupThreadByThreadId(reinterpret_cast<HANDLE>(3), &thread) == STATUS_INVALID_PARAMETER);
        CHECK(PsLookupProcessByProcessId(reinterpret_cast<HANDLE>(3), &process) == STATUS_INVALID_CID);
        ObDereferenceObject(PsGetCurrentThread());
        ObDereferenceObject(PsGetCurrentProcess());
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "what a thread cannot be created with") {
    const auto stop = run([&] {
        HANDLE handle = nullptr;
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, OBJ_PERMANENT, nullptr, nullptr);
        CHECK(PsCreateSystemThread(&handle, 0, &attributes, nullptr, nullptr, set_event, nullptr) ==
              STATUS_INVALID_PARAMETER);
        CHECK(PsCreateSystemThread(&handle, 0, nullptr, NtCurrentThread(), nullptr, set_event, nullptr) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(PsCreateSystemThread(&handle, 0, nullptr, reinterpret_cast<HANDLE>(0x888), nullptr, set_event, nullptr) ==
              STATUS_INVALID_HANDLE);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "a thread that ends in a region, or left one too many, is bug check 0x20") {
    SECTION("critical region") {
        const auto stop = run([] {
            KeEnterCriticalRegion();
            PsTerminateSystemThread(STATUS_SUCCESS);
        });
        CHECK(stop.code == KERNEL_APC_PENDING_DURING_EXIT);
        CHECK(stop.parameters[0] == 0);
        CHECK(static_cast<std::int64_t>(stop.parameters[1]) == -2); // the one that system threads start in, and this
        CHECK(stop.parameters[2] == PASSIVE_LEVEL);
    }
    SECTION("guarded region") {
        const auto stop = run([] {
            KeEnterGuardedRegion();
            PsTerminateSystemThread(STATUS_SUCCESS);
        });
        CHECK(stop.code == KERNEL_APC_PENDING_DURING_EXIT);
    }
    SECTION("left once too often") {
        const auto stop = run([] {
            KeLeaveCriticalRegion();
            PsTerminateSystemThread(STATUS_SUCCESS);
        });
        CHECK(stop.code == KERNEL_APC_PENDING_DURING_EXIT);
        CHECK(stop.parameters[1] == 0);
    }
}

TEST_CASE_METHOD(ThreadFixture, "a normal kernel APC held back in a system thread is delivered before it ends") {
    static unsigned delivered;
    delivered = 0;
    const auto stop = run([] {
        static KAPC apc;
        ke::initialize_apc(
            apc, *ke::current_thread(), [](auto...) {}, nullptr, [](auto...) { ++delivered; }, KernelMode, nullptr);
        ke::insert_apc(apc, nullptr, nullptr, 0);
        KeRaiseIrqlToDpcLevel();
        KeLowerIrql(PASSIVE_LEVEL);
        CHECK(delivered == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(delivered == 1);
}

TEST_CASE_METHOD(ThreadFixture, "the io rundown runs on the ending thread, at PASSIVE_LEVEL") {
    static ke::Thread* ran;
    static KIRQL level;
    ran = nullptr;
    level = HIGH_LEVEL;
    ke::Thread* self = nullptr;
    static ke::Thread* ended;
    ended = nullptr;
    ps::IoRundown rundown{};
    rundown.thread_ends = [](ke::Thread& thread) {
        if (&thread == ke::current_thread()) ran = &thread;
        level = KeGetCurrentIrql();
    };
    rundown.thread_ended = [](ke::Thread& thread) {
        ended = &thread;
        return false;
    };
    ps::set_io_rundown(machine(), rundown);
    run([&] { self = ke::current_thread(); });
    CHECK(ran == self);
    CHECK(ended == self);
    CHECK(level == PASSIVE_LEVEL);
}

TEST_CASE_METHOD(ThreadFixture, "a work item must not end its worker thread") {
    const auto stop = run([] {
        static WORK_QUEUE_ITEM item;
        ExInitializeWorkItem(&item, end_with_42, nullptr);
        ExQueueWorkItem(&item, DelayedWorkQueue);
        LARGE_INTEGER later;
        later.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &later);
    });
    CHECK(stop.code == ACTIVE_EX_WORKER_THREAD_TERMINATION);
}

TEST_CASE_METHOD(ThreadFixture, "a worker thread is an object like any other") {
    static std::uint64_t id;
    const auto stop = run([] {
        static WORK_QUEUE_ITEM item;
        ExInitializeWorkItem(
            &item,
            [](PVOID) {
                ObReferenceObject(PsGetCurrentThread());
                id = reinterpret_cast<std::uint64_t>(PsGetCurrentThreadId());
                ObDereferenceObject(PsGetCurrentThread());
            },
            nullptr);
        ExQueueWorkItem(&item, DelayedWorkQueue);
        LARGE_INTEGER later;
        later.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &later);
        PETHREAD worker = nullptr;
        CHECK(PsLookupThreadByThreadId(reinterpret_cast<HANDLE>(id), &worker) == STATUS_SUCCESS);
        ObDereferenceObject(worker);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "priorities") {
    const auto stop = run([&] {
        const PKTHREAD self = KeGetCurrentThread();
        CHECK(KeSetPriorityThread(self, 12) == 8);
        CHECK(KeQueryPriorityThread(self) == 12);
        CHECK(KeSetPriorityThread(self, LOW_REALTIME_PRIORITY) == 12);
        CHECK(KeSetBasePriorityThread(self, 2) == 0);
        CHECK(KeQueryPriorityThread(self) == 10);
        CHECK(KeSetBasePriorityThread(self, 16) == 2);
        CHECK(KeQueryPriorityThread(self) == 15);
        CHECK(KeSetBasePriorityThread(self, -16) == 7);
        CHECK(KeQueryPriorityThread(self) == 1);
        CHECK(KeSetBasePriorityThread(self, 0) == -7);
        CHECK(KeQueryPriorityThread(self) == 8);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "a new thread of higher priority runs before the call that raised it returns") {
    const auto stop = run([] {
        static bool done;
        done = false;
        const HANDLE handle = start([](PVOID) { done = true; }, nullptr);
        void* thread = nullptr;
        REQUIRE(ob::reference_by_handle(handle, 0, *PsThreadType, KernelMode, &thread) == STATUS_SUCCESS);
        KeSetPriorityThread(static_cast<PKTHREAD>(thread), 16);
        CHECK(done);
        ObDereferenceObject(thread);
        ZwClose(handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a system affinity moves the thread at once") {
    ke::MachineOptions options;
    options.processors = 4;
    ProcessFixture kernel(options);
    const auto stop = kernel.run([] {
        for (const ULONG processor : {2u, 0u, 3u, 1u}) {
            const KAFFINITY before = KeSetSystemAffinityThreadEx(KAFFINITY{1} << processor);
            CHECK(KeGetCurrentProcessorNumberEx(nullptr) == processor);
            CHECK((before == 0) == (processor == 2));
        }
        CHECK(KeSetSystemAffinityThreadEx(0x100) == 0x2); // no such processor: nothing changes
        CHECK(KeSetSystemAffinityThreadEx(0x3) == 0x2);
        KeRevertToUserAffinityThreadEx(0x8);
        CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 3);
        KeRevertToUserAffinityThread();
        CHECK(KeSetSystemAffinityThreadEx(0xF) == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a group affinity moves the thread, and what was before comes back") {
    ke::MachineOptions options;
    options.processors = 4;
    ProcessFixture kernel(options);
    const auto stop = kernel.run([] {
        GROUP_AFFINITY before{1, 1, {}};
        GROUP_AFFINITY affinity{0x4, 0, {}};
        KeSetSystemGroupAffinityThread(&affinity, &before);
        CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 2);
        CHECK(before.Mask == 0); // it ran under its own
        CHECK(before.Group == 0);
        GROUP_AFFINITY second{};
        affinity.Mask = 0x2;
        KeSetSystemGroupAffinityThread(&affinity, &second);
        CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 1);
        CHECK(second.Mask == 0x4);
        for (const GROUP_AFFINITY wrong : {GROUP_AFFINITY{0x1, 1, {}}, {0, 0, {}}, {0x10, 0, {}}}) {
            GROUP_AFFINITY none{7, 7, {}};
            affinity = wrong;
            KeSetSystemGroupAffinityThread(&affinity, &none);
            CHECK(none.Mask == 0);
            CHECK(none.Group == 0);
            CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 1);
        }
        KeRevertToUserGroupAffinityThread(&second);
        CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 2);
        KeRevertToUserGroupAffinityThread(&before);
        CHECK(KeSetSystemAffinityThreadEx(0xF) == 0); // its own again
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a system affinity that is set at DISPATCH_LEVEL moves the thread when the IRQL falls") {
    ke::MachineOptions options;
    options.processors = 4;
    ProcessFixture kernel(options);
    const auto stop = kernel.run([] {
        const auto move_raised = [](KAFFINITY affinity) {
            const ULONG before = KeGetCurrentProcessorNumberEx(nullptr);
            const KIRQL old = KeRaiseIrqlToDpcLevel();
            if (affinity == 0) {
                KeRevertToUserAffinityThread();
            } else {
                KeSetSystemAffinityThread(affinity);
            }
            CHECK(KeGetCurrentProcessorNumberEx(nullptr) == before);
            KeLowerIrql(old);
        };
        for (const ULONG processor : {2u, 0u, 3u, 1u}) {
            move_raised(KAFFINITY{1} << processor);
            CHECK(KeGetCurrentProcessorNumberEx(nullptr) == processor);
        }
        move_raised(0); // anywhere again: it stays
        CHECK(KeGetCurrentProcessorNumberEx(nullptr) == 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ThreadFixture, "a thread object that was overrun is found when the thread goes") {
    const auto stop = run([&] {
        KEVENT event;
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        void* thread = nullptr;
        const HANDLE handle = start(wait_for, &event);
        REQUIRE(ob::reference_by_handle(handle, 0, *PsThreadType, KernelMode, &thread) == STATUS_SUCCESS);
        ZwClose(handle);
        static_cast<UCHAR*>(thread)[sizeof(ps::ThreadObject)] ^= 1;
        ObDereferenceObject(thread);
        KeSetEvent(&event, 0, FALSE);
        LARGE_INTEGER later;
        later.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &later);
    });
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == BAD_POOL_HEADER);
}

TEST_CASE("threaded DPCs run in system threads of the machine, at PASSIVE_LEVEL") {
    ke::MachineOptions options;
    options.processors = 2;
    ProcessFixture kernel(options);
    const auto stop = kernel.run([] {
        static KDPC dpc;
        static bool in_system_thread;
        static KIRQL level;
        level = HIGH_LEVEL;
        KeInitializeThreadedDpc(
            &dpc,
            [](PKDPC, PVOID, PVOID, PVOID) {
                level = KeGetCurrentIrql();
                in_system_thread = PsIsSystemThread(PsGetCurrentThread()) != FALSE;
            },
            nullptr);
        CHECK(KeInsertQueueDpc(&dpc, nullptr, nullptr) != FALSE);
        KeFlushQueuedDpcs();
        CHECK(level == PASSIVE_LEVEL);
        CHECK(in_system_thread);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
