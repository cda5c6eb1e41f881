// StartIo, the device queue, IoRequestDpc, IoTimer, work items.
#include "closure_driver.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

// Reads go through StartIo one at a time; a write finishes the current one from a DPC and starts the next.
struct QueueLab : Lab {
    explicit QueueLab(MachineOptions options = {}) : Lab(std::move(options)) {
        instance = this;
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT target, PIRP irp) {
            IoMarkIrpPending(irp);
            ULONG key = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.LowPart;
            IoStartPacket(target, irp, by_key ? &key : nullptr, cancelable ? cancel : nullptr);
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_WRITE] = [this](PDEVICE_OBJECT target, PIRP irp) {
            IoRequestDpc(target, target->CurrentIrp, this);
            return complete(irp, STATUS_SUCCESS);
        };
        load("q", [this](PDRIVER_OBJECT driver) {
            driver->DriverStartIo = start_io;
            const NTSTATUS status = create_device(driver, u"\\Device\\Q", behaviour, DO_BUFFERED_IO, &device);
            IoInitializeDpcRequest(device, finish);
            return status;
        });
    }
    static VOID NTAPI start_io(PDEVICE_OBJECT target, PIRP irp) {
        if (instance->cancelable) { // from now on it cannot be cancelled
            KIRQL irql;
            IoAcquireCancelSpinLock(&irql);
            IoSetCancelRoutine(irp, nullptr);
            IoReleaseCancelSpinLock(irql);
        }
        instance->current_right &= target->CurrentIrp == irp;
        instance->level_right &= KeGetCurrentIrql() == DISPATCH_LEVEL;
        instance->started.push_back(IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.LowPart);
    }
    static VOID NTAPI finish(PKDPC, PDEVICE_OBJECT target, PIRP irp, PVOID context) {
        instance->dpc_context_right &= context == instance;
        complete(irp, STATUS_SUCCESS, 0);
        const bool by_key = instance->by_key;
        if (by_key) {
            IoStartNextPacketByKey(target, instance->cancelable, instance->next_key);
        } else {
            IoStartNextPacket(target, instance->cancelable);
        }
    }
    static VOID NTAPI cancel(PDEVICE_OBJECT target, PIRP irp) {
        KeRemoveEntryDeviceQueue(&target->DeviceQueue, &irp->Tail.Overlay.DeviceQueueEntry);
        IoReleaseCancelSpinLock(irp->CancelIrql);
        complete(irp, STATUS_CANCELLED);
    }
    static inline QueueLab* instance;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    bool by_key = false;
    bool cancelable = false;
    ULONG next_key = 0;
    bool current_right = true;
    bool level_right = true;
    bool dpc_context_right = true;
    std::vector<ULONG> started;
};

using Order = std::vector<ULONG>;

} // namespace

TEST_CASE("StartIo gets one packet at a time, in the order of arrival") {
    for (const bool cancelable : {false, true}) {
        QueueLab lab;
        lab.cancelable = cancelable;
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\Q", overlapped).value();
            std::vector<Request> reads;
            for (const ULONG offset : {30u, 10u, 20u, 40u}) reads.push_back(file.start_read(4, offset));
            CHECK(lab.started == Order{30});
            for (std::size_t i = 0; i < reads.size(); ++i) {
                CHECK(lab.started.size() == i + 1);
                file.write(bytes("x"));
                CHECK(reads[i].done());
            }
            CHECK(lab.device->CurrentIrp == nullptr);
        });
        CHECK(lab.started == Order{30, 10, 20, 40});
        CHECK(lab.current_right);
        CHECK(lab.level_right);
        CHECK(lab.dpc_context_right);
    }
}

TEST_CASE("a journey tells whether IoStartPacket started the request or queued it") {
    QueueLab lab({.trace = true});
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Q", overlapped).value();
        lab.machine.trace().clear();
        Request first = file.start_read(4);
        Request second = file.start_read(4);
        for (int i = 0; i < 2; ++i) file.write(bytes("x"));
    });
    const std::vector<std::uint32_t> irps = lab.machine.trace().irps();
    const std::string first = lab.machine.trace().journey(irps.at(0));
    const std::string second = lab.machine.trace().journey(irps.at(1));
    INFO(first << second);
    CHECK(first.find("the device is idle: IoStartPacket starts irp#") != std::string::npos);
    CHECK(second.find("the device is busy: IoStartPacket queues irp#") != std::string::npos);
}

TEST_CASE("with keys the queue is sorted; the next one is the first at or above the key, else the lowest") {
    QueueLab lab;
    lab.by_key = true;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Q", overlapped).value();
        std::vector<Request> reads;
        for (const ULONG offset : {50u, 40u, 10u, 30u, 20u}) reads.push_back(file.start_read(4, offset));
        for (const ULONG key : {25u, 30u, 45u, 0u, 0u}) {
            lab.next_key = key;
            file.write(bytes("x"));
        }
    });
    CHECK(lab.started == Order{50, 30, 40, 10, 20});
}

TEST_CASE("a queued packet can be cancelled; the others go on") {
    QueueLab lab;
    lab.cancelable = true;
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Q", overlapped).value();
        std::vector<Request> reads;
        for (const ULONG offset : {1u, 2u, 3u}) reads.push_back(file.start_read(4, offset));
        CHECK(reads[1].cancel() == STATUS_SUCCESS);
        CHECK(reads[1].wait().status == STATUS_CANCELLED);
        file.write(bytes("x"));
        file.write(bytes("x"));
        CHECK(reads[0].wait().status == STATUS_SUCCESS);
        CHECK(reads[2].wait().status == STATUS_SUCCESS);
    });
    CHECK(lab.started == Order{1, 3});
}

TEST_CASE("a packet that is cancelled before it is queued is cancelled in the queue at once") {
    QueueLab lab;
    lab.cancelable = true;
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT target, PIRP irp) {
        IoMarkIrpPending(irp);
        if (lab.device->CurrentIrp != nullptr) IoCancelIrp(irp);
        IoStartPacket(target, irp, nullptr, QueueLab::cancel);
        return STATUS_PENDING;
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Q", overlapped).value();
        Request first = file.start_read(4, 1);
        Request second = file.start_read(4, 2);
        CHECK(second.done());
        CHECK(second.wait().status == STATUS_CANCELLED);
        file.write(bytes("x"));
        CHECK(first.wait().status == STATUS_SUCCESS);
    });
    CHECK(lab.started == Order{1});
}

namespace {

struct TimerLab : Lab {
    TimerLab() {
        load("t", [this](PDRIVER_OBJECT driver) {
            create_device(driver, u"\\Device\\T1", behaviour, 0, &first);
            create_device(driver, u"\\Device\\T2", behaviour, 0, &second);
            IoInitializeTimer(first, tick, &first_count);
            return IoInitializeTimer(second, tick, &second_count);
        });
    }
    static VOID NTAPI tick(PDEVICE_OBJECT, PVOID context) {
        if (KeGetCurrentIrql() == DISPATCH_LEVEL) ++*static_cast<unsigned*>(context);
    }
    void in_kernel(const std::function<void()>& body) { CHECK(machine.run_in_kernel(body).finished()); }
    Behaviour behaviour;
    PDEVICE_OBJECT first = nullptr;
    PDEVICE_OBJECT second = nullptr;
    unsigned first_count = 0;
    unsigned second_count = 0;
};

} // namespace

TEST_CASE("an IoTimer ticks once a second between start and stop") {
    using namespace std::chrono_literals;
    TimerLab lab;
    lab.machine.advance(3s);
    CHECK(lab.first_count == 0);
    lab.in_kernel([&] { IoStartTimer(lab.first); });
    lab.machine.advance(5s + 500ms);
    CHECK(lab.first_count == 5);
    CHECK(lab.second_count == 0);
    lab.in_kernel([&] { IoStartTimer(lab.second); });
    lab.machine.advance(2s);
    CHECK(lab.first_count == 7);
    CHECK(lab.second_count == 2);
    lab.in_kernel([&] { IoStopTimer(lab.first); });
    lab.machine.advance(2s);
    CHECK(lab.first_count == 7);
    CHECK(lab.second_count == 4);
    lab.in_kernel([&] { IoStartTimer(lab.first); });
    lab.machine.advance(2s);
    CHECK(lab.first_count == 9);
    lab.in_kernel([&] { delete_all_devices(lab.first->DriverObject); }); // deleting stops
    const unsigned at_end = lab.first_count + lab.second_count;
    lab.machine.advance(3s);
    CHECK(lab.first_count + lab.second_count == at_end);
}

namespace {

struct WorkSeen {
    PDEVICE_OBJECT device = nullptr;
    KIRQL irql = HIGH_LEVEL;
    bool system = false;
    unsigned runs = 0;
};

VOID NTAPI work(PDEVICE_OBJECT device, PVOID context) {
    auto& seen = *static_cast<WorkSeen*>(context);
    seen = {device, KeGetCurrentIrql(), PsGetCurrentProcess() == PsInitialSystemProcess, seen.runs + 1};
}

} // namespace

TEST_CASE("a work item runs in a system thread at PASSIVE_LEVEL, as often as it is queued") {
    Lab lab;
    Behaviour behaviour;
    WorkSeen seen;
    PIO_WORKITEM item = nullptr;
    PDEVICE_OBJECT device = nullptr;
    behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT target, PIRP irp) {
        if (item == nullptr) item = IoAllocateWorkItem(target);
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        IoQueueWorkItem(item, work, DelayedWorkQueue, &seen);
        KeLowerIrql(irql);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.load("w", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\W", behaviour, 0, &device); });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\W").value();
        for (unsigned i = 1; i <= 3; ++i) {
            file.device_control(0x222000);
            process.sleep(std::chrono::milliseconds(1));
            CHECK(seen.runs == i);
        }
    });
    CHECK(seen.device == device);
    CHECK(seen.irql == PASSIVE_LEVEL);
    CHECK(seen.system);
    lab.machine.run_in_kernel([&] { IoFreeWorkItem(item); });
}
