// How the end of a request is told besides by a port: APC routines of applications and drivers, events.
#include "port_lab.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("an application's APC routine runs in its next alertable wait, with its context and status block") {
    PortLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Port", overlapped).value();
        File trigger = process.open("\\Device\\Port").value();
        Call call;
        IO_STATUS_BLOCK block{};
        char buffer[4];
        LARGE_INTEGER offset{};
        CHECK(NtReadFile(file.handle(), nullptr, note_call, &call, &block, buffer, 4, &offset, nullptr) ==
              STATUS_PENDING);
        CHECK(rest_alertably() == STATUS_TIMEOUT);
        lab.finish(trigger);
        CHECK(block.Status == STATUS_SUCCESS);
        process.sleep(std::chrono::milliseconds(1)); // not alertable
        CHECK(call.count == 0);
        CHECK(rest_alertably() == STATUS_USER_APC);
        CHECK(call.count == 1);
        CHECK(call.block == &block);
        CHECK(call.information == 1);
        CHECK(rest_alertably() == STATUS_TIMEOUT);
        // A request that ends at once tells by APC as well; one that fails at once does not.
        Call second;
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, note_call, &second, &block, answer_now, nullptr, 0, buffer,
                                    4) == STATUS_SUCCESS);
        CHECK(rest_alertably() == STATUS_USER_APC);
        CHECK(second.information == 3);
        lab.now = STATUS_INVALID_PARAMETER;
        CHECK(NtFsControlFile(file.handle(), nullptr, note_call, &second, &block, answer_now, nullptr, 0, nullptr, 0) ==
              STATUS_INVALID_DEVICE_REQUEST);
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, note_call, &second, &block, answer_now, nullptr, 0, nullptr,
                                    0) == STATUS_INVALID_PARAMETER);
        CHECK(rest_alertably() == STATUS_TIMEOUT);
        // One that fails later does; with an event, which is set too.
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        CHECK(NtReadFile(file.handle(), event, note_call, &second, &block, buffer, 4, &offset, nullptr) ==
              STATUS_PENDING);
        lab.finish(trigger, 0, STATUS_CANCELLED);
        CHECK(signalled(event));
        CHECK(rest_alertably() == STATUS_USER_APC);
        CHECK(second.count == 2);
        CHECK(second.status == STATUS_CANCELLED);
        NtClose(event);
        // On a synchronous file the service waits, and the APC comes all the same.
        lab.now = STATUS_SUCCESS;
        Call third;
        CHECK(NtDeviceIoControlFile(trigger.handle(), nullptr, note_call, &third, &block, answer_now, nullptr, 0,
                                    buffer, 4) == STATUS_SUCCESS);
        CHECK(rest_alertably() == STATUS_USER_APC);
        CHECK(third.count == 1);
    });
}

TEST_CASE("a driver's APC routine is a normal kernel APC: it comes without a wait, but not into a critical region") {
    PortLab lab;
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    Call call;
    unsigned inside = 9;
    IO_STATUS_BLOCK block{}; // a system thread is in a critical region until its end
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\Device\\Port");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        HANDLE file = nullptr;
        if (!NT_SUCCESS(ZwOpenFile(&file, GENERIC_READ | GENERIC_WRITE, &attributes, &block, 0, 0))) return;
        KeEnterCriticalRegion();
        status = ZwDeviceIoControlFile(file, nullptr, note_call, &call, &block, answer_now, nullptr, 0, nullptr, 0);
        inside = call.count;
        KeLeaveCriticalRegion();
        KeLowerIrql(PASSIVE_LEVEL);
        ZwClose(file);
    });
    CHECK(status == STATUS_SUCCESS);
    CHECK(inside == 0);
    CHECK(call.count == 1);
    CHECK(call.irql == PASSIVE_LEVEL);
    CHECK(call.information == 3);
}

TEST_CASE("a driver's APC routine is called though its file has a port; then there is no packet") {
    PortLab lab;
    std::vector<NTSTATUS> statuses;
    Call call;
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\Device\\Port");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        OBJECT_ATTRIBUTES nameless;
        InitializeObjectAttributes(&nameless, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        IO_STATUS_BLOCK block{};
        HANDLE file = nullptr;
        HANDLE port = nullptr;
        statuses.push_back(ZwOpenFile(&file, GENERIC_READ | GENERIC_WRITE, &attributes, &block, 0, 0));
        statuses.push_back(ZwCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, &nameless, 0));
        FILE_COMPLETION_INFORMATION completion{port, number(1)};
        statuses.push_back(
            ZwSetInformationFile(file, &block, &completion, sizeof completion, FileCompletionInformation));
        statuses.push_back(
            ZwDeviceIoControlFile(file, nullptr, note_call, &call, &block, answer_now, nullptr, 0, nullptr, 0));
        PVOID key = nullptr;
        PVOID context = nullptr;
        LARGE_INTEGER now{};
        statuses.push_back(ZwRemoveIoCompletion(port, &key, &context, &block, &now));
        ZwClose(file);
        ZwClose(port);
    });
    CHECK(statuses ==
          std::vector<NTSTATUS>{STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_TIMEOUT});
    CHECK(call.count == 1);
}

TEST_CASE("the file's event may be left alone, not that of the request") {
    PortLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Port", overlapped).value();
        IO_STATUS_BLOCK block;
        const auto control = [&](HANDLE event) {
            return NtDeviceIoControlFile(file.handle(), event, nullptr, nullptr, &block, answer_now, nullptr, 0,
                                         nullptr, 0);
        };
        CHECK(control(nullptr) == STATUS_SUCCESS);
        CHECK(signalled(file.handle()));
        CHECK(skip(file.handle(), FILE_SKIP_SET_EVENT_ON_HANDLE) == STATUS_SUCCESS);
        CHECK(control(nullptr) == STATUS_SUCCESS);
        CHECK(!signalled(file.handle()));
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        CHECK(control(event) == STATUS_SUCCESS);
        CHECK(signalled(event));
        NtClose(event);
        FILE_IO_COMPLETION_NOTIFICATION_INFORMATION modes{};
        CHECK(NtQueryInformationFile(file.handle(), &block, &modes, sizeof modes,
                                     FileIoCompletionNotificationInformation) == STATUS_SUCCESS);
        CHECK(modes.Flags == FILE_SKIP_SET_EVENT_ON_HANDLE);
    });
}
