// A thread may end inside of a dispatch routine: whoever called IoCallDriver on it never hears of it again, but the IRP lives.
#include "closure_driver.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

struct Sender {
    PDEVICE_OBJECT device;
    PIRP irp;

    static VOID NTAPI send(PVOID context) {
        const auto& self = *static_cast<Sender*>(context);
        IoCallDriver(self.device, self.irp); // does not return
        KeBugCheckEx(MANUALLY_INITIATED_CRASH, 1, 0, 0, 0);
    }
};

// Sends the IRP on a thread of its own, and waits until nothing is left of that.
void send_on_ending_thread(Sender& sender) {
    HANDLE handle = nullptr;
    PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, nullptr, nullptr, nullptr, Sender::send, &sender);
    ZwWaitForSingleObject(handle, FALSE, nullptr);
    ZwClose(handle);
    LARGE_INTEGER moment;
    moment.QuadPart = -10'000;
    KeDelayExecutionThread(KernelMode, FALSE, &moment);
}

struct EndingLab : Lab {
    EndingLab() {
        behaviour[IRP_MJ_READ] = [](PDEVICE_OBJECT, PIRP irp) {
            IoMarkIrpPending(irp);
            PsTerminateSystemThread(STATUS_SUCCESS);
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_WRITE] = [](PDEVICE_OBJECT, PIRP irp) { return complete(irp, STATUS_SUCCESS); };
        load("ending", [this](PDRIVER_OBJECT driver) {
            const NTSTATUS status = create_device(driver, u"\\Device\\Ending", behaviour, 0, &device);
            if (NT_SUCCESS(status)) device->StackSize = 3;
            return status;
        });
    }
    PIRP make_irp() {
        PIRP irp = IoAllocateIrp(device->StackSize, FALSE);
        IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
        set_completion(irp, kept);
        return irp;
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    int completions = 0;
    Completion kept = [this](PDEVICE_OBJECT, PIRP) {
        ++completions;
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
};

} // namespace

TEST_CASE("an IRP whose sender ended in the dispatch routine is completed by another thread") {
    EndingLab lab;
    const Outcome outcome = lab.machine.run_in_kernel([&] {
        Sender sender{lab.device, lab.make_irp()};
        send_on_ending_thread(sender);
        complete(sender.irp, STATUS_SUCCESS);
        IoFreeIrp(sender.irp);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(lab.completions == 1);
}

TEST_CASE("an IRP whose sender ended in the dispatch routine is sent on by another thread") {
    EndingLab lab;
    const Outcome outcome = lab.machine.run_in_kernel([&] {
        Sender sender{lab.device, lab.make_irp()};
        send_on_ending_thread(sender);
        IoCopyCurrentIrpStackLocationToNext(sender.irp);
        IoGetNextIrpStackLocation(sender.irp)->MajorFunction = IRP_MJ_WRITE;
        IoCallDriver(lab.device, sender.irp);
        IoFreeIrp(sender.irp);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(lab.completions == 1);
}

TEST_CASE("several threads may end in the dispatch of one IRP") {
    EndingLab lab;
    const Outcome outcome = lab.machine.run_in_kernel([&] {
        Sender sender{lab.device, lab.make_irp()};
        send_on_ending_thread(sender);
        IoCopyCurrentIrpStackLocationToNext(sender.irp);
        send_on_ending_thread(sender);
        complete(sender.irp, STATUS_SUCCESS);
        IoFreeIrp(sender.irp);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(lab.completions == 1);
}
