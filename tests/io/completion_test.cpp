// Completion routines of stacked drivers: order, conditions, taking an IRP back, and the pending mark on the way up.
#include "closure_driver.hpp"

#include <memory>

using namespace dirql;
using namespace dirql::test;

namespace {

// \Device\S, served by `bottom` with filters above; each filter is a device of a driver of its own.
struct StackLab : Lab {
    explicit StackLab(MachineOptions options = {}) : Lab(std::move(options)) {
        load("bottom",
             [this](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\S", bottom, 0, &base); });
    }
    struct Filter {
        Behaviour behaviour;
        PDEVICE_OBJECT device = nullptr;
        PDEVICE_OBJECT lower = nullptr;
        Completion completion;
    };
    Filter& add_filter() {
        Filter& filter = *filters.emplace_back(std::make_unique<Filter>());
        for (const unsigned major : {IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE}) {
            filter.behaviour[major] = [&filter](PDEVICE_OBJECT, PIRP irp) { return skip_to(filter.lower, irp); };
        }
        load("filter" + std::to_string(filters.size()), [&](PDRIVER_OBJECT driver) {
            create_device(driver, nullptr, filter.behaviour, 0, &filter.device);
            filter.lower = IoAttachDeviceToDeviceStack(filter.device, base);
            return filter.lower == nullptr ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
        });
        return filter;
    }
    IoResult control() {
        IoResult result;
        outcome = machine.run(
            [&](Process& process) { result = process.open("\\Device\\S").value().device_control(0x222000); });
        return result;
    }
    Behaviour bottom;
    PDEVICE_OBJECT base = nullptr;
    std::vector<std::unique_ptr<Filter>> filters;
    Outcome outcome;
};

using Journal = std::vector<std::string>;

void mark_if_pending(PIRP irp) {
    if (irp->PendingReturned) IoMarkIrpPending(irp);
}

VOID NTAPI complete_in_dpc(PKDPC, PVOID irp, PVOID, PVOID) { complete(static_cast<PIRP>(irp), STATUS_SUCCESS); }

// Pends the IRP; a timer completes it a little later.
NTSTATUS pend_for_timer(PIRP irp) {
    auto* dpc = kernel_object<KDPC>();
    auto* timer = kernel_object<KTIMER>();
    KeInitializeDpc(dpc, complete_in_dpc, irp);
    KeInitializeTimer(timer);
    IoMarkIrpPending(irp);
    LARGE_INTEGER due{.QuadPart = -20'000};
    KeSetTimer(timer, due, dpc);
    return STATUS_PENDING;
}

// Pends it and has completed it before it returns.
NTSTATUS pend_and_complete(PIRP irp) {
    IoMarkIrpPending(irp);
    complete(irp, STATUS_SUCCESS);
    return STATUS_PENDING;
}

} // namespace

TEST_CASE("completion routines run from the lowest driver up, with the device of the driver that set them") {
    StackLab lab;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        lab.note("bottom");
        return complete(irp, STATUS_SUCCESS);
    };
    for (const char* name : {"low", "high"}) {
        StackLab::Filter& filter = lab.add_filter();
        filter.completion = [&lab, &filter, name](PDEVICE_OBJECT device, PIRP irp) {
            lab.note(std::string(name) + (device == filter.device ? " completes" : " completes for another device"));
            mark_if_pending(irp);
            return STATUS_CONTINUE_COMPLETION;
        };
        filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&lab, &filter, name](PDEVICE_OBJECT, PIRP irp) {
            lab.note(name);
            const NTSTATUS status = copy_to(filter.lower, irp, filter.completion);
            lab.note(std::string(name) + " returns");
            return status;
        };
    }
    CHECK(lab.control().status == STATUS_SUCCESS);
    CHECK(lab.journal ==
          Journal{"high", "low", "bottom", "low completes", "high completes", "low returns", "high returns"});
}

TEST_CASE("a completion routine runs for success, error and cancellation as it asked") {
    for (const bool on_success : {false, true}) {
        for (const bool on_error : {false, true}) {
            for (const bool on_cancel : {false, true}) {
                for (const bool cancelled : {false, true}) {
                    for (const NTSTATUS status : {STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW, STATUS_UNSUCCESSFUL}) {
                        StackLab lab;
                        unsigned calls = 0;
                        lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
                            if (cancelled) IoCancelIrp(irp);
                            return complete(irp, status);
                        };
                        StackLab::Filter& filter = lab.add_filter();
                        filter.completion = [&](PDEVICE_OBJECT, PIRP) {
                            ++calls;
                            return STATUS_SUCCESS;
                        };
                        filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
                            return copy_to(filter.lower, irp, filter.completion, on_success, on_error, on_cancel);
                        };
                        CHECK(lab.control().status == status);
                        const bool expected = (NT_SUCCESS(status) ? on_success : on_error) || (cancelled && on_cancel);
                        CHECK(calls == (expected ? 1u : 0u));
                    }
                }
            }
        }
    }
}

TEST_CASE("an IRP that a completion routine takes back is completed by its driver later, from there up") {
    StackLab lab;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) { return complete(irp, STATUS_DEVICE_BUSY, 1); };
    StackLab::Filter& low = lab.add_filter();
    StackLab::Filter& high = lab.add_filter();
    low.completion = [&](PDEVICE_OBJECT, PIRP irp) {
        lab.note("taken back with " + std::to_string(irp->IoStatus.Information));
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
    high.completion = [&](PDEVICE_OBJECT, PIRP irp) {
        lab.note("high sees " + std::to_string(irp->IoStatus.Information));
        return STATUS_CONTINUE_COMPLETION;
    };
    low.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        CHECK(copy_to(low.lower, irp, low.completion) == STATUS_DEVICE_BUSY);
        lab.note("low goes on");
        return complete(irp, STATUS_SUCCESS, 2);
    };
    high.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        return copy_to(high.lower, irp, high.completion);
    };
    const IoResult result = lab.control();
    CHECK(result.status == STATUS_SUCCESS);
    CHECK(result.information == 2);
    CHECK(lab.journal == Journal{"taken back with 1", "low goes on", "high sees 2"});
}

TEST_CASE("a taken-back IRP can be sent down again") {
    StackLab lab;
    unsigned tries = 0;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        return complete(irp, ++tries < 5 ? STATUS_RETRY : STATUS_SUCCESS);
    };
    StackLab::Filter& filter = lab.add_filter();
    filter.completion = [](PDEVICE_OBJECT, PIRP) { return STATUS_MORE_PROCESSING_REQUIRED; };
    filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        NTSTATUS status;
        do {
            status = copy_to(filter.lower, irp, filter.completion);
        } while (status == STATUS_RETRY);
        return complete(irp, status);
    };
    CHECK(lab.control().status == STATUS_SUCCESS);
    CHECK(tries == 5);
}

TEST_CASE("pended below: every way of a filter with it is right when it hands the mark on") {
    // The filter: skips, copies without a routine, copies with one that marks, marks at once, forwards and waits.
    for (const unsigned processors : {1u, 2u, 8u}) {
        for (const bool at_once : {false, true}) {
            for (const char* way : {"skip", "copy", "routine", "mark", "forward"}) {
                MachineOptions options;
                options.processors = processors;
                options.seed = 11;
                StackLab lab(options);
                lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
                    return at_once ? pend_and_complete(irp) : pend_for_timer(irp);
                };
                for (int i = 0; i < 3; ++i) {
                    StackLab::Filter& filter = lab.add_filter();
                    filter.completion = [&](PDEVICE_OBJECT, PIRP irp) {
                        if (std::string(way) == "routine") mark_if_pending(irp);
                        return STATUS_CONTINUE_COMPLETION;
                    };
                    filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) -> NTSTATUS {
                        const std::string how = way;
                        if (how == "skip") return skip_to(filter.lower, irp);
                        if (how == "routine") return copy_to(filter.lower, irp, filter.completion);
                        if (how == "copy") {
                            IoCopyCurrentIrpStackLocationToNext(irp);
                            return IoCallDriver(filter.lower, irp);
                        }
                        if (how == "forward") {
                            CHECK(IoForwardIrpSynchronously(filter.lower, irp));
                            const NTSTATUS status = irp->IoStatus.Status;
                            IoCompleteRequest(irp, IO_NO_INCREMENT);
                            return status;
                        }
                        IoMarkIrpPending(irp);
                        copy_to(filter.lower, irp, filter.completion);
                        return STATUS_PENDING;
                    };
                }
                const IoResult result = lab.control();
                INFO(way << ", completed " << (at_once ? "at once" : "later") << ", " << processors
                         << " processors: " << lab.outcome.report);
                CHECK(lab.outcome.finished());
                CHECK(result.status == STATUS_SUCCESS);
            }
        }
    }
}

TEST_CASE("a completion routine that forgets the mark is found") {
    for (const bool at_once : {false, true}) {
        StackLab lab;
        lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
            return at_once ? pend_and_complete(irp) : pend_for_timer(irp);
        };
        StackLab::Filter& filter = lab.add_filter();
        filter.completion = [](PDEVICE_OBJECT, PIRP) { return STATUS_SUCCESS; };
        filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
            return copy_to(filter.lower, irp, filter.completion);
        };
        lab.control();
        CHECK(lab.outcome.is_bug_check(0xC9));
        CHECK(lab.outcome.bug_check.parameters[0] == 0x228);
    }
}

TEST_CASE("a filter that skips and returns a status of its own is found") {
    StackLab lab;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) { return pend_for_timer(irp); };
    StackLab::Filter& filter = lab.add_filter();
    filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        skip_to(filter.lower, irp);
        return STATUS_SUCCESS;
    };
    lab.control();
    CHECK(lab.outcome.is_bug_check(0xC9));
    CHECK(lab.outcome.bug_check.parameters[0] == 0x23E);
}

TEST_CASE("many skipping filters, over and over: no call outlives its IRP") {
    StackLab lab;
    unsigned count = 0;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        return ++count % 3 == 0 ? pend_and_complete(irp) : complete(irp, STATUS_SUCCESS);
    };
    for (int i = 0; i < 6; ++i) {
        StackLab::Filter& filter = lab.add_filter();
        filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) { return skip_to(filter.lower, irp); };
    }
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\S").value();
        for (int i = 0; i < 500; ++i) CHECK(file.device_control(0x222000).status == STATUS_SUCCESS);
    });
}

TEST_CASE("a stack's size grows by one with each device") {
    StackLab lab;
    CCHAR locations = 0;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        locations = irp->StackCount;
        return complete(irp, STATUS_SUCCESS);
    };
    for (int filters = 1; filters <= 12; ++filters) {
        StackLab::Filter& filter = lab.add_filter();
        filter.completion = [](PDEVICE_OBJECT, PIRP) { return STATUS_SUCCESS; };
        filter.behaviour[IRP_MJ_DEVICE_CONTROL] = [&filter](PDEVICE_OBJECT, PIRP irp) {
            return copy_to(filter.lower, irp, filter.completion);
        };
        CHECK(filter.device->StackSize == filters + 1);
        CHECK(lab.control().status == STATUS_SUCCESS);
        CHECK(locations == filters + 1);
    }
}

extern "C" NTSTATUS dirql_test_try(void (*body)(void*), void* context);

TEST_CASE("calls that an exception has skipped are forgotten, and the IRP goes its way") {
    StackLab lab;
    unsigned tries = 0;
    lab.bottom[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) -> NTSTATUS {
        if (++tries < 3) ExRaiseStatus(STATUS_DEVICE_DATA_ERROR);
        return pend_and_complete(irp);
    };
    StackLab::Filter& low = lab.add_filter();
    StackLab::Filter& high = lab.add_filter();
    low.completion = [](PDEVICE_OBJECT, PIRP irp) {
        mark_if_pending(irp);
        return STATUS_CONTINUE_COMPLETION;
    };
    high.completion = low.completion;
    low.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        return copy_to(low.lower, irp, low.completion);
    };
    struct Attempt {
        StackLab::Filter& filter;
        PIRP irp;
        NTSTATUS status;
    };
    // Takes the location of the call that failed back, as who catches an exception of a driver below must.
    high.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        Attempt attempt{high, irp, 0};
        const CHAR location = irp->CurrentLocation;
        PIO_STACK_LOCATION own = irp->Tail.Overlay.CurrentStackLocation;
        const auto send = [](void* context) {
            auto& a = *static_cast<Attempt*>(context);
            a.status = copy_to(a.filter.lower, a.irp, a.filter.completion);
        };
        while (dirql_test_try(send, &attempt) == STATUS_DEVICE_DATA_ERROR) {
            irp->CurrentLocation = location;
            irp->Tail.Overlay.CurrentStackLocation = own;
        }
        return attempt.status;
    };
    for (int i = 0; i < 20; ++i) {
        tries = 0;
        CHECK(lab.control().status == STATUS_SUCCESS);
        INFO(lab.outcome.report);
        CHECK(lab.outcome.finished());
        CHECK(tries == 3);
    }
}
