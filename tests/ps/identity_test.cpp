// Processes and threads by identifier and by handle: opened, asked, attached to, ended.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ob/inherit.hpp"
#include "ob/services.hpp"
#include "ps/process_info.hpp"
#include "ps/services.hpp"

#include <cstring>
#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

struct IdentityFixture : ProcessFixture {
    ke::Process* make(const ps::ProcessStart& start) {
        ke::Process* process = nullptr;
        return NT_SUCCESS(ps::create_process(machine(), start, process)) ? process : nullptr;
    }
};

HANDLE id_of(const ke::Process& process) { return reinterpret_cast<HANDLE>(process.id); }

NTSTATUS open_process(HANDLE id, ACCESS_MASK access, HANDLE* handle, ULONG flags = OBJ_KERNEL_HANDLE,
                      HANDLE thread = nullptr) {
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, nullptr, flags, nullptr, nullptr);
    CLIENT_ID client{id, thread};
    return ZwOpenProcess(handle, access, &attributes, &client);
}

ACCESS_MASK granted(HANDLE handle) {
    PUBLIC_OBJECT_BASIC_INFORMATION information{};
    return ZwQueryObject(handle, ObjectBasicInformation, &information, sizeof information, nullptr) == STATUS_SUCCESS
               ? information.GrantedAccess
               : 0;
}

void sleep_for_ever(void* done) {
    struct AtEnd {
        bool* flag;
        ~AtEnd() { *flag = true; }
    };
    try {
        const AtEnd at_end{static_cast<bool*>(done)};
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        for (;;) NtWaitForSingleObject(event, FALSE, nullptr);
    } catch (const ke::Stopped&) {
    }
}

} // namespace

TEST_CASE_METHOD(IdentityFixture, "a process is opened by its identifier, with the rights asked for") {
    const auto stop = run([&] {
        ke::Process* process = make({.name = "App"});
        HANDLE handle = nullptr;
        REQUIRE(open_process(id_of(*process), PROCESS_TERMINATE | PROCESS_DUP_HANDLE, &handle) == STATUS_SUCCESS);
        CHECK(ObIsKernelHandle(handle));
        CHECK(granted(handle) == (PROCESS_TERMINATE | PROCESS_DUP_HANDLE));
        void* body = nullptr;
        REQUIRE(ObReferenceObjectByHandle(handle, 0, *PsProcessType, KernelMode, &body, nullptr) == STATUS_SUCCESS);
        CHECK(body == process);
        ObDereferenceObject(body);
        ZwClose(handle);
        handle = nullptr;
        CHECK(open_process(reinterpret_cast<HANDLE>(0x7FFC), 1, &handle) == STATUS_INVALID_CID);
        CHECK(open_process(nullptr, 1, &handle) == STATUS_INVALID_CID);
        CHECK(open_process(id_of(*process), 1, &handle, 0, PsGetCurrentThreadId()) == STATUS_INVALID_CID);
        CHECK(open_process(PsGetCurrentProcessId(), 1, &handle, 0, PsGetCurrentThreadId()) == STATUS_SUCCESS);
        ZwClose(handle);
        OBJECT_ATTRIBUTES attributes;
        UNICODE_STRING name{2, 2, const_cast<PWSTR>(u"x")};
        InitializeObjectAttributes(&attributes, &name, 0, nullptr, nullptr);
        CLIENT_ID client{id_of(*process), nullptr};
        CHECK(ZwOpenProcess(&handle, 1, &attributes, &client) == STATUS_INVALID_PARAMETER_MIX);
        InitializeObjectAttributes(&attributes, nullptr, 0, nullptr, nullptr);
        CHECK(ZwOpenProcess(&handle, 1, &attributes, nullptr) == STATUS_INVALID_PARAMETER_MIX);
        client = {nullptr, PsGetCurrentThreadId()};
        REQUIRE(ZwOpenThread(&handle, THREAD_ALL_ACCESS, &attributes, &client) == STATUS_SUCCESS);
        REQUIRE(ObReferenceObjectByHandle(handle, 0, *PsThreadType, KernelMode, &body, nullptr) == STATUS_SUCCESS);
        CHECK(body == PsGetCurrentThread());
        ObDereferenceObject(body);
        ZwClose(handle);
        client = {id_of(*process), PsGetCurrentThreadId()};
        CHECK(ZwOpenThread(&handle, 1, &attributes, &client) == STATUS_INVALID_CID);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "those that log on are in session 1, the system in session 0, whoever is asked") {
    const auto stop = run([&] {
        const auto session = static_cast<PROCESSINFOCLASS>(24); // ProcessSessionInformation
        const se::Account accounts[] = {se::Account::system, se::Account::administrator, se::Account::user};
        for (const se::Account& account : accounts) {
            ke::Process* process = make({.name = "App", .account = &account});
            REQUIRE(process != nullptr);
            const ULONG expected = account == se::Account::system ? 0 : 1;
            PEPROCESS body = ps::as_eprocess(process);
            CHECK(PsGetProcessSessionId(body) == expected);
            HANDLE handle = nullptr;
            REQUIRE(open_process(id_of(*process), PROCESS_ALL_ACCESS, &handle) == STATUS_SUCCESS);
            ULONG told = 7, needed = 0;
            CHECK(ZwQueryInformationProcess(handle, session, &told, sizeof told, &needed) == STATUS_SUCCESS);
            CHECK(told == expected);
            CHECK(needed == sizeof told);
            PACCESS_TOKEN token = PsReferencePrimaryToken(body);
            CHECK(SeQuerySessionIdToken(token, &told) == STATUS_SUCCESS);
            CHECK(told == expected);
            PsDereferencePrimaryToken(token);
            KeAttachProcess(reinterpret_cast<PRKPROCESS>(body));
            CHECK(PsGetCurrentProcessSessionId() == expected);
            KeDetachProcess();
            ZwClose(handle);
            ob::dereference(process);
        }
        CHECK(PsGetCurrentProcessSessionId() == 0);
        CHECK(PsGetProcessSessionId(PsInitialSystemProcess) == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "what a process and a thread are asked") {
    const auto stop = run([&] {
        ke::Process* process = make({.name = "app.exe", .image_name = u"\\??\\C:\\app.exe"});
        HANDLE handle = nullptr;
        REQUIRE(open_process(id_of(*process), PROCESS_ALL_ACCESS, &handle) == STATUS_SUCCESS);
        PROCESS_BASIC_INFORMATION basic{};
        ULONG needed = 0;
        CHECK(ZwQueryInformationProcess(handle, ProcessBasicInformation, &basic, sizeof basic - 1, &needed) ==
              STATUS_INFO_LENGTH_MISMATCH);
        REQUIRE(ZwQueryInformationProcess(handle, ProcessBasicInformation, &basic, sizeof basic, &needed) ==
                STATUS_SUCCESS);
        CHECK(needed == sizeof basic);
        CHECK(basic.ExitStatus == STATUS_PENDING);
        CHECK(basic.UniqueProcessId == process->id);
        CHECK(basic.InheritedFromUniqueProcessId == machine().system_process->id);
        CHECK(basic.BasePriority == 8);
        CHECK(PsGetProcessInheritedFromUniqueProcessId(ps::as_eprocess(process)) ==
              PsGetProcessId(PsInitialSystemProcess));
        alignas(8) char buffer[64];
        CHECK(ZwQueryInformationProcess(handle, ProcessImageFileName, buffer, 45, &needed) ==
              STATUS_INFO_LENGTH_MISMATCH);
        CHECK(needed == 16 + 2 * 15);
        REQUIRE(ZwQueryInformationProcess(handle, ProcessImageFileName, buffer, sizeof buffer, &needed) ==
                STATUS_SUCCESS);
        const auto& name = *reinterpret_cast<UNICODE_STRING*>(buffer);
        CHECK(std::u16string_view(name.Buffer, name.Length / 2) == u"\\??\\C:\\app.exe");
        ULONG_PTR port = 1;
        CHECK(ZwQueryInformationProcess(handle, ProcessDebugPort, &port, sizeof port, nullptr) == STATUS_SUCCESS);
        CHECK(port == 0);
        CHECK(ZwQueryInformationProcess(handle, static_cast<PROCESSINFOCLASS>(999), &port, sizeof port, nullptr) ==
              STATUS_INVALID_INFO_CLASS);
        CHECK(ZwQueryInformationProcess(nullptr, ProcessBasicInformation, &basic, sizeof basic, nullptr) ==
              STATUS_INVALID_HANDLE);
        CHECK(ZwQueryInformationProcess(NtCurrentThread(), ProcessBasicInformation, &basic, sizeof basic, nullptr) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        PUNICODE_STRING located = nullptr;
        REQUIRE(SeLocateProcessImageName(ps::as_eprocess(process), &located) == STATUS_SUCCESS);
        CHECK(std::u16string_view(located->Buffer, located->Length / 2) == u"\\??\\C:\\app.exe");
        ExFreePool(located);
        CHECK(SeLocateProcessImageName(PsInitialSystemProcess, &located) == STATUS_NOT_FOUND);
        CHECK(located == nullptr);
        CHECK(std::string(reinterpret_cast<char*>(PsGetProcessImageFileName(ps::as_eprocess(process)))) == "app.exe");
        CHECK(PsGetProcessStartKey(ps::as_eprocess(process)) != PsGetProcessStartKey(PsInitialSystemProcess));
        CHECK(PsGetProcessStartKey(ps::as_eprocess(process)) >> 48 == 1);

        struct {
            NTSTATUS status;
            PVOID teb;
            CLIENT_ID client;
            ULONG_PTR affinity;
            LONG priority, base;
        } thread{};
        REQUIRE(ZwQueryInformationThread(NtCurrentThread(), ThreadBasicInformation, &thread, sizeof thread, &needed) ==
                STATUS_SUCCESS);
        CHECK(needed == sizeof thread);
        CHECK(thread.status == STATUS_PENDING);
        CHECK(thread.client.UniqueThread == PsGetCurrentThreadId());
        CHECK(thread.client.UniqueProcess == PsGetCurrentProcessId());
        CHECK(thread.priority == KeQueryPriorityThread(KeGetCurrentThread()));
        KERNEL_USER_TIMES times{};
        REQUIRE(ZwQueryInformationThread(NtCurrentThread(), ThreadTimes, &times, sizeof times, nullptr) ==
                STATUS_SUCCESS);
        CHECK(times.CreateTime.QuadPart == PsGetThreadCreateTime(PsGetCurrentThread()));
        CHECK(times.CreateTime.QuadPart != 0);
        LONG priority = 12;
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadPriority, &priority, sizeof priority) == STATUS_SUCCESS);
        CHECK(KeQueryPriorityThread(KeGetCurrentThread()) == 12);
        priority = 0;
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadPriority, &priority, sizeof priority) ==
              STATUS_INVALID_PARAMETER);
        priority = 32;
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadPriority, &priority, sizeof priority) ==
              STATUS_INVALID_PARAMETER);
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadPriority, &priority, 2) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadTimes, &priority, 4) == STATUS_INVALID_INFO_CLASS);
        LONG increment = 1;
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadBasePriority, &increment, 4) == STATUS_SUCCESS);
        CHECK(KeSetBasePriorityThread(KeGetCurrentThread(), 0) == 1);
        increment = 17;
        CHECK(ZwSetInformationThread(NtCurrentThread(), ThreadBasePriority, &increment, 4) == STATUS_INVALID_PARAMETER);
        ZwClose(handle);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "what is the same everywhere: versions, no debugger, no user-mode structures") {
    const auto stop = run([&] {
        ULONG major = 0, minor = 1, build = 0;
        UNICODE_STRING pack{2, 2, nullptr};
        CHECK_FALSE(PsGetVersion(&major, &minor, &build, &pack));
        CHECK(major == 10);
        CHECK(minor == 0);
        CHECK(build == (*NtBuildNumber & 0xFFFF));
        CHECK(pack.Length == 0);
        CHECK_FALSE(PsGetVersion(nullptr, nullptr, nullptr, nullptr));
        CHECK(*InitSafeBootMode == 0);
        CHECK_FALSE(KD_DEBUGGER_ENABLED);
        CHECK(KD_DEBUGGER_NOT_PRESENT);
        CHECK(KdRefreshDebuggerNotPresent());
        machine().options.kernel_debugger = true;
        CHECK(KD_DEBUGGER_ENABLED);
        CHECK_FALSE(KD_DEBUGGER_NOT_PRESENT);
        CHECK_FALSE(KdRefreshDebuggerNotPresent());
        CHECK(PsGetCurrentProcessSessionId() == PsGetProcessSessionId(PsInitialSystemProcess));
        CHECK(PsGetProcessPeb(PsInitialSystemProcess) == nullptr);
        CHECK(PsGetProcessWow64Process(PsInitialSystemProcess) == nullptr);
        CHECK(PsGetThreadTeb(PsGetCurrentThread()) == nullptr);
        CHECK(PsGetCurrentThreadTeb() == nullptr);
        CHECK_FALSE(PsIsProcessBeingDebugged(PsInitialSystemProcess));
        CHECK(PsGetProcessExitTime().QuadPart == 0);
        CHECK(ZwCurrentProcess() == NtCurrentProcess());
        CHECK(ZwCurrentThread() == NtCurrentThread());
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "pool quota is charged and returned, each kind apart, and bounded") {
    const auto stop = run([&] {
        PsChargePoolQuota(PsInitialSystemProcess, NonPagedPool, 100);
        PsChargePoolQuota(PsInitialSystemProcess, PagedPoolCacheAligned, 50);
        const ULONG_PTR too_much = ~ULONG_PTR{0} - 10;
        CHECK(status_raised_by([&] { PsChargePoolQuota(PsInitialSystemProcess, PagedPool, too_much); }) ==
              STATUS_QUOTA_EXCEEDED);
        PsReturnPoolQuota(PsInitialSystemProcess, PagedPool, 50);
        PsReturnPoolQuota(PsInitialSystemProcess, NonPagedPool, 99);
        PsReturnPoolQuota(PsInitialSystemProcess, NonPagedPool, 2);
    });
    CHECK(stop.code == QUOTA_UNDERFLOW);
    CHECK(stop.parameters[2] == 1);
    CHECK(stop.parameters[3] == 2);
}

TEST_CASE_METHOD(IdentityFixture, "an attached thread has the other process's handles, and stays whose it is") {
    const auto stop = run([&] {
        ke::Process* process = make({.name = "App"});
        const PEPROCESS own = IoGetCurrentProcess();
        const HANDLE own_id = PsGetCurrentProcessId();
        auto* target = reinterpret_cast<PKPROCESS>(process);
        KAPC_STATE outer{}, inner{}, same{};
        KeStackAttachProcess(target, &outer);
        CHECK(IoGetCurrentProcess() == ps::as_eprocess(process));
        CHECK(PsGetCurrentProcessId() == own_id);
        CHECK(PsGetThreadProcess(PsGetCurrentThread()) == own);
        CHECK(IoThreadToProcess(PsGetCurrentThread()) == own);
        HANDLE handle = nullptr;
        REQUIRE(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        KeStackAttachProcess(target, &same);
        KeUnstackDetachProcess(&same);
        CHECK(IoGetCurrentProcess() == ps::as_eprocess(process));
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(own), &inner);
        CHECK(IoGetCurrentProcess() == own);
        KeUnstackDetachProcess(&inner);
        CHECK(IoGetCurrentProcess() == ps::as_eprocess(process));
        CHECK(ZwClose(handle) == STATUS_SUCCESS); // that process's
        KeUnstackDetachProcess(&outer);
        CHECK(IoGetCurrentProcess() == own);
        KeAttachProcess(target);
        CHECK(IoGetCurrentProcess() == ps::as_eprocess(process));
        KeDetachProcess();
        KeDetachProcess();
        CHECK(IoGetCurrentProcess() == own);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "a thread that detaches without being attached: bug check 6") {
    const auto stop = run([] {
        KAPC_STATE state{};
        KeUnstackDetachProcess(&state);
    });
    CHECK(stop.code == INVALID_PROCESS_DETACH_ATTEMPT);
}

TEST_CASE_METHOD(IdentityFixture, "a thread that ends attached, or attaches twice in the old way: bug check 5") {
    const bool twice = GENERATE(false, true);
    const auto stop = run([&] {
        KeAttachProcess(reinterpret_cast<PKPROCESS>(make({.name = "One"})));
        if (twice) KeAttachProcess(reinterpret_cast<PKPROCESS>(make({.name = "Two"})));
    });
    CHECK(stop.code == INVALID_PROCESS_ATTACH_ATTEMPT);
}

TEST_CASE_METHOD(IdentityFixture, "a terminated process's threads unwind, and it ends with the status given") {
    bool unwound = false;
    const auto stop = run([&] {
        ke::Process* process = make({.name = "App"});
        ke::Thread* thread =
            ps::create_application_thread(machine(), *process, "Main", sleep_for_ever, &unwound, nullptr);
        REQUIRE(thread != nullptr);
        LARGE_INTEGER pause;
        pause.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        HANDLE handle = nullptr, weak = nullptr;
        REQUIRE(open_process(id_of(*process), PROCESS_TERMINATE | SYNCHRONIZE, &handle) == STATUS_SUCCESS);
        REQUIRE(open_process(id_of(*process), SYNCHRONIZE, &weak, 0) == STATUS_SUCCESS);
        CHECK(NtTerminateProcess(weak, STATUS_CANCELLED) == STATUS_SUCCESS); // kernel mode: rights do not count
        CHECK(ZwTerminateProcess(handle, STATUS_SUCCESS) == STATUS_PROCESS_IS_TERMINATING);
        CHECK(ZwWaitForSingleObject(handle, FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(PsGetProcessExitStatus(ps::as_eprocess(process)) == STATUS_CANCELLED);
        CHECK(PsGetThreadExitStatus(ps::as_ethread(thread)) == STATUS_CANCELLED);
        CHECK(unwound);
        KAPC_STATE state{};
        LARGE_INTEGER now;
        KeQuerySystemTime(&now);
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(process), &state);
        const LONGLONG ended = PsGetProcessExitTime().QuadPart;
        KeUnstackDetachProcess(&state);
        CHECK(ended > PsGetProcessCreateTimeQuadPart(ps::as_eprocess(process)));
        CHECK(ended <= now.QuadPart);
        CHECK(ZwTerminateProcess(handle, STATUS_SUCCESS) == STATUS_PROCESS_IS_TERMINATING);
        CHECK(ZwTerminateProcess(nullptr, STATUS_SUCCESS) == STATUS_SUCCESS); // the others of the own process: none end
        HANDLE system = nullptr;
        REQUIRE(open_process(PsGetProcessId(PsInitialSystemProcess), PROCESS_TERMINATE, &system) == STATUS_SUCCESS);
        CHECK(ZwTerminateProcess(system, STATUS_SUCCESS) == STATUS_ACCESS_DENIED);
        CHECK(ZwTerminateProcess(NtCurrentThread(), STATUS_SUCCESS) == STATUS_OBJECT_TYPE_MISMATCH);
        ZwClose(system);
        ZwClose(weak);
        ZwClose(handle);
        // One without a thread ends at once.
        ke::Process* empty = make({.name = "Empty"});
        REQUIRE(open_process(id_of(*empty), PROCESS_TERMINATE, &handle) == STATUS_SUCCESS);
        CHECK(ZwTerminateProcess(handle, STATUS_UNSUCCESSFUL) == STATUS_SUCCESS);
        CHECK(PsGetProcessExitStatus(ps::as_eprocess(empty)) == STATUS_UNSUCCESSFUL);
        CHECK(ps::create_application_thread(machine(), *empty, "Late", sleep_for_ever, &unwound) == nullptr);
        ZwClose(handle);
        ob::dereference(empty);
        ob::dereference(thread);
        ob::dereference(process);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(IdentityFixture, "an application's handles say what they grant, and it ends itself") {
    ke::Process* process = create_process();
    NTSTATUS weak_status = 0, wrong_mode = 0;
    bool went_on = false;
    const auto stop = run_as_application(*process, {[&] {
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        CLIENT_ID client{PsGetCurrentProcessId(), nullptr};
        HANDLE weak = nullptr;
        if (NtOpenProcess(&weak, SYNCHRONIZE, &attributes, &client) != STATUS_SUCCESS) return;
        weak_status = NtTerminateProcess(weak, STATUS_SUCCESS);
        wrong_mode = NtOpenProcess(reinterpret_cast<PHANDLE>(machine().system_process), 1, &attributes, &client);
        NtTerminateProcess(NtCurrentProcess(), STATUS_CANCELLED);
        went_on = true;
    }});
    CHECK(stop.kind == ke::StopKind::none);
    CHECK(weak_status == STATUS_ACCESS_DENIED);
    CHECK(wrong_mode == STATUS_ACCESS_VIOLATION);
    CHECK_FALSE(went_on);
    CHECK(ps::object_of(*process).exit_status == STATUS_CANCELLED);
    dereference(process);
}

TEST_CASE_METHOD(IdentityFixture, "a child has the inheritable handles of its parent, under their values") {
    const auto stop = run([&] {
        ke::Process* parent = make({.name = "Parent"});
        KAPC_STATE state{};
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(parent), &state);
        HANDLE inherited[2], own = nullptr;
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, nullptr, OBJ_INHERIT, nullptr, nullptr);
        REQUIRE(ZwCreateEvent(&inherited[0], EVENT_MODIFY_STATE, &attributes, NotificationEvent, FALSE) ==
                STATUS_SUCCESS);
        REQUIRE(ZwCreateEvent(&own, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        for (int i = 0; i < 600; ++i) // beyond the first pages of a table
            REQUIRE(ZwCreateEvent(&inherited[1], EVENT_ALL_ACCESS, i == 599 ? &attributes : nullptr, NotificationEvent,
                                  FALSE) == STATUS_SUCCESS);
        KeUnstackDetachProcess(&state);
        ke::Process* plain = make({.name = "Plain", .parent = parent});
        ke::Process* child = make({.name = "Child", .parent = parent, .inherit_handles = true});
        CHECK(ob::table_of(*plain)->count == 0);
        CHECK(ob::table_of(*child)->count == 2);
        CHECK(ps::object_of(*child).parent_id == parent->id);
        KeStackAttachProcess(reinterpret_cast<PKPROCESS>(child), &state);
        CHECK(granted(inherited[0]) == EVENT_MODIFY_STATE);
        CHECK(granted(inherited[1]) == EVENT_ALL_ACCESS);
        CHECK(granted(own) == 0);
        PUBLIC_OBJECT_BASIC_INFORMATION basic{};
        CHECK(ZwQueryObject(inherited[0], ObjectBasicInformation, &basic, sizeof basic, nullptr) == STATUS_SUCCESS);
        CHECK(basic.Attributes == OBJ_INHERIT);
        CHECK(basic.HandleCount == 2);
        // The next handles fill what is free, from the lowest on.
        HANDLE next = nullptr;
        REQUIRE(ZwCreateEvent(&next, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        CHECK(next != inherited[0]);
        CHECK(ZwClose(next) == STATUS_SUCCESS);
        KeUnstackDetachProcess(&state);
        for (ke::Process* process : {plain, child, parent}) {
            HANDLE handle = nullptr;
            REQUIRE(open_process(id_of(*process), PROCESS_TERMINATE, &handle) == STATUS_SUCCESS);
            ZwTerminateProcess(handle, STATUS_SUCCESS);
            CHECK(ob::table_of(*process)->count == 0);
            ZwClose(handle);
            ob::dereference(process);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}
