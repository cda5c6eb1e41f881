// Threads that wait in services, freed by cancelling or by their end.
#include "service_lab.hpp"

#include "ps/services.hpp"

#include <algorithm>

using namespace dirql;
using namespace dirql::test;

TEST_CASE("a thread that waits in a service is freed by cancelling its synchronous I/O") {
    ServiceLab lab;
    lab.run([&](Process& process) {
        lab.pends = lab.cancellable = true;
        HANDLE waiter = nullptr;
        IoResult result;
        Thread thread = process.start_thread([&] {
            NtDuplicateObject(NtCurrentProcess(), NtCurrentThread(), NtCurrentProcess(), &waiter, 0, 0,
                              DUPLICATE_SAME_ACCESS);
            result = process.open("\\Device\\F").value().read(1);
        });
        process.sleep(std::chrono::milliseconds(1));
        IO_STATUS_BLOCK block{};
        IO_STATUS_BLOCK none{};
        CHECK(NtCancelSynchronousIoFile(waiter, &none, &block) == STATUS_NOT_FOUND);
        CHECK(block.Status == STATUS_NOT_FOUND);
        CHECK(NtCancelSynchronousIoFile(waiter, nullptr, nullptr) == STATUS_ACCESS_VIOLATION);
        CHECK(NtCancelSynchronousIoFile(waiter, nullptr, &block) == STATUS_SUCCESS);
        thread.join();
        CHECK(result.status == STATUS_CANCELLED);
        NtClose(waiter);
    });
}

TEST_CASE("threads that wait on one synchronous file all end when they are told to") {
    for (const bool all : {false, true}) { // the other threads, or the process
        ServiceLab lab;
        const Outcome outcome = lab.run([&](Process& process) {
            File file = process.open("\\Device\\F").value();
            lab.pends = lab.cancellable = true;
            Thread first = process.start_thread([&] { (void)file.read(1); });
            Thread second = process.start_thread([&] { (void)file.read(1); });
            process.sleep(std::chrono::milliseconds(1));
            NtTerminateProcess(all ? NtCurrentProcess() : nullptr, STATUS_CANCELLED);
            first.join();
            second.join();
            lab.pends = false;
        });
        INFO(outcome.report);
        CHECK(outcome.finished());
        CHECK(std::count(lab.majors.begin(), lab.majors.end(), unsigned{IRP_MJ_READ}) == 1);
    }
}
