// Completion ports: packets of requests and of services, what may be left out, and a model.
#include "port_lab.hpp"
#include "support/random.hpp"

#include <deque>

using namespace dirql;
using namespace dirql::test;

TEST_CASE("requests of a file with a port end in packets: key, context, status block, in the order of completion") {
    PortLab lab;
    lab.run([&](Process& process) {
        const HANDLE port = create_port();
        File file = process.open("\\Device\\Port", overlapped).value();
        File trigger = process.open("\\Device\\Port").value();
        CHECK(associate(file.handle(), port, 7) == STATUS_SUCCESS);
        CHECK(associate(file.handle(), port, 8) == STATUS_INVALID_PARAMETER);    // it has one
        CHECK(associate(trigger.handle(), port, 8) == STATUS_INVALID_PARAMETER); // synchronous
        CHECK(associate(file.handle(), trigger.handle(), 8, FileReplaceCompletionInformation) ==
              STATUS_OBJECT_TYPE_MISMATCH);
        IO_STATUS_BLOCK blocks[3];
        char buffer[4];
        LARGE_INTEGER offset{};
        for (std::uintptr_t i = 0; i < 3; ++i) {
            CHECK(NtReadFile(file.handle(), nullptr, nullptr, number(i + 1), &blocks[i], buffer, 4, &offset, nullptr) ==
                  STATUS_PENDING);
        }
        CHECK(take(port).status == STATUS_TIMEOUT);
        lab.finish(trigger, 1);
        lab.finish(trigger, 1, STATUS_CANCELLED);
        lab.finish(trigger, 0);
        CHECK(depth(port) == 3);
        const std::uintptr_t contexts[] = {2, 3, 1};
        for (const std::uintptr_t context : contexts) {
            const Packet packet = take(port);
            CHECK(packet.status == STATUS_SUCCESS);
            CHECK(packet.key == number(7));
            CHECK(packet.context == number(context));
            CHECK(packet.block.Status == (context == 3 ? STATUS_CANCELLED : STATUS_SUCCESS));
            CHECK(packet.block.Information == 1);
        }
        // Without a context there is no packet; with a routine there is no request.
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, nullptr, nullptr, blocks, answer_now, nullptr, 0, nullptr,
                                    0) == STATUS_SUCCESS);
        Call call;
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, note_call, &call, blocks, answer_now, nullptr, 0, nullptr,
                                    0) == STATUS_INVALID_PARAMETER);
        CHECK(depth(port) == 0);
        // A request that ended at once is told of, unless that was renounced; one that failed at once never is.
        const auto at_once = [&] {
            return NtDeviceIoControlFile(file.handle(), nullptr, nullptr, number(9), blocks, answer_now, nullptr, 0,
                                         buffer, 4);
        };
        CHECK(at_once() == STATUS_SUCCESS);
        CHECK(take(port).block.Information == 3);
        lab.now = STATUS_INVALID_PARAMETER;
        CHECK(at_once() == STATUS_INVALID_PARAMETER);
        CHECK(depth(port) == 0);
        lab.now = STATUS_SUCCESS;
        CHECK(skip(file.handle(), 8) == STATUS_INVALID_PARAMETER);
        CHECK(skip(file.handle(), FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) == STATUS_SUCCESS);
        CHECK(at_once() == STATUS_SUCCESS);
        CHECK(depth(port) == 0);
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, number(4), blocks, buffer, 4, &offset, nullptr) ==
              STATUS_PENDING);
        lab.finish(trigger);
        CHECK(take(port).context == number(4));
        // Another port, or none.
        const HANDLE second = create_port();
        CHECK(associate(file.handle(), second, 1, FileReplaceCompletionInformation) == STATUS_SUCCESS);
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, number(5), blocks, buffer, 4, &offset, nullptr) ==
              STATUS_PENDING);
        lab.finish(trigger);
        CHECK(take(second).context == number(5));
        CHECK(associate(file.handle(), nullptr, 1, FileReplaceCompletionInformation) == STATUS_SUCCESS);
        CHECK(NtReadFile(file.handle(), nullptr, note_call, &call, blocks, buffer, 4, &offset, nullptr) ==
              STATUS_PENDING);
        lab.finish(trigger);
        CHECK(rest_alertably() == STATUS_USER_APC);
        CHECK(depth(second) == 0);
        NtClose(second);
        NtClose(port);
    });
}

TEST_CASE("ports by handle and by name: rights, lengths, waits, several packets at once") {
    PortLab lab;
    lab.run([&](Process& process) {
        UNICODE_STRING name = unicode(u"\\PortOfTest");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
        HANDLE port = nullptr;
        HANDLE other = nullptr;
        CHECK(NtOpenIoCompletion(&other, IO_COMPLETION_QUERY_STATE, &attributes) == STATUS_OBJECT_NAME_NOT_FOUND);
        CHECK(NtCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, &attributes, 2) == STATUS_SUCCESS);
        CHECK(NtCreateIoCompletion(&other, IO_COMPLETION_ALL_ACCESS, &attributes, 2) == STATUS_OBJECT_NAME_COLLISION);
        CHECK(NtCreateIoCompletion(nullptr, IO_COMPLETION_ALL_ACCESS, nullptr, 2) == STATUS_ACCESS_VIOLATION);
        CHECK(NtOpenIoCompletion(&other, IO_COMPLETION_QUERY_STATE, &attributes) == STATUS_SUCCESS);
        CHECK(NtSetIoCompletion(other, nullptr, nullptr, 0, 0) == STATUS_ACCESS_DENIED);
        CHECK(take(other).status == STATUS_ACCESS_DENIED);
        CHECK(take(nullptr).status == STATUS_INVALID_HANDLE);
        for (std::uintptr_t i = 0; i < 5; ++i)
            CHECK(NtSetIoCompletion(port, number(i), number(10 + i), STATUS_DEVICE_BUSY, 20 + i) == STATUS_SUCCESS);
        LONG value = 0;
        ULONG length = 0;
        CHECK(NtQueryIoCompletion(other, 0, &value, sizeof value, &length) == STATUS_SUCCESS);
        CHECK(value == 5);
        CHECK(length == sizeof value);
        CHECK(NtQueryIoCompletion(port, 1, &value, sizeof value, &length) == STATUS_INVALID_INFO_CLASS);
        CHECK(NtQueryIoCompletion(port, 0, &value, 8, &length) == STATUS_INFO_LENGTH_MISMATCH);
        CHECK(NtQueryIoCompletion(port, 0, nullptr, sizeof value, &length) == STATUS_ACCESS_VIOLATION);
        CHECK(NtRemoveIoCompletion(port, nullptr, nullptr, nullptr, nullptr) == STATUS_ACCESS_VIOLATION);
        FILE_IO_COMPLETION_INFORMATION list[4]{};
        ULONG count = 9;
        LARGE_INTEGER now{};
        CHECK(NtRemoveIoCompletionEx(port, list, 0, &count, &now, FALSE) == STATUS_INVALID_PARAMETER);
        CHECK(NtRemoveIoCompletionEx(port, list, 4, &count, &now, FALSE) == STATUS_SUCCESS);
        CHECK(count == 4);
        for (std::uintptr_t i = 0; i < 4; ++i) {
            CHECK(list[i].KeyContext == number(i));
            CHECK(list[i].ApcContext == number(10 + i));
            CHECK(list[i].IoStatusBlock.Status == STATUS_DEVICE_BUSY);
            CHECK(list[i].IoStatusBlock.Information == 20 + i);
        }
        CHECK(NtRemoveIoCompletionEx(port, list, 4, &count, &now, FALSE) == STATUS_SUCCESS);
        CHECK(count == 1);
        CHECK(NtRemoveIoCompletionEx(port, list, 4, &count, &now, FALSE) == STATUS_TIMEOUT);
        CHECK(count == 0);
        // A wait ends with the packet that another thread sends; an alertable one with an APC.
        Thread sender = process.start_thread([&] {
            process.sleep(std::chrono::milliseconds(3));
            NtSetIoCompletion(port, nullptr, number(1), STATUS_SUCCESS, 0);
        });
        CHECK(take(port, -10'000'000).context == number(1));
        sender.join();
        File file = process.open("\\Device\\Port", overlapped).value();
        Call call;
        IO_STATUS_BLOCK block;
        CHECK(NtDeviceIoControlFile(file.handle(), nullptr, note_call, &call, &block, answer_now, nullptr, 0, nullptr,
                                    0) == STATUS_SUCCESS);
        CHECK(NtRemoveIoCompletionEx(port, list, 4, &count, nullptr, TRUE) == STATUS_USER_APC);
        CHECK(count == 0);
        CHECK(call.count == 1);
        // With the last handle whoever waits is told.
        NtClose(other);
        Thread closer = process.start_thread([&] {
            process.sleep(std::chrono::milliseconds(3));
            NtClose(port);
        });
        CHECK(take(port, -10'000'000).status == STATUS_ABANDONED);
        closer.join();
        CHECK(NtOpenIoCompletion(&other, IO_COMPLETION_QUERY_STATE, &attributes) == STATUS_OBJECT_NAME_NOT_FOUND);
    });
    // A driver's port.
    NTSTATUS statuses[6]{};
    PVOID context = nullptr;
    ULONG count = 0;
    lab.machine.run_in_kernel([&] {
        HANDLE port = nullptr;
        HANDLE again = nullptr;
        UNICODE_STRING name = unicode(u"\\KernelPort");
        OBJECT_ATTRIBUTES attributes;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        statuses[0] = ZwCreateIoCompletion(&port, IO_COMPLETION_ALL_ACCESS, &attributes, 0);
        statuses[1] = ZwOpenIoCompletion(&again, IO_COMPLETION_ALL_ACCESS, &attributes);
        statuses[2] = ZwSetIoCompletion(port, nullptr, number(3), STATUS_SUCCESS, 0);
        statuses[3] = ZwSetIoCompletion(port, nullptr, number(4), STATUS_SUCCESS, 0);
        PVOID key = nullptr;
        IO_STATUS_BLOCK block;
        statuses[4] = ZwRemoveIoCompletion(again, &key, &context, &block, nullptr);
        FILE_IO_COMPLETION_INFORMATION list[2];
        statuses[5] = ZwRemoveIoCompletionEx(again, list, 2, &count, nullptr, FALSE);
        ZwClose(port);
        ZwClose(again);
    });
    for (const NTSTATUS status : statuses) CHECK(status == STATUS_SUCCESS);
    CHECK(context == number(3));
    CHECK(count == 1);
}

TEST_CASE("packets that the list has no memory for stay in the port, and only those written are counted") {
    PortLab lab;
    lab.run([&](Process& process) {
        const HANDLE port = create_port();
        PVOID base = nullptr;
        SIZE_T size = 0x2000;
        CHECK(NtAllocateVirtualMemory(NtCurrentProcess(), &base, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) ==
              STATUS_SUCCESS);
        PVOID second = static_cast<char*>(base) + 0x1000;
        auto* list = static_cast<PFILE_IO_COMPLETION_INFORMATION>(second) - 1;
        NTSTATUS status = STATUS_UNSUCCESSFUL;
        ULONG count = 9;
        Thread waiter = process.start_thread([&] {
            LARGE_INTEGER until{.QuadPart = -10'000'000};
            status = NtRemoveIoCompletionEx(port, list, 3, &count, &until, FALSE);
        });
        process.sleep(std::chrono::milliseconds(1));
        size = 0x1000; // gone while the other waits
        CHECK(NtFreeVirtualMemory(NtCurrentProcess(), &second, &size, MEM_DECOMMIT) == STATUS_SUCCESS);
        for (std::uintptr_t i = 1; i <= 4; ++i)
            CHECK(NtSetIoCompletion(port, number(i), nullptr, STATUS_SUCCESS, 0) == STATUS_SUCCESS);
        waiter.join();
        CHECK(status == STATUS_ACCESS_VIOLATION);
        CHECK(count == 1);
        CHECK(list->KeyContext == number(1));
        CHECK(depth(port) == 2);
        CHECK(take(port).key == number(3));
        CHECK(take(port).key == number(4));
        NtClose(port);
    });
}

TEST_CASE("packets come in the order in which their requests ended, through 10,000 steps of a model") {
    PortLab lab;
    lab.run([&](Process& process) {
        const HANDLE port = create_port();
        File trigger = process.open("\\Device\\Port").value();
        std::vector<File> files;
        for (std::uintptr_t key = 1; key <= 3; ++key) {
            files.push_back(process.open("\\Device\\Port", overlapped).value());
            CHECK(associate(files.back().handle(), port, key) == STATUS_SUCCESS);
        }
        struct Expected {
            std::uintptr_t key;
            std::uintptr_t context;
        };
        std::deque<Expected> pended;  // as the driver has them
        std::deque<Expected> packets; // as the port has them
        Random random(99);
        std::string failure;
        IO_STATUS_BLOCK block; // the last writer's: nobody looks
        char buffer[1];
        LARGE_INTEGER offset{};
        for (std::uintptr_t step = 1; step <= property_steps && failure.empty(); ++step) {
            const std::uintptr_t key = 1 + random.below(3);
            bool good = true;
            switch (random.below(5)) {
            case 0:
                if (pended.size() == 20) break;
                good = NtReadFile(files[key - 1].handle(), nullptr, nullptr, number(step), &block, buffer, 1, &offset,
                                  nullptr) == STATUS_PENDING;
                pended.push_back({key, step});
                break;
            case 1: {
                if (pended.empty()) break;
                lab.place = random.below(pended.size());
                IO_STATUS_BLOCK own;
                good = NtDeviceIoControlFile(trigger.handle(), nullptr, nullptr, nullptr, &own, finish_pended, nullptr,
                                             0, nullptr, 0) == STATUS_SUCCESS;
                packets.push_back(pended[lab.place]);
                pended.erase(pended.begin() + static_cast<std::ptrdiff_t>(lab.place));
                break;
            }
            case 2:
                good = NtSetIoCompletion(port, number(key), number(step), STATUS_SUCCESS, 0) == STATUS_SUCCESS;
                packets.push_back({key, step});
                break;
            default: {
                const Packet packet = take(port);
                if (packets.empty()) {
                    good = packet.status == STATUS_TIMEOUT;
                    break;
                }
                good = packet.status == STATUS_SUCCESS && packet.key == number(packets.front().key) &&
                       packet.context == number(packets.front().context);
                packets.pop_front();
            }
            }
            if (!good || depth(port) != static_cast<LONG>(packets.size())) failure = "step " + std::to_string(step);
        }
        CHECK(failure == "");
        while (!lab.pended.empty()) lab.finish(trigger);
        NtClose(port); // with what lies there
    });
    CHECK(lab.machine.run_in_kernel([] {}).finished());
}
