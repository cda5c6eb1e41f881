#include "catch.hpp"
#include "process_fixture.hpp"

#include "mm/state.hpp"
#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

struct ApplicationFixture : ProcessFixture {
    std::int64_t objects(const ob::ObjectType& type) { return ob::type_state(ob::state_of(machine()), type).objects; }
    std::int64_t handles(const ob::ObjectType& type) { return ob::type_state(ob::state_of(machine()), type).handles; }
};

const ob::ObjectType& event_type() { return **ExEventObjectType; }

} // namespace

TEST_CASE_METHOD(ApplicationFixture, "an application's thread runs on the user side of its process") {
    ke::Process* process = create_process("Reader");
    REQUIRE(process != nullptr);
    ke::Side side{};
    HANDLE process_id = nullptr;
    NTSTATUS terminated = 0;
    BOOLEAN is_system = TRUE;
    const std::byte* local = nullptr;
    const auto stop = run_as_application(*process, {[&] {
        std::byte here{};
        local = &here;
        side = ke::current_thread()->side;
        process_id = PsGetCurrentProcessId();
        (void)ke::system_service([&] {
            is_system = PsIsSystemThread(PsGetCurrentThread());
            terminated = PsTerminateSystemThread(STATUS_SUCCESS);
            return STATUS_SUCCESS;
        });
    }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(side == ke::Side::user);
    CHECK(process_id == reinterpret_cast<HANDLE>(process->id));
    CHECK_FALSE(is_system);
    CHECK(terminated == STATUS_INVALID_PARAMETER);
    CHECK(slot().in_user_half(local));
    CHECK(std::string_view(process->name) == "Reader");
    dereference(process);
}

TEST_CASE_METHOD(ApplicationFixture,
                 "the end of the last thread closes the process's handles, and it can be waited for") {
    ke::Process* process = create_process();
    const std::int64_t processes = objects(ps::process_type);
    const std::int64_t threads = objects(ps::thread_type);
    const std::int64_t events = objects(event_type());
    std::int64_t meanwhile = 0;
    const auto stop = run_as_application(*process, {[&] {
        HANDLE event = nullptr;
        for (int i = 0; i < 10; ++i) NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        meanwhile = objects(event_type());
    }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(meanwhile == events + 10);
    CHECK(objects(event_type()) == events);
    CHECK(objects(ps::thread_type) == threads);
    CHECK(process->header.SignalState == 1);
    run([&] {
        CHECK(PsGetProcessExitStatus(ps::as_eprocess(process)) == STATUS_SUCCESS);
        CHECK(KeWaitForSingleObject(process, Executive, KernelMode, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(ps::create_application_thread(
                  machine(), *process, "Late", [](void*) {}, nullptr) == nullptr);
    });
    dereference(process);
    CHECK(objects(ps::process_type) == processes - 1);
}

TEST_CASE_METHOD(ApplicationFixture, "a process's time of creation lies where it was made") {
    const auto stop = run([&] {
        LARGE_INTEGER before, after, pause;
        pause.QuadPart = -10'000;
        KeQuerySystemTime(&before);
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        KeQuerySystemTime(&after);
        const LONGLONG created = PsGetProcessCreateTimeQuadPart(ps::as_eprocess(process));
        CHECK(created >= before.QuadPart + 10'000);
        CHECK(created <= after.QuadPart - 10'000);
        CHECK(PsGetProcessCreateTimeQuadPart(PsInitialSystemProcess) < created);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ApplicationFixture, "handles stay while another thread of the process runs") {
    ke::Process* process = create_process();
    static HANDLE shared;
    static bool made;
    NTSTATUS set = -1;
    made = false;
    const auto stop = run_as_application(
        *process, {[&] {
                       HANDLE handle = nullptr;
                       NtCreateEvent(&handle, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
                       shared = handle;
                       made = true;
                   },
                   [&] {
                       LARGE_INTEGER later;
                       later.QuadPart = -100'000;
                       (void)ke::system_service([&] { return KeDelayExecutionThread(UserMode, FALSE, &later); });
                       if (made) set = NtSetEvent(shared, nullptr);
                   }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(set == STATUS_SUCCESS);
    dereference(process);
}

TEST_CASE_METHOD(ApplicationFixture, "many processes come and go, and leave nothing") {
    const auto cycle = [&] {
        ke::Process* process = create_process();
        REQUIRE(process != nullptr);
        CHECK(run_as_application(*process, {[] {
                  HANDLE event = nullptr;
                  NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
              }}).kind == ke::StopKind::none);
        dereference(process);
    };
    cycle();
    const std::size_t free_before = slot().free_page_count();
    for (int i = 0; i < 100; ++i) cycle();
    CHECK(slot().free_page_count() == free_before);
}

TEST_CASE_METHOD(ApplicationFixture, "a thread of the kernel can run in an application's process") {
    ke::Process* process = create_process();
    static HANDLE ran_in;
    const auto stop = run([&] {
        HANDLE process_handle = nullptr;
        REQUIRE(ObOpenObjectByPointer(process, OBJ_KERNEL_HANDLE, nullptr, PROCESS_ALL_ACCESS, *PsProcessType,
                                      KernelMode, &process_handle) == STATUS_SUCCESS);
        HANDLE handle = nullptr;
        REQUIRE(PsCreateSystemThread(
                    &handle, THREAD_ALL_ACCESS, nullptr, process_handle, nullptr,
                    [](PVOID) { ran_in = PsGetCurrentProcessId(); }, nullptr) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(handle, FALSE, nullptr) == STATUS_SUCCESS);
        ZwClose(handle);
        CHECK(ZwWaitForSingleObject(process_handle, FALSE, nullptr) == STATUS_SUCCESS); // it was the only thread
        ZwClose(process_handle);
    });
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(ran_in == reinterpret_cast<HANDLE>(process->id));
    dereference(process);
}

TEST_CASE_METHOD(ApplicationFixture, "NtDuplicateObject") {
    const auto stop = run([&] {
        HANDLE event = nullptr;
        HANDLE copy = nullptr;
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        const HANDLE self = NtCurrentProcess();
        CHECK(ZwDuplicateObject(self, event, self, &copy, SYNCHRONIZE, 0, 0) == STATUS_SUCCESS);
        void* body = nullptr;
        CHECK(ob::reference_by_handle(copy, SYNCHRONIZE, &event_type(), UserMode, &body) == STATUS_SUCCESS);
        ob::dereference(body);
        CHECK(ob::reference_by_handle(copy, EVENT_MODIFY_STATE, &event_type(), UserMode, &body) ==
              STATUS_ACCESS_DENIED);
        ZwClose(copy);
        CHECK(ZwDuplicateObject(self, event, self, &copy, 0, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE) ==
              STATUS_SUCCESS);
        CHECK(ob::reference_by_handle(event, 0, nullptr, KernelMode, &body) == STATUS_INVALID_HANDLE);
        CHECK(ZwSetEvent(copy, nullptr) == STATUS_SUCCESS);
        CHECK(ZwDuplicateObject(self, reinterpret_cast<HANDLE>(0x7770), self, &event, 0, 0, 0) ==
              STATUS_INVALID_HANDLE);
        // What is not open is not closed either; what is open is, though the target is none.
        CHECK(ZwDuplicateObject(self, reinterpret_cast<HANDLE>(0x7770), self, &event, 0, 0, DUPLICATE_CLOSE_SOURCE) ==
              STATUS_INVALID_HANDLE);
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        HANDLE none = nullptr;
        CHECK(ZwDuplicateObject(self, event, NtCurrentThread(), &none, 0, 0, DUPLICATE_CLOSE_SOURCE) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(ob::reference_by_handle(event, 0, nullptr, KernelMode, &body) == STATUS_INVALID_HANDLE);
        CHECK(ZwDuplicateObject(NtCurrentThread(), copy, self, &event, 0, 0, 0) == STATUS_OBJECT_TYPE_MISMATCH);
        CHECK(ZwDuplicateObject(self, copy, nullptr, nullptr, 0, 0, 0) == STATUS_INVALID_PARAMETER);
        const std::int64_t before = handles(event_type());
        CHECK(ZwDuplicateObject(self, copy, nullptr, nullptr, 0, 0, DUPLICATE_CLOSE_SOURCE) == STATUS_SUCCESS);
        CHECK(handles(event_type()) == before - 1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(ApplicationFixture, "a machine that stops unwinds its application threads, whatever they wait for") {
    ke::Process* process = create_process();
    static unsigned unwound;
    unwound = 0;
    struct Unwinding {
        ~Unwinding() { ++unwound; }
    };
    const auto waiter = [] {
        const Unwinding here;
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        NtWaitForSingleObject(event, FALSE, nullptr);
    };
    const auto stop = run_as_application(*process, {waiter, waiter, [] {
                                                        LARGE_INTEGER later;
                                                        later.QuadPart = -100'000;
                                                        (void)ke::system_service([&] {
                                                            KeDelayExecutionThread(UserMode, FALSE, &later);
                                                            KeBugCheckEx(0x1234, 1, 2, 3, 4);
                                                            return STATUS_SUCCESS;
                                                        });
                                                    }});
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == 0x1234);
    CHECK(unwound == 2);
}
