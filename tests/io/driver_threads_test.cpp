// Threads and work items that keep their driver, and completion routines that do.
#include "closure_driver.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

using Journal = std::vector<std::string>;

} // namespace

TEST_CASE("IoCreateSystemThread's thread keeps its driver's image, whether it returns or ends itself") {
    for (const bool ends_itself : {false, true}) {
        Lab lab;
        Behaviour behaviour;
        static Lab* seen;
        static bool ends;
        seen = &lab;
        ends = ends_itself;
        PDEVICE_OBJECT device = nullptr;
        Driver driver = lab.load(
            "t", [&](PDRIVER_OBJECT object) { return create_device(object, u"\\Device\\T", behaviour, 0, &device); });
        lab.machine.run_in_kernel([&] {
            HANDLE handle = nullptr;
            OBJECT_ATTRIBUTES attributes;
            InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
            const auto routine = [](PVOID context) -> VOID {
                LARGE_INTEGER pause;
                pause.QuadPart = -10'000'000;
                KeDelayExecutionThread(KernelMode, FALSE, &pause);
                seen->note(context == &ends ? "thread ends" : "wrong context");
                if (ends) PsTerminateSystemThread(STATUS_SUCCESS);
            };
            CHECK(IoCreateSystemThread(device, &handle, THREAD_ALL_ACCESS, &attributes, nullptr, nullptr, routine,
                                       &ends) == STATUS_SUCCESS);
            CHECK(handle != nullptr);
            ZwClose(handle);
            InitializeObjectAttributes(&attributes, nullptr, OBJ_PERMANENT, nullptr, nullptr);
            CHECK(IoCreateSystemThread(device, &handle, 0, &attributes, nullptr, nullptr, routine, nullptr) ==
                  STATUS_INVALID_PARAMETER);
            CHECK(IoCreateSystemThread(device, &handle, 0, nullptr, reinterpret_cast<HANDLE>(0x4444), nullptr, routine,
                                       nullptr) == STATUS_INVALID_HANDLE);
        });
        CHECK(lab.machine.unload(driver).value() == Unload::unloaded); // after the thread
        CHECK(lab.journal == Journal{"thread ends"});
    }
}

TEST_CASE(
    "a completion routine of IoSetCompletionRoutineEx is called as any other, once, and keeps the image till then") {
    Lab lab;
    Behaviour lower;
    Behaviour upper;
    PDEVICE_OBJECT below = nullptr;
    PDEVICE_OBJECT above = nullptr;
    std::vector<PIRP> waiting;
    lower[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        waiting.push_back(irp);
        return pend(irp);
    };
    lab.load("lower", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\L", lower, 0, &below); });
    static Lab* seen;
    seen = &lab;
    lab.load("upper", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\U", upper, 0, &above); });
    upper[IRP_MJ_READ] = [&](PDEVICE_OBJECT device, PIRP irp) {
        IoCopyCurrentIrpStackLocationToNext(irp);
        const auto routine = [](PDEVICE_OBJECT owner, PIRP request, PVOID context) -> NTSTATUS {
            seen->note(owner == context && request->IoStatus.Status == STATUS_SUCCESS ? "completed" : "wrong");
            if (request->PendingReturned) IoMarkIrpPending(request);
            return STATUS_CONTINUE_COMPLETION;
        };
        CHECK(IoSetCompletionRoutineEx(device, irp, routine, device, TRUE, FALSE, FALSE) == STATUS_SUCCESS);
        return IoCallDriver(below, irp);
    };
    lab.machine.run_in_kernel([&] { above->StackSize = 2; });
    lab.run([&](Process& process) {
        File file = process.open("\\Device\\U", {.overlapped = true}).value();
        Request read = file.start_read(1);
        CHECK(lab.journal.empty());
        lower[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
            complete(waiting.front(), STATUS_SUCCESS);
            return complete(irp, STATUS_SUCCESS);
        };
        CHECK(process.open("\\Device\\L").value().write(bytes("x")).ok());
        CHECK(read.wait().status == STATUS_SUCCESS);
    });
    CHECK(lab.journal == Journal{"completed"});
}

TEST_CASE("IoTryQueueWorkItem queues an item once, and again when its routine has begun") {
    Lab lab;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    lab.load("w", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\W", behaviour, 0, &device); });
    static unsigned runs;
    runs = 0;
    lab.machine.run_in_kernel([&] {
        PIO_WORKITEM item = IoAllocateWorkItem(device);
        const auto routine = [](PVOID object, PVOID context, PIO_WORKITEM) -> VOID { runs += object == context; };
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        CHECK(IoTryQueueWorkItem(item, routine, DelayedWorkQueue, device) == TRUE);
        CHECK(IoTryQueueWorkItem(item, routine, DelayedWorkQueue, device) == FALSE);
        KeLowerIrql(irql);
        LARGE_INTEGER pause;
        pause.QuadPart = -10'000;
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        CHECK(runs == 1);
        CHECK(IoTryQueueWorkItem(item, routine, DelayedWorkQueue, device) == TRUE);
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
        CHECK(runs == 2);
        IoFreeWorkItem(item);
    });
    CHECK(lab.machine.outcome().finished());
}
