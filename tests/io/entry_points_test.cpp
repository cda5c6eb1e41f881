// The context in which each of a driver's entry points is called: IRQL, process and thread, and whether a lock is held.
#include "entry_lab.hpp"

using namespace dirql;
using namespace dirql::test;
using namespace std::chrono_literals;

TEST_CASE("DriverEntry, Reinitialize and Unload run in the system process at PASSIVE_LEVEL") {
    EntryLab lab;
    CHECK(lab.machine.unload(*lab.driver).value() == Unload::unloaded);
    for (const char* name : {"DriverEntry", "Reinitialize", "Unload"}) {
        const Context context = only(name);
        CHECK(context.irql == PASSIVE_LEVEL);
        CHECK(context.in_system_process);
    }
}

TEST_CASE("the top driver's dispatch and fast I/O routines run in the requester's thread at PASSIVE_LEVEL") {
    EntryLab lab;
    bool requester = false;
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        saw("dispatch");
        requester = is_requester(seen["dispatch"].back(), irp);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Entry").value();
        CHECK(file.device_control(control).status == STATUS_SUCCESS);
        process.start_thread([&] { CHECK(file.device_control(control).status == STATUS_SUCCESS); }).join();
    });
    CHECK(requester);
    CHECK(seen["dispatch"] == seen["FastIoDeviceControl"]);
    const std::vector<Context>& calls = seen["dispatch"];
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].irql == PASSIVE_LEVEL);
    CHECK(calls[1].irql == PASSIVE_LEVEL);
    CHECK(!calls[0].in_system_process);
    CHECK(calls[0].process == calls[1].process);
    CHECK(calls[0].thread != calls[1].thread);
}

namespace {

VOID NTAPI forward_from_worker(PDEVICE_OBJECT, PVOID context) {
    auto& lab = *static_cast<EntryLab*>(context);
    lab.in_dpc(lab.device, lab.kept);
}

} // namespace

TEST_CASE("a lower driver's dispatch routine and the completion routine run wherever the IRP is sent and completed") {
    for (const bool from_dpc : {false, true}) {
        EntryLab lab;
        Behaviour lower_behaviour;
        PDEVICE_OBJECT lower = nullptr;
        PIO_WORKITEM item = nullptr;
        lower_behaviour[IRP_MJ_READ] = [](PDEVICE_OBJECT, PIRP irp) {
            saw("lower dispatch");
            return complete(irp, STATUS_SUCCESS, 3);
        };
        lab.load("lower", [&](PDRIVER_OBJECT object) {
            return create_device(object, nullptr, lower_behaviour, DO_BUFFERED_IO, &lower);
        });
        lab.machine.run_in_kernel([&] {
            IoAttachDeviceToDeviceStack(lab.device, lower);
            item = IoAllocateWorkItem(lab.device);
        });
        Completion done = [](PDEVICE_OBJECT, PIRP irp) {
            saw("IoCompletion");
            if (irp->PendingReturned) IoMarkIrpPending(irp);
            return STATUS_CONTINUE_COMPLETION;
        };
        lab.in_dpc = [&](PDEVICE_OBJECT, PIRP irp) { copy_to(lower, irp, done); };
        lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
            saw("dispatch");
            lab.kept = irp;
            IoMarkIrpPending(irp);
            LARGE_INTEGER soon{.QuadPart = -10'000};
            if (from_dpc) {
                KeSetTimer(&lab.timer, soon, &lab.timer_dpc);
            } else {
                IoQueueWorkItem(item, forward_from_worker, DelayedWorkQueue, &lab);
            }
            return STATUS_PENDING;
        };
        lab.run([&](Process& process) {
            const IoResult result = process.open("\\Device\\Entry").value().read(3);
            CHECK(result.status == STATUS_SUCCESS);
            CHECK(result.information == 3);
        });
        const Context sent = only("lower dispatch");
        CHECK(only("dispatch").irql == PASSIVE_LEVEL);
        CHECK(sent.irql == (from_dpc ? DISPATCH_LEVEL : PASSIVE_LEVEL));
        CHECK(sent.thread != only("dispatch").thread);
        if (!from_dpc) CHECK(sent.in_system_process);
        CHECK(only("IoCompletion") == sent); // completion routines change nothing of where they are called
        lab.machine.run_in_kernel([&] { IoFreeWorkItem(item); });
    }
}

TEST_CASE("a completion routine runs in the thread that completes, at its level, be it another application's") {
    EntryLab lab;
    Behaviour lower_behaviour;
    PDEVICE_OBJECT lower = nullptr;
    PIRP waiting = nullptr;
    lower_behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        waiting = irp;
        return pend(irp);
    };
    lab.load("lower", [&](PDRIVER_OBJECT object) {
        return create_device(object, nullptr, lower_behaviour, DO_BUFFERED_IO, &lower);
    });
    lab.machine.run_in_kernel([&] { IoAttachDeviceToDeviceStack(lab.device, lower); });
    Completion done = [](PDEVICE_OBJECT, PIRP irp) {
        saw("IoCompletion");
        if (irp->PendingReturned) IoMarkIrpPending(irp);
        return STATUS_CONTINUE_COMPLETION;
    };
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        saw("dispatch");
        return copy_to(lower, irp, done);
    };
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        saw("completer");
        complete(waiting, STATUS_SUCCESS);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\Entry", overlapped).value();
        Request read = file.start_read(3);
        auto other = process.start_process(
            [&](Process& child) { child.open("\\Device\\Entry").value().device_control(control); });
        REQUIRE(other);
        CHECK(read.wait().status == STATUS_SUCCESS);
    });
    CHECK(only("IoCompletion") == only("completer"));
    CHECK(only("completer").irql == PASSIVE_LEVEL);
    CHECK(only("completer").process != only("dispatch").process);
}

TEST_CASE("StartIo is called at DISPATCH_LEVEL without the cancel spin lock, from a thread and from a DPC") {
    for (const bool by_key : {false, true}) {
        for (const bool cancelable : {false, true}) {
            EntryLab lab;
            lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT target, PIRP irp) {
                saw("dispatch");
                ULONG key = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.LowPart;
                IoMarkIrpPending(irp);
                IoStartPacket(target, irp, by_key ? &key : nullptr, cancelable ? EntryLab::cancel : nullptr);
                saw("started");
                return STATUS_PENDING;
            };
            lab.in_dpc = [&](PDEVICE_OBJECT target, PIRP) {
                complete(target->CurrentIrp, STATUS_SUCCESS);
                if (by_key) {
                    IoStartNextPacketByKey(target, cancelable, 15);
                } else {
                    IoStartNextPacket(target, cancelable);
                }
                if (target->CurrentIrp != nullptr)
                    KeSetTimer(&lab.timer, LARGE_INTEGER{.QuadPart = -10'000}, &lab.timer_dpc);
            };
            lab.run([&](Process& process) {
                File file = process.open("\\Device\\Entry", overlapped).value();
                std::vector<Request> reads;
                for (const ULONG offset : {40u, 30u, 10u, 20u}) reads.push_back(file.start_read(4, offset));

                lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
                    KeSetTimer(&lab.timer, LARGE_INTEGER{.QuadPart = -10'000}, &lab.timer_dpc);
                    return complete(irp, STATUS_SUCCESS);
                };
                file.start_device_control(control).wait();
                for (Request& read : reads) CHECK(read.wait().status == STATUS_SUCCESS);
            });
            CHECK(lab.started == (by_key ? std::vector<ULONG>{40, 20, 30, 10} : std::vector<ULONG>{40, 30, 10, 20}));
            const std::vector<Context>& calls = seen["StartIo"];
            REQUIRE(calls.size() == 4);
            for (const Context& call : calls) CHECK(call.irql == DISPATCH_LEVEL);
            CHECK(calls[0].thread == seen["dispatch"].front().thread);
            for (const Context& after : seen["started"]) CHECK(after.irql == PASSIVE_LEVEL);
            // The DPC that has the timer run out calls it where it is itself.
            for (std::size_t i = 1; i < 4; ++i) CHECK(calls[i] == seen["CustomTimerDpc"][i - 1]);
        }
    }
}

TEST_CASE("DpcForIsr and a custom DPC run at DISPATCH_LEVEL, in whichever thread the processor has") {
    for (const bool for_isr : {false, true}) {
        EntryLab lab;
        lab.keep_reads();
        lab.in_dpc = [](PDEVICE_OBJECT, PIRP irp) { complete(irp, STATUS_SUCCESS); };
        bool ran_too_early = false;
        lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT target, PIRP irp) {
            saw("dispatch");
            KIRQL irql;
            KeRaiseIrql(DISPATCH_LEVEL, &irql);
            if (for_isr) {
                IoRequestDpc(target, lab.kept, nullptr);
            } else {
                KeInsertQueueDpc(&lab.dpc, nullptr, nullptr);
            }
            ran_too_early = seen.contains("DpcForIsr") || seen.contains("CustomDpc");
            KeLowerIrql(irql);
            saw("after");
            return complete(irp, STATUS_SUCCESS);
        };
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\Entry", overlapped).value();
            Request read = file.start_read(4);
            file.start_device_control(control).wait();
            CHECK(read.done());
        });
        const Context called = only(for_isr ? "DpcForIsr" : "CustomDpc");
        CHECK(called.irql == DISPATCH_LEVEL);
        CHECK(called.thread == only("dispatch").thread); // it interrupts the thread that lowers the level
        CHECK(!ran_too_early);
        CHECK(only("after").irql == PASSIVE_LEVEL);
    }
}

TEST_CASE("CustomTimerDpc and IoTimer run at DISPATCH_LEVEL; an IoTimer once a second") {
    EntryLab lab;
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT target, PIRP irp) {
        saw("dispatch");
        IoStartTimer(target);
        KeSetTimer(&lab.timer, LARGE_INTEGER{.QuadPart = -10'000'000}, &lab.timer_dpc);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([](Process& process) {
        process.open("\\Device\\Entry").value().device_control(control);
        process.sleep(5500ms);
    });
    CHECK(only("CustomTimerDpc").irql == DISPATCH_LEVEL);
    CHECK(only("CustomTimerDpc").thread != only("dispatch").thread); // that one sleeps
    REQUIRE(lab.ticks.size() == 5);
    for (std::size_t i = 1; i < lab.ticks.size(); ++i) CHECK(lab.ticks[i] - lab.ticks[i - 1] == 10'000'000);
    for (const Context& tick : seen["IoTimer"]) {
        CHECK(tick.irql == DISPATCH_LEVEL);
        CHECK(tick.thread != only("dispatch").thread);
    }
    lab.machine.run_in_kernel([&] { IoStopTimer(lab.device); });
}

TEST_CASE("Cancel is called at DISPATCH_LEVEL with the cancel spin lock, and CancelIrql is the canceller's level") {
    for (const KIRQL level : {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL}) {
        EntryLab lab;
        lab.cancel_in([&](PIRP irp) {
            KIRQL irql;
            KeRaiseIrql(level, &irql);
            saw("canceller");
            CHECK(IoCancelIrp(irp));
            saw("afterwards");
            KeLowerIrql(irql);
        });
        lab.run([&](Process& process) {
            File file = process.open("\\Device\\Entry", overlapped).value();
            Request read = file.start_read(4);
            process.start_thread([&] { file.start_device_control(control).wait(); }).join();
            CHECK(read.wait().status == STATUS_CANCELLED);
        });
        CHECK(only("Cancel").irql == DISPATCH_LEVEL);
        CHECK(only("Cancel").thread == only("canceller").thread);
        CHECK(only("Cancel, lock released") == only("canceller"));
        CHECK(only("afterwards") == only("canceller"));
        CHECK(lab.cancel_irql_right);
    }
}

TEST_CASE("a Cancel routine that takes the cancel spin lock has it already") {
    EntryLab lab;
    lab.cancel_takes_lock = true;
    lab.cancel_in([](PIRP irp) { IoCancelIrp(irp); });
    const Outcome outcome = lab.machine.run([&](Process& process) {
        File file = process.open("\\Device\\Entry", overlapped).value();
        Request read = file.start_read(4);
        file.start_device_control(control).wait();
    });
    CHECK(outcome.is_bug_check(SPIN_LOCK_ALREADY_OWNED));
}
