// Cancellation: IoCancelIrp and cancel routines, NtCancelIoFile(Ex), and what the end of a thread does to its requests.
#include "closure_driver.hpp"

#include <deque>

using namespace dirql;
using namespace dirql::test;

namespace {

struct CancelLab : Lab {
    explicit CancelLab(bool cancelable = true, MachineOptions options = {}) : Lab(std::move(options)) {
        instance = this;
        behaviour[IRP_MJ_READ] = [this, cancelable](PDEVICE_OBJECT, PIRP irp) {
            IoMarkIrpPending(irp);
            waiting.push_back(irp);
            if (cancelable) IoSetCancelRoutine(irp, cancel);
            return STATUS_PENDING;
        };
        load("c", [this](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\C", behaviour, DO_BUFFERED_IO, &device);
        });
    }
    static VOID NTAPI cancel(PDEVICE_OBJECT device, PIRP irp) {
        instance->cancel_device_right = device == instance->device;
        instance->cancel_flag_set = irp->Cancel != FALSE;
        instance->routine_cleared = irp->CancelRoutine == nullptr;
        instance->cancel_level = KeGetCurrentIrql();
        ++instance->cancelled;
        std::erase(instance->waiting, irp);
        IoReleaseCancelSpinLock(irp->CancelIrql);
        instance->level_after = KeGetCurrentIrql();
        complete(irp, STATUS_CANCELLED);
    }
    static inline CancelLab* instance;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    std::deque<PIRP> waiting;
    unsigned cancelled = 0;
    bool cancel_device_right = false;
    bool cancel_flag_set = false;
    bool routine_cleared = false;
    KIRQL cancel_level = 0;
    KIRQL level_after = HIGH_LEVEL;
};

} // namespace

TEST_CASE("a cancel routine is called at DISPATCH_LEVEL with the cancel lock, its device, and the routine cleared") {
    CancelLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        Request read = file.start_read(4);
        CHECK(read.cancel() == STATUS_SUCCESS);
        CHECK(read.wait().status == STATUS_CANCELLED);
        CHECK(read.cancel() == STATUS_NOT_FOUND);
    });
    CHECK(lab.cancelled == 1);
    CHECK(lab.cancel_device_right);
    CHECK(lab.cancel_flag_set);
    CHECK(lab.routine_cleared);
    CHECK(lab.cancel_level == DISPATCH_LEVEL);
    CHECK(lab.level_after == PASSIVE_LEVEL);
}

TEST_CASE("NtCancelIoFileEx takes one request by its status block, or all of the file") {
    CancelLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        File other = process.open("\\Device\\C", overlapped).value();
        std::vector<Request> reads;
        for (int i = 0; i < 5; ++i) reads.push_back(file.start_read(4));
        Request apart = other.start_read(4);
        CHECK(reads[2].cancel() == STATUS_SUCCESS);
        CHECK(reads[2].done());
        CHECK(!reads[1].done());
        IO_STATUS_BLOCK block{};
        CHECK(NtCancelIoFileEx(file.handle(), nullptr, &block) == STATUS_SUCCESS);
        for (Request& read : reads) CHECK(read.wait().status == STATUS_CANCELLED);
        CHECK(!apart.done());
        CHECK(NtCancelIoFileEx(file.handle(), nullptr, &block) == STATUS_NOT_FOUND);
        CHECK(apart.cancel() == STATUS_SUCCESS);
    });
    CHECK(lab.cancelled == 6);
}

TEST_CASE("NtCancelIoFile takes only the calling thread's requests, NtCancelIoFileEx those of the process") {
    CancelLab lab;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        Request read = file.start_read(4);
        process
            .start_thread([&] {
                IO_STATUS_BLOCK block{};
                CHECK(NtCancelIoFile(file.handle(), &block) == STATUS_SUCCESS);
                CHECK(!read.done());
                CHECK(NtCancelIoFileEx(file.handle(), nullptr, &block) == STATUS_SUCCESS);
            })
            .join();
        CHECK(read.wait().status == STATUS_CANCELLED);
    });
}

TEST_CASE("NtCancelIoFile returns when the thread's requests on the file have ended, however long that takes") {
    CancelLab lab(false);
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        File other = process.open("\\Device\\C", overlapped).value();
        Request read = file.start_read(4);
        Request apart = other.start_read(4); // of another file: not waited for
        auto finisher = process.start_thread([&] {
            process.sleep(std::chrono::milliseconds(35));
            lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
                complete(lab.waiting.front(), STATUS_CANCELLED);
                lab.waiting.pop_front();
                return complete(irp, STATUS_SUCCESS);
            };
            other.write(bytes("x"));
        });
        IO_STATUS_BLOCK block{};
        CHECK(NtCancelIoFile(file.handle(), &block) == STATUS_SUCCESS);
        CHECK(read.done());
        CHECK(!apart.done());
        finisher.join();
        other.write(bytes("x"));
    });
}

TEST_CASE("an IRP without a cancel routine only has its flag set") {
    CancelLab lab(false);
    BOOLEAN called = TRUE;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        Request read = file.start_read(4);
        lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
            called = IoCancelIrp(lab.waiting.front());
            complete(lab.waiting.front(), lab.waiting.front()->Cancel ? STATUS_CANCELLED : STATUS_SUCCESS);
            return complete(irp, STATUS_SUCCESS);
        };
        file.write(bytes("x"));
        CHECK(read.wait().status == STATUS_CANCELLED);
    });
    CHECK(!called);
}

TEST_CASE("a thread that ends cancels its requests, on any number of processors") {
    for (const unsigned processors : {1u, 2u, 8u}) {
        MachineOptions options;
        options.processors = processors;
        CancelLab lab(true, options);
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\C", overlapped).value();
            auto* block = static_cast<PIO_STATUS_BLOCK>(process.allocate(3 * sizeof(IO_STATUS_BLOCK)));
            auto* data = static_cast<char*>(process.allocate(16));
            process
                .start_thread([&] {
                    LARGE_INTEGER zero{};
                    for (int i = 0; i < 3; ++i)
                        NtReadFile(file.handle(), nullptr, nullptr, nullptr, block + i, data, 4, &zero, nullptr);
                })
                .join();
            for (int i = 0; i < 3; ++i) CHECK(block[i].Status == STATUS_CANCELLED);
        });
        CHECK(lab.cancelled == 3);
        CHECK(lab.waiting.empty());
    }
}

TEST_CASE("a thread that ends waits for requests that cannot be cancelled; one never completed is left to itself") {
    CancelLab lab(false);
    std::chrono::nanoseconds ended{};
    lab.run([&](Process& process) {
        HANDLE event = nullptr;
        NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, NotificationEvent, FALSE);
        File file = process.open("\\Device\\C", overlapped).value();
        auto* block = static_cast<PIO_STATUS_BLOCK>(process.allocate(sizeof(IO_STATUS_BLOCK)));
        auto* data = static_cast<char*>(process.allocate(16));
        process
            .start_thread([&] {
                LARGE_INTEGER zero{};
                NtReadFile(file.handle(), event, nullptr, nullptr, block, data, 4, &zero, nullptr);
            })
            .join();
        ended = lab.machine.now();
    });
    CHECK(ended > std::chrono::minutes(4));
    CHECK(ended < std::chrono::minutes(6));
    REQUIRE(lab.waiting.size() == 1);
    // Its completion finds nobody, and gives back what the request held.
    CHECK(lab.machine.run_in_kernel([&] { complete(lab.waiting.front(), STATUS_SUCCESS, 4); }).finished());
    lab.run([&](Process& process) { CHECK(process.open("\\Device\\C")); });
}

TEST_CASE("cancelling races with completion, on several processors and seeds, and each request ends once") {
    for (const unsigned processors : {2u, 8u}) {
        for (std::uint64_t seed = 0; seed < 8; ++seed) {
            MachineOptions options;
            options.processors = processors;
            options.seed = seed;
            CancelLab lab(true, options);
            lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT,
                                              PIRP irp) { // completes the oldest read unless its cancelling has begun
                if (!lab.waiting.empty()) {
                    PIRP read = lab.waiting.front();
                    if (IoSetCancelRoutine(read, nullptr) != nullptr) {
                        lab.waiting.pop_front();
                        complete(read, STATUS_SUCCESS);
                    }
                }
                return complete(irp, STATUS_SUCCESS);
            };
            unsigned done = 0;
            unsigned stopped = 0;
            lab.run([&](Process& process) {
                File file = process.open("\\Device\\C", overlapped).value();
                for (int i = 0; i < 20; ++i) {
                    Request read = file.start_read(4);
                    Thread canceller = process.start_thread([&] {
                        IO_STATUS_BLOCK block{};
                        NtCancelIoFileEx(file.handle(), nullptr, &block);
                    });
                    file.write(bytes("x"));
                    const NTSTATUS status = read.wait().status;
                    done += status == STATUS_SUCCESS;
                    stopped += status == STATUS_CANCELLED;
                }
            });
            CHECK(done + stopped == 20);
            CHECK(stopped == lab.cancelled);
        }
    }
}

namespace {

Outcome cancel_with(PDRIVER_CANCEL routine) {
    CancelLab lab;
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        IoMarkIrpPending(irp);
        IoSetCancelRoutine(irp, routine);
        return STATUS_PENDING;
    };
    return lab.machine.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        Request read = file.start_read(4);
        read.cancel();
    });
}

KSPIN_LOCK own_lock;

} // namespace

TEST_CASE("a cancel routine leaves no lock held, the IRQL of CancelIrql, and no region open") {
    const struct {
        PDRIVER_CANCEL routine;
        std::uint32_t code;
    } cases[] = {
        {[](PDEVICE_OBJECT, PIRP) {}, 0x00040009}, // SpinLock
        {[](PDEVICE_OBJECT, PIRP irp) {
             own_lock = 0;
             IoReleaseCancelSpinLock(irp->CancelIrql);
             KIRQL irql;
             KeAcquireSpinLock(&own_lock, &irql);
         },
         0x00040009},
        {[](PDEVICE_OBJECT, PIRP) { IoReleaseCancelSpinLock(DISPATCH_LEVEL); }, 0x0002001D}, // IrqlReturn
        {[](PDEVICE_OBJECT, PIRP irp) {
             IoReleaseCancelSpinLock(irp->CancelIrql);
             KeEnterCriticalRegion();
         },
         0x00040003}, // CriticalRegions
        {[](PDEVICE_OBJECT, PIRP irp) {
             IoReleaseCancelSpinLock(irp->CancelIrql);
             KeEnterGuardedRegion();
         },
         0x0004000E}, // GuardedRegions
    };
    for (const auto& c : cases) {
        const Outcome outcome = cancel_with(c.routine);
        INFO(outcome.report);
        CHECK(outcome.is_bug_check(0xC4));
        CHECK(outcome.bug_check.parameters[0] == c.code);
        CHECK(outcome.bug_check.parameters[1] != outcome.bug_check.parameters[2]);
    }
}

TEST_CASE("the journey of a cancelled request shows its cancel routine, and what was done in it") {
    CancelLab lab(true, {.trace = true});
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\C", overlapped).value();
        lab.machine.trace().clear();
        Request read = file.start_read(4);
        read.cancel();
        CHECK(read.wait().status == STATUS_CANCELLED);
    });
    const std::string journey = lab.machine.trace().journey(lab.machine.trace().irps().at(0));
    INFO(journey);
    const std::size_t begin = journey.find("-> \\Driver\\c's cancel routine is called");
    const std::size_t done = journey.find("completes irp#", begin);
    const std::size_t end = journey.find("<- it returns\n", done);
    CHECK(begin != std::string::npos);
    CHECK(done != std::string::npos);
    CHECK(end != std::string::npos);
}
