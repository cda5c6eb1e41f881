// Processes that end early, and what comes after their end.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/services.hpp"
#include "ob/state.hpp"
#include "ps/services.hpp"
#include "support/names.hpp"

#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct EndFixture : ProcessFixture {
    void in_kernel(const std::function<void()>& body) { CHECK(run(body).kind == ke::StopKind::none); }
    std::int64_t objects(const ob::ObjectType& type) { return ob::type_state(ob::state_of(machine()), type).objects; }
};

std::vector<std::string> heard;
bool end_at_process, end_at_thread;

void end(HANDLE process) {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
    CLIENT_ID id{process, nullptr};
    HANDLE handle = nullptr;
    REQUIRE(ZwOpenProcess(&handle, PROCESS_ALL_ACCESS, &attributes, &id) == STATUS_SUCCESS);
    CHECK(ZwTerminateProcess(handle, STATUS_DISK_FULL) == STATUS_SUCCESS);
    ZwClose(handle);
}
VOID process_routine(HANDLE, HANDLE process, BOOLEAN create) {
    heard.push_back(create ? "process+" : "process-");
    if (create && end_at_process) end(process);
}
VOID thread_routine(HANDLE process, HANDLE, BOOLEAN create) {
    heard.push_back(create ? "thread+" : "thread-");
    if (create && end_at_thread) end(process);
}

// Whether threads are said to be terminating, when they begin and when they end.
std::vector<BOOLEAN> terminating;
VOID ask_thread(HANDLE, HANDLE id, BOOLEAN create) {
    PETHREAD thread = PsGetCurrentThread();
    if (create) REQUIRE(PsLookupThreadByThreadId(id, &thread) == STATUS_SUCCESS);
    terminating.push_back(PsIsThreadTerminating(thread));
    if (create) ObDereferenceObject(thread);
}

struct Watched {
    explicit Watched(bool at_process) {
        heard.clear();
        end_at_process = at_process;
        end_at_thread = !at_process;
        REQUIRE(PsSetCreateProcessNotifyRoutine(process_routine, FALSE) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
    }
    ~Watched() {
        PsSetCreateProcessNotifyRoutine(process_routine, TRUE);
        PsRemoveCreateThreadNotifyRoutine(thread_routine);
    }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
};

// A handle of the kernel to it.
HANDLE open(ke::Process& process) {
    HANDLE handle = nullptr;
    REQUIRE(ObOpenObjectByPointer(&process, OBJ_KERNEL_HANDLE, nullptr, PROCESS_ALL_ACCESS, *PsProcessType, KernelMode,
                                  &handle) == STATUS_SUCCESS);
    return handle;
}

} // namespace

TEST_CASE_METHOD(EndFixture, "a thread is terminating when its end is announced, and from then on") {
    terminating.clear();
    in_kernel([&] {
        REQUIRE(PsSetCreateThreadNotifyRoutine(ask_thread) == STATUS_SUCCESS);
        HANDLE handle = nullptr;
        const auto routine = [](PVOID) {};
        REQUIRE(PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, nullptr, nullptr, nullptr, routine, nullptr) ==
                STATUS_SUCCESS);
        PVOID thread = nullptr;
        REQUIRE(ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, &thread, nullptr) == STATUS_SUCCESS);
        CHECK(ZwWaitForSingleObject(handle, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(PsRemoveCreateThreadNotifyRoutine(ask_thread) == STATUS_SUCCESS);
        CHECK(PsIsThreadTerminating(static_cast<PETHREAD>(thread)));
        CHECK_FALSE(PsIsThreadTerminating(PsGetCurrentThread()));
        ObDereferenceObject(thread);
        ZwClose(handle);
    });
    CHECK(terminating == std::vector<BOOLEAN>{FALSE, TRUE});
}

TEST_CASE_METHOD(EndFixture, "a process that has ended gets no handles any more") {
    in_kernel([&] {
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        const std::int64_t before = objects(**ExEventObjectType);
        const HANDLE target = open(*process);
        REQUIRE(ZwTerminateProcess(target, STATUS_SUCCESS) == STATUS_SUCCESS);
        KAPC_STATE state{};
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(process), &state);
        HANDLE event = nullptr;
        CHECK(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) ==
              STATUS_PROCESS_IS_TERMINATING);
        KeUnstackDetachProcess(&state);
        REQUIRE(ZwCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        HANDLE made = nullptr;
        CHECK(ZwDuplicateObject(NtCurrentProcess(), event, target, &made, 0, 0, DUPLICATE_SAME_ACCESS) ==
              STATUS_PROCESS_IS_TERMINATING);
        ZwClose(event);
        CHECK(ob::table_of(*process)->count == 0);
        CHECK(objects(**ExEventObjectType) == before);
        ZwClose(target);
        ob::dereference(process);
    });
}

TEST_CASE_METHOD(EndFixture, "a process that a notify routine ends never runs, and its end is told once") {
    const bool at_process = GENERATE(true, false);
    in_kernel([&] {
        const Watched watched(at_process);
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        bool ran = false;
        ke::Thread* thread = ps::create_application_thread(
            machine(), *process, "Main", [](void* flag) { *static_cast<bool*>(flag) = true; }, &ran);
        REQUIRE(thread != nullptr);
        CHECK(KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(process->header.SignalState == 1);
        CHECK_FALSE(ran);
        CHECK(PsGetThreadExitStatus(ps::as_ethread(thread)) == STATUS_DISK_FULL);
        CHECK(PsGetProcessExitStatus(ps::as_eprocess(process)) == STATUS_DISK_FULL);
        CHECK(heard == std::vector<std::string>{"process+", "thread+", "thread-", "process-"});
        ob::dereference(thread);
        ob::dereference(process);
    });
}

TEST_CASE_METHOD(EndFixture, "a driver's thread that was on its way when its process was ended holds that up") {
    static bool ran;
    ran = false;
    in_kernel([&] {
        const Watched watched(false);
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        const HANDLE target = open(*process);
        HANDLE handle = nullptr;
        REQUIRE(PsCreateSystemThread(
                    &handle, THREAD_ALL_ACCESS, nullptr, target, nullptr, [](PVOID) { ran = true; }, nullptr) ==
                STATUS_SUCCESS);
        CHECK(process->header.SignalState == 0);
        CHECK(ZwWaitForSingleObject(handle, FALSE, nullptr) == STATUS_SUCCESS);
        ZwClose(handle);
        CHECK(ran); // the kernel's threads end themselves
        CHECK(process->header.SignalState == 1);
        CHECK(heard == std::vector<std::string>{"thread+", "thread-", "process-"});
        CHECK(PsCreateSystemThread(
                  &handle, THREAD_ALL_ACCESS, nullptr, target, nullptr, [](PVOID) {}, nullptr) ==
              STATUS_PROCESS_IS_TERMINATING);
        ZwClose(target);
        ob::dereference(process);
    });
}

TEST_CASE_METHOD(EndFixture, "a thread that cannot be launched holds no process up") {
    in_kernel([&] {
        ke::Process* process = ps::create_process(machine(), "Application");
        REQUIRE(process != nullptr);
        const HANDLE target = open(*process);
        UNICODE_STRING name = test::unicode(u"\\NoSuchDirectory\\Thread");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, 0, nullptr, nullptr);
        HANDLE handle = nullptr;
        CHECK_FALSE(NT_SUCCESS(PsCreateSystemThread(
            &handle, THREAD_ALL_ACCESS, &attributes, target, nullptr, [](PVOID) {}, nullptr)));
        CHECK(ps::object_of(*process).live_threads == 0);
        CHECK(ZwTerminateProcess(target, STATUS_SUCCESS) == STATUS_SUCCESS);
        CHECK(process->header.SignalState == 1);
        ZwClose(target);
        ob::dereference(process);
    });
}
