// The attributes of StartIo: deferred calls, packets that cannot be cancelled.
#include "closure_driver.hpp"

#include <algorithm>
#include <utility>

using namespace dirql;
using namespace dirql::test;

namespace {

// Reads whose StartIo finishes the request and asks for the next one from within.
struct StartLab : Lab {
    explicit StartLab(BOOLEAN deferred, BOOLEAN non_cancelable = FALSE) {
        instance = this;
        behaviour[IRP_MJ_READ] = [](PDEVICE_OBJECT target, PIRP irp) {
            IoMarkIrpPending(irp);
            IoStartPacket(target, irp, nullptr, cancel);
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_WRITE] = [](PDEVICE_OBJECT target, PIRP irp) {
            instance->hold = false;
            {
                const AtDispatch raised;
                complete(std::exchange(instance->held, nullptr), STATUS_SUCCESS, 0);
                instance->by_key ? IoStartNextPacketByKey(target, TRUE, 0) : IoStartNextPacket(target, TRUE);
            }
            return complete(irp, STATUS_SUCCESS);
        };
        load("q", [&](PDRIVER_OBJECT driver) {
            driver->DriverStartIo = start_io;
            const NTSTATUS status = create_device(driver, u"\\Device\\Q", behaviour, DO_BUFFERED_IO, &device);
            IoSetStartIoAttributes(device, deferred, non_cancelable);
            return status;
        });
    }
    static VOID NTAPI cancel(PDEVICE_OBJECT target, PIRP irp) {
        KeRemoveEntryDeviceQueue(&target->DeviceQueue, &irp->Tail.Overlay.DeviceQueueEntry);
        IoReleaseCancelSpinLock(irp->CancelIrql);
        complete(irp, STATUS_CANCELLED);
    }
    static VOID NTAPI start_io(PDEVICE_OBJECT target, PIRP irp) {
        StartLab& lab = *instance;
        lab.cancelable_seen |= irp->CancelRoutine != nullptr;
        lab.deepest = std::max(lab.deepest, ++lab.depth);
        ++lab.started;
        (void)IoSetCancelRoutine(irp, nullptr);
        if (lab.hold) {
            lab.held = irp;
        } else {
            complete(irp, STATUS_SUCCESS, 0);
            lab.by_key ? IoStartNextPacketByKey(target, TRUE, 0) : IoStartNextPacket(target, TRUE);
        }
        --lab.depth;
    }
    static inline StartLab* instance;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    PIRP held = nullptr;
    bool hold = true;
    bool by_key = false;
    bool cancelable_seen = false;
    int depth = 0;
    int deepest = 0;
    int started = 0;
};

} // namespace

TEST_CASE("with deferred calls StartIo is never called while it runs; without, it is") {
    for (const bool by_key : {false, true}) {
        for (const bool deferred : {false, true}) {
            StartLab lab(deferred);
            lab.by_key = by_key;
            lab.run([&](Process& process) {
                File file = process.open("\\Device\\Q", {.overlapped = true}).value();
                std::vector<Request> reads;
                for (int i = 0; i < 6; ++i) reads.push_back(file.start_read(1));
                (void)file.start_write(bytes("x")).wait();
                for (Request& read : reads) CHECK(read.wait().status == STATUS_SUCCESS);
            });
            CHECK(lab.started == 6);
            CHECK(lab.deepest == (deferred ? 1 : 5));
            CHECK(lab.device->CurrentIrp == nullptr);
            CHECK_FALSE(lab.device->DeviceQueue.Busy);
        }
    }
}

TEST_CASE("with non-cancelable packets StartIo gets them without their cancel routine") {
    for (const bool non_cancelable : {false, true}) {
        StartLab lab(FALSE, non_cancelable);
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\Q", {.overlapped = true}).value();
            Request first = file.start_read(1);
            Request second = file.start_read(1);
            Request third = file.start_read(1);
            CHECK(third.cancel() == STATUS_SUCCESS); // in the queue it can be cancelled
            CHECK(third.wait().status == STATUS_CANCELLED);
            (void)file.start_write(bytes("x")).wait();
            CHECK(second.wait().status == STATUS_SUCCESS);
        });
        CHECK(lab.cancelable_seen == !non_cancelable);
    }
}
