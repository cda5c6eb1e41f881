// Notify routines: who is called when, in whose context, and what becomes of a veto.
#include "catch.hpp"
#include "process_fixture.hpp"

#include "ob/handle_table.hpp"
#include "ps/notify.hpp"
#include "ps/services.hpp"
#include "ps/state.hpp"

#include <random>
#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

struct Event {
    std::string what;
    HANDLE process, other; // parent or thread
    HANDLE in_process, in_thread;
    KIRQL irql;
    bool apcs_off;
};

std::vector<Event> events;
NTSTATUS veto = STATUS_SUCCESS;
std::u16string image, command_line;
PS_CREATE_NOTIFY_INFO seen_info;
PKEVENT entered, leave;

void note(const char* what, HANDLE process, HANDLE other) {
    events.push_back({what, process, other, PsGetCurrentProcessId(), PsGetCurrentThreadId(), KeGetCurrentIrql(),
                      KeAreApcsDisabled() != FALSE});
}

VOID process_routine(HANDLE parent, HANDLE process, BOOLEAN create) {
    note(create ? "process+" : "process-", process, parent);
}
VOID process_ex(PEPROCESS, HANDLE process, PPS_CREATE_NOTIFY_INFO info) {
    note(info != nullptr ? "ex+" : "ex-", process, nullptr);
    if (info == nullptr) return;
    seen_info = *info;
    if (info->ImageFileName->Buffer != nullptr)
        image.assign(info->ImageFileName->Buffer, info->ImageFileName->Length / 2);
    if (info->CommandLine != nullptr) command_line.assign(info->CommandLine->Buffer, info->CommandLine->Length / 2);
    if (veto != STATUS_SUCCESS) info->CreationStatus = veto;
}
VOID thread_routine(HANDLE process, HANDLE thread, BOOLEAN create) {
    note(create ? "thread+" : "thread-", process, thread);
}
VOID thread_in_itself(HANDLE process, HANDLE thread, BOOLEAN create) {
    note(create ? "itself+" : "itself-", process, thread);
}
VOID waiting_routine(HANDLE, HANDLE, BOOLEAN) {
    KeSetEvent(entered, 0, FALSE);
    KeWaitForSingleObject(leave, Executive, KernelMode, FALSE, nullptr);
}
std::u16string image_name;
IMAGE_INFO image_info;
HANDLE image_process;
VOID image_routine(PUNICODE_STRING name, HANDLE process, PIMAGE_INFO info) {
    note("image", process, nullptr);
    image_name.assign(name->Buffer, name->Length / 2);
    image_info = *info;
    image_process = process;
}

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const Event& event : events) all.push_back(event.what);
    return all;
}

struct NotifyFixture : ProcessFixture {
    NotifyFixture() {
        events.clear();
        veto = STATUS_SUCCESS;
        const auto at = reinterpret_cast<std::uintptr_t>(process_ex);
        REQUIRE(ke::add_code_range(machine(), {at, at + 1, "signed", true}));
    }
    // A process with one thread, made by the calling thread, and its end waited for.
    NTSTATUS start(const ps::ProcessStart& how, void (*body)(void*), void* context = nullptr) {
        ke::Process* process = nullptr;
        NTSTATUS status = ps::create_process(machine(), how, process);
        if (!NT_SUCCESS(status)) return status;
        last = reinterpret_cast<HANDLE>(process->id);
        ke::Thread* thread = ps::create_application_thread(machine(), *process, "Main", body, context, &status);
        REQUIRE(thread != nullptr);
        last_thread = reinterpret_cast<HANDLE>(thread->id);
        KeWaitForSingleObject(process, Executive, KernelMode, FALSE, nullptr);
        exit_status = PsGetProcessExitStatus(ps::as_eprocess(process));
        ob::dereference(thread);
        ob::dereference(process);
        return status;
    }
    HANDLE last = nullptr, last_thread = nullptr;
    NTSTATUS exit_status = 0;
};

void set_true(void* flag) { *static_cast<bool*>(flag) = true; }

} // namespace

TEST_CASE_METHOD(NotifyFixture, "process and thread routines hear of creation and end, in the documented contexts") {
    const auto stop = run([&] {
        REQUIRE(PsSetCreateProcessNotifyRoutine(process_routine, FALSE) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateProcessNotifyRoutineEx(process_ex, FALSE) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem,
                                                 reinterpret_cast<PVOID>(thread_in_itself)) == STATUS_SUCCESS);
        bool ran = false;
        CHECK(start({.name = "App", .image_name = u"\\??\\C:\\app.exe", .command_line = u"app -x"}, set_true, &ran) ==
              STATUS_SUCCESS);
        CHECK(ran);
        CHECK(names() == std::vector<std::string>{"process+", "ex+", "thread+", "itself+", "thread-", "itself-",
                                                  "process-", "ex-"});
        const HANDLE me = PsGetCurrentThreadId();
        const HANDLE system = PsGetProcessId(PsInitialSystemProcess);
        for (const int i : {0, 1, 2}) {
            CHECK(events[i].in_thread == me);
            CHECK(events[i].in_process == system);
        }
        for (const int i : {3, 4, 5, 6, 7}) {
            CHECK(events[i].in_thread == last_thread);
            CHECK(events[i].in_process == last);
        }
        for (const Event& event : events) {
            CHECK(event.process == last);
            CHECK(event.irql == PASSIVE_LEVEL);
            CHECK(event.apcs_off);
        }
        CHECK(events[0].other == system);
        CHECK(events[2].other == last_thread);
        CHECK(events[6].other == system);
        CHECK(seen_info.Size == sizeof(PS_CREATE_NOTIFY_INFO));
        CHECK(seen_info.ParentProcessId == system);
        CHECK(seen_info.CreatingThreadId.UniqueThread == me);
        CHECK(seen_info.FileOpenNameAvailable);
        CHECK_FALSE(seen_info.IsSubsystemProcess);
        CHECK(image == u"\\??\\C:\\app.exe");
        CHECK(command_line == u"app -x");
        // Removed: nothing more is heard.
        CHECK(PsSetCreateProcessNotifyRoutine(process_routine, TRUE) == STATUS_SUCCESS);
        CHECK(PsSetCreateProcessNotifyRoutineEx(process_ex, TRUE) == STATUS_SUCCESS);
        CHECK(PsRemoveCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
        CHECK(PsRemoveCreateThreadNotifyRoutine(thread_in_itself) == STATUS_SUCCESS);
        events.clear();
        start({.name = "App"}, set_true, &ran);
        CHECK(events.empty());
        CHECK_FALSE(ps::processes_are_watched(machine()));
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NotifyFixture, "a vetoed process never runs, and ends with the status of the veto") {
    const auto stop = run([&] {
        REQUIRE(PsSetCreateProcessNotifyRoutineEx(process_ex, FALSE) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateProcessNotifyRoutine(process_routine, FALSE) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
        veto = STATUS_ACCESS_DENIED;
        bool ran = false;
        CHECK(start({.name = "App"}, set_true, &ran) == STATUS_ACCESS_DENIED);
        CHECK_FALSE(ran);
        CHECK(exit_status == STATUS_ACCESS_DENIED);
        CHECK(names() == std::vector<std::string>{"ex+", "process+", "ex-", "process-"});
        PsSetCreateProcessNotifyRoutineEx(process_ex, TRUE);
        PsSetCreateProcessNotifyRoutine(process_routine, TRUE);
        PsRemoveCreateThreadNotifyRoutine(thread_routine);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NotifyFixture, "drivers' threads are told of where they are made and where they end") {
    const auto stop = run([&] {
        REQUIRE(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems,
                                                 reinterpret_cast<PVOID>(thread_routine)) == STATUS_SUCCESS);
        REQUIRE(PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem,
                                                 reinterpret_cast<PVOID>(thread_in_itself)) == STATUS_SUCCESS);
        HANDLE handle = nullptr;
        CLIENT_ID id{};
        REQUIRE(PsCreateSystemThread(
                    &handle, THREAD_ALL_ACCESS, nullptr, nullptr, &id, [](PVOID) {}, nullptr) == STATUS_SUCCESS);
        ZwWaitForSingleObject(handle, FALSE, nullptr);
        ZwClose(handle);
        REQUIRE(names() == std::vector<std::string>{"thread+", "thread-"}); // it is no thread of an application
        CHECK(events[0].in_thread == PsGetCurrentThreadId());
        CHECK(events[0].other == id.UniqueThread);
        CHECK(events[1].in_thread == id.UniqueThread);
        PsRemoveCreateThreadNotifyRoutine(thread_routine);
        PsRemoveCreateThreadNotifyRoutine(thread_in_itself);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NotifyFixture, "registration: integrity, duplicates, types, limits, and what is not there") {
    const auto stop = run([&] {
        const auto as_ex =
            reinterpret_cast<PCREATE_PROCESS_NOTIFY_ROUTINE_EX>(reinterpret_cast<void*>(process_routine));
        CHECK(PsSetCreateProcessNotifyRoutineEx(as_ex, FALSE) == STATUS_ACCESS_DENIED);
        CHECK(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems,
                                                 reinterpret_cast<PVOID>(process_routine),
                                                 FALSE) == STATUS_ACCESS_DENIED);
        CHECK(PsSetCreateProcessNotifyRoutineEx2(static_cast<PSCREATEPROCESSNOTIFYTYPE>(1),
                                                 reinterpret_cast<PVOID>(process_ex),
                                                 FALSE) == STATUS_INVALID_PARAMETER);
        REQUIRE(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, reinterpret_cast<PVOID>(process_ex),
                                                   FALSE) == STATUS_SUCCESS);
        CHECK(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, reinterpret_cast<PVOID>(process_ex),
                                                 FALSE) == STATUS_INVALID_PARAMETER);
        CHECK(PsSetCreateProcessNotifyRoutineEx(process_ex, TRUE) == STATUS_PROCEDURE_NOT_FOUND);
        CHECK(PsSetCreateProcessNotifyRoutineEx2(PsCreateProcessNotifySubsystems, reinterpret_cast<PVOID>(process_ex),
                                                 TRUE) == STATUS_SUCCESS);
        CHECK(PsSetCreateProcessNotifyRoutine(process_routine, TRUE) == STATUS_PROCEDURE_NOT_FOUND);
        CHECK(PsSetCreateProcessNotifyRoutine(nullptr, TRUE) == STATUS_PROCEDURE_NOT_FOUND); // no free place is one
        CHECK_FALSE(ps::processes_are_watched(machine()));
        CHECK(PsRemoveCreateThreadNotifyRoutine(thread_routine) == STATUS_PROCEDURE_NOT_FOUND);
        CHECK(PsRemoveLoadImageNotifyRoutine(image_routine) == STATUS_PROCEDURE_NOT_FOUND);
        CHECK(PsSetCreateThreadNotifyRoutineEx(static_cast<PSCREATETHREADNOTIFYTYPE>(2),
                                               reinterpret_cast<PVOID>(thread_routine)) == STATUS_INVALID_PARAMETER);
        CHECK(PsSetLoadImageNotifyRoutineEx(image_routine, 2) == STATUS_INVALID_PARAMETER_2);
        for (int i = 0; i < 64; ++i) {
            const auto one = reinterpret_cast<PCREATE_PROCESS_NOTIFY_ROUTINE>(0x1000 + i);
            REQUIRE(PsSetCreateProcessNotifyRoutine(one, FALSE) == STATUS_SUCCESS);
            REQUIRE(PsSetCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
            REQUIRE(PsSetLoadImageNotifyRoutineEx(image_routine, PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE) ==
                    STATUS_SUCCESS);
        }
        CHECK(PsSetCreateProcessNotifyRoutine(process_routine, FALSE) == STATUS_INVALID_PARAMETER);
        CHECK(PsSetCreateThreadNotifyRoutine(thread_routine) == STATUS_INSUFFICIENT_RESOURCES);
        CHECK(PsSetLoadImageNotifyRoutine(image_routine) == STATUS_INSUFFICIENT_RESOURCES);
        const auto at = reinterpret_cast<std::uintptr_t>(image_routine);
        CHECK(ps::find_notify_routine({at, at + 1, "image"}).routine == reinterpret_cast<const void*>(image_routine));
        for (int i = 0; i < 64; ++i) {
            const auto one = reinterpret_cast<PCREATE_PROCESS_NOTIFY_ROUTINE>(0x1000 + i);
            REQUIRE(PsSetCreateProcessNotifyRoutine(one, TRUE) == STATUS_SUCCESS);
            REQUIRE(PsRemoveCreateThreadNotifyRoutine(thread_routine) == STATUS_SUCCESS);
            REQUIRE(PsRemoveLoadImageNotifyRoutine(image_routine) == STATUS_SUCCESS);
        }
        CHECK(ps::find_notify_routine({at, at + 1, "image"}).address == nullptr);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NotifyFixture, "a driver's image is told of with its place, as a system image") {
    const auto stop = run([&] {
        REQUIRE(PsSetLoadImageNotifyRoutine(image_routine) == STATUS_SUCCESS);
        char base[16];
        ps::announce_driver_image(u"echo", base, 0x3000);
        REQUIRE(events.size() == 1);
        CHECK(events[0].apcs_off);
        CHECK(image_name == u"\\SystemRoot\\System32\\drivers\\echo.sys");
        CHECK(image_process == nullptr);
        CHECK(image_info.SystemModeImage == 1);
        CHECK(image_info.ImageAddressingMode == IMAGE_ADDRESSING_MODE_32BIT);
        CHECK_FALSE(image_info.ExtendedInfoPresent);
        CHECK(image_info.ImageBase == base);
        CHECK(image_info.ImageSize == 0x3000);
        PsRemoveLoadImageNotifyRoutine(image_routine);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(NotifyFixture, "removing a routine waits for its calls under way") {
    KEVENT in, out;
    entered = &in;
    leave = &out;
    bool started = false, removed = false;
    const auto stop = run({[&] {
                               KeInitializeEvent(entered, NotificationEvent, FALSE);
                               KeInitializeEvent(leave, NotificationEvent, FALSE);
                               REQUIRE(PsSetCreateThreadNotifyRoutine(waiting_routine) == STATUS_SUCCESS);
                               started = true;
                               HANDLE handle = nullptr;
                               PsCreateSystemThread(
                                   &handle, THREAD_ALL_ACCESS, nullptr, nullptr, nullptr, [](PVOID) {}, nullptr);
                               ZwWaitForSingleObject(handle, FALSE, nullptr);
                               ZwClose(handle);
                           },
                           [&] {
                               LARGE_INTEGER pause;
                               pause.QuadPart = -1000;
                               while (!started) KeDelayExecutionThread(KernelMode, FALSE, &pause);
                               KeWaitForSingleObject(entered, Executive, KernelMode, FALSE, nullptr);
                               REQUIRE(PsRemoveCreateThreadNotifyRoutine(waiting_routine) == STATUS_SUCCESS);
                               removed = true;
                           },
                           [&] {
                               LARGE_INTEGER pause;
                               pause.QuadPart = -1'000'000;
                               KeDelayExecutionThread(KernelMode, FALSE, &pause);
                               CHECK(started);
                               CHECK_FALSE(removed);
                               KeSetEvent(leave, 0, FALSE);
                               pause.QuadPart = -1'000;
                               KeDelayExecutionThread(KernelMode, FALSE, &pause);
                               CHECK(removed);
                           }});
    CHECK(stop.kind == ke::StopKind::none);
}

// A model: the places, lowest free first. A thread's creation is told to those that are taken, in their order.
namespace {
template <int N> VOID numbered(HANDLE, HANDLE, BOOLEAN create) {
    if (create) events.push_back({std::to_string(N), nullptr, nullptr, nullptr, nullptr, 0, false});
}
constexpr PCREATE_THREAD_NOTIFY_ROUTINE numbered_routines[] = {numbered<0>, numbered<1>, numbered<2>, numbered<3>,
                                                               numbered<4>, numbered<5>, numbered<6>, numbered<7>};
} // namespace

TEST_CASE_METHOD(NotifyFixture, "random registrations agree with the model") {
    constexpr int steps = 10'000;
    const unsigned seed = GENERATE(1u, 2u);
    const auto stop = run([&] {
        std::mt19937 random(seed);
        std::vector<int> places(64, -1);
        ke::Thread& self = *ke::current_thread();
        for (int step = 0; step < steps; ++step) {
            const int which = static_cast<int>(random() % std::size(numbered_routines));
            const unsigned action = random() % 5;
            if (action < 2) {
                const auto free = std::find(places.begin(), places.end(), -1);
                const NTSTATUS status = PsSetCreateThreadNotifyRoutine(numbered_routines[which]);
                REQUIRE(status == (free == places.end() ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS));
                if (free != places.end()) *free = which;
            } else if (action < 4) {
                const auto taken = std::find(places.begin(), places.end(), which);
                const NTSTATUS status = PsRemoveCreateThreadNotifyRoutine(numbered_routines[which]);
                REQUIRE(status == (taken == places.end() ? STATUS_PROCEDURE_NOT_FOUND : STATUS_SUCCESS));
                if (taken != places.end()) *taken = -1;
            } else {
                events.clear();
                ps::announce_thread(self);
                std::vector<std::string> expected;
                for (const int place : places) {
                    if (place >= 0) expected.push_back(std::to_string(place));
                }
                REQUIRE(names() == expected);
            }
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}
