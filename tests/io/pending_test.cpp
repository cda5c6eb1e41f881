// Requests that are pended: by whom they are completed, who waits how, and what is signalled.
#include "closure_driver.hpp"

#include <deque>

using namespace dirql;
using namespace dirql::test;

namespace {

// Pends reads; completes them from the context that a test chooses.
struct PendingLab : Lab {
    explicit PendingLab(MachineOptions options = {}) : Lab(std::move(options)) {
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT target, PIRP irp) {
            IoMarkIrpPending(irp);
            waiting.push_back(irp);
            if (on_pended) on_pended(target, irp);
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_WRITE] = [this](PDEVICE_OBJECT, PIRP irp) { // completes the oldest read
            finish_oldest();
            return complete(irp, STATUS_SUCCESS);
        };
        load("p", [this](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\P", behaviour, DO_BUFFERED_IO, &device);
        });
    }
    void finish_oldest(NTSTATUS status = STATUS_SUCCESS) {
        PIRP irp = waiting.front();
        waiting.pop_front();
        static_cast<char*>(irp->AssociatedIrp.SystemBuffer)[0] = 'x';
        complete(irp, status, 1);
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    std::deque<PIRP> waiting;
    Dispatch on_pended;
};

PendingLab* dpc_lab = nullptr;

VOID NTAPI finish_in_dpc(PKDPC, PVOID, PVOID, PVOID) { dpc_lab->finish_oldest(); }
VOID NTAPI finish_in_thread(PVOID) {
    LARGE_INTEGER interval{.QuadPart = -10'000};
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    dpc_lab->finish_oldest();
}
VOID NTAPI finish_in_work_item(PDEVICE_OBJECT, PVOID context) {
    dpc_lab->finish_oldest();
    IoFreeWorkItem(static_cast<PIO_WORKITEM>(context));
}

bool signalled(HANDLE object) {
    LARGE_INTEGER now{};
    return NtWaitForSingleObject(object, FALSE, &now) == STATUS_SUCCESS;
}

} // namespace

TEST_CASE("a synchronous file's caller waits, whoever completes: DPC, thread, work item, the dispatch routine itself") {
    KDPC* dpc = nullptr;
    KTIMER* timer = nullptr;
    const Dispatch completions[] = {
        [&](PDEVICE_OBJECT, PIRP) {
            dpc = kernel_object<KDPC>();
            KeInitializeDpc(dpc, finish_in_dpc, nullptr);
            KeInsertQueueDpc(dpc, nullptr, nullptr);
            return STATUS_SUCCESS;
        },
        [&](PDEVICE_OBJECT, PIRP) {
            dpc = kernel_object<KDPC>();
            timer = kernel_object<KTIMER>();
            KeInitializeDpc(dpc, finish_in_dpc, nullptr);
            KeInitializeTimer(timer);
            LARGE_INTEGER due{.QuadPart = -50'000};
            KeSetTimer(timer, due, dpc);
            return STATUS_SUCCESS;
        },
        [&](PDEVICE_OBJECT, PIRP) {
            HANDLE thread = nullptr;
            PsCreateSystemThread(&thread, 0, nullptr, nullptr, nullptr, finish_in_thread, nullptr);
            return ZwClose(thread);
        },
        [&](PDEVICE_OBJECT device, PIRP) {
            PIO_WORKITEM item = IoAllocateWorkItem(device);
            IoQueueWorkItem(item, finish_in_work_item, DelayedWorkQueue, item);
            return STATUS_SUCCESS;
        },
        [&](PDEVICE_OBJECT, PIRP) {
            dpc_lab->finish_oldest();
            return STATUS_SUCCESS;
        },
    };
    for (const unsigned processors : {1u, 2u, 8u}) {
        for (const std::uint64_t seed : {1u, 2u, 3u}) {
            for (const Dispatch& completion : completions) {
                MachineOptions options;
                options.processors = processors;
                options.seed = seed;
                PendingLab lab(options);
                dpc_lab = &lab;
                lab.on_pended = completion;
                lab.run([&](Process& process) {
                    File file = process.open("\\Device\\P").value();
                    for (int i = 0; i < 3; ++i) {
                        const IoResult result = file.read(4);
                        CHECK(result.status == STATUS_SUCCESS);
                        CHECK(result.information == 1);
                        CHECK(result.data == bytes("x"));
                    }
                });
            }
        }
    }
}

TEST_CASE("an overlapped request returns STATUS_PENDING; its event is reset at the start and set at the end") {
    PendingLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P", overlapped).value();
        HANDLE event = nullptr;
        CHECK(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, TRUE) == STATUS_SUCCESS);
        IO_STATUS_BLOCK block{};
        block.Status = STATUS_PENDING;
        char data[4]{};
        LARGE_INTEGER zero{};
        CHECK(NtReadFile(file.handle(), event, nullptr, nullptr, &block, data, 4, &zero, nullptr) == STATUS_PENDING);
        CHECK(!signalled(event));
        CHECK(!signalled(file.handle()));
        CHECK(block.Status == STATUS_PENDING);
        CHECK(file.write(bytes("go")).status == STATUS_SUCCESS);
        CHECK(signalled(event));
        CHECK(block.Status == STATUS_SUCCESS);
        CHECK(block.Information == 1);
        CHECK(data[0] == 'x');
        CHECK(NtClose(event) == STATUS_SUCCESS);
    });
}

TEST_CASE("without an event the file itself is signalled") {
    PendingLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P", overlapped).value();
        IO_STATUS_BLOCK block{};
        char data[4]{};
        LARGE_INTEGER zero{};
        CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, &zero, nullptr) == STATUS_PENDING);
        CHECK(!signalled(file.handle()));
        process
            .start_thread([&] {
                process.sleep(std::chrono::milliseconds(5));
                IO_STATUS_BLOCK other{};
                CHECK(NtWriteFile(file.handle(), nullptr, nullptr, nullptr, &other, data, 1, &zero, nullptr) ==
                      STATUS_SUCCESS);
            })
            .join();
        CHECK(NtWaitForSingleObject(file.handle(), FALSE, nullptr) == STATUS_SUCCESS);
        CHECK(block.Status == STATUS_SUCCESS);
    });
}

TEST_CASE("an error after STATUS_PENDING is in the status block; an error at once is not") {
    PendingLab lab;
    bool at_once = false;
    lab.on_pended = nullptr;
    lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
        if (at_once) return complete(irp, STATUS_DEVICE_NOT_READY, 3);
        lab.finish_oldest(STATUS_DEVICE_DATA_ERROR);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P", overlapped).value();
        HANDLE event = nullptr;
        CHECK(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE) == STATUS_SUCCESS);
        Request read = file.start_read(4);
        CHECK(read.started() == STATUS_PENDING);
        CHECK(!read.done());
        file.write(bytes("x"));
        CHECK(read.done());
        CHECK(read.wait().status == STATUS_DEVICE_DATA_ERROR);
        at_once = true;
        IO_STATUS_BLOCK block{};
        block.Information = 99;
        char data[1]{};
        LARGE_INTEGER zero{};
        CHECK(NtWriteFile(file.handle(), event, nullptr, nullptr, &block, data, 1, &zero, nullptr) ==
              STATUS_DEVICE_NOT_READY);
        CHECK(block.Information == 99);
        CHECK(!signalled(event));
        NtClose(event);
    });
}

TEST_CASE("many overlapped requests at once end each in their own status block") {
    PendingLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P", overlapped).value();
        std::vector<Request> reads;
        for (int i = 0; i < 40; ++i) reads.push_back(file.start_read(4));
        for (std::size_t i = 0; i < reads.size(); ++i) {
            CHECK(!reads[i].done());
            file.write(bytes("x"));
            CHECK(reads[i].done());
        }
        for (Request& read : reads) CHECK(read.wait().information == 1);
    });
}

TEST_CASE("requests on a synchronous file are one at a time") {
    PendingLab lab;
    dpc_lab = &lab;
    unsigned most = 0;
    lab.on_pended = [&](PDEVICE_OBJECT, PIRP) {
        most = std::max<unsigned>(most, static_cast<unsigned>(lab.waiting.size()));
        HANDLE thread = nullptr;
        PsCreateSystemThread(&thread, 0, nullptr, nullptr, nullptr, finish_in_thread, nullptr);
        return ZwClose(thread);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P").value();
        std::vector<Thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.push_back(process.start_thread([&] {
                IO_STATUS_BLOCK block{};
                char data[4]{};
                CHECK(NtReadFile(file.handle(), nullptr, nullptr, nullptr, &block, data, 4, nullptr, nullptr) ==
                      STATUS_SUCCESS);
            }));
        }
    });
    CHECK(most == 1);
}

TEST_CASE("the file stays while a request is under way, though its handle is closed") {
    PendingLab lab;
    bool closed = false;
    lab.behaviour[IRP_MJ_CLOSE] = [&](PDEVICE_OBJECT, PIRP irp) {
        closed = true;
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\P", overlapped).value();
        Request read = file.start_read(4);
        CHECK(file.close() == STATUS_SUCCESS);
        CHECK(!closed);
        process.open("\\Device\\P").value().write(bytes("x"));
        CHECK(read.wait().information == 1);
    });
    CHECK(closed);
}
