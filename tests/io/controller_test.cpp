// Controllers, StartIo's attributes, threads and completion routines that keep an image, and what drivers ask of requests.
#include "closure_driver.hpp"

#include <cstring>
#include <utility>

using namespace dirql;
using namespace dirql::test;
using Journal = std::vector<std::string>;

namespace {

struct AtDispatch {
    KIRQL irql;
    AtDispatch() { KeRaiseIrql(DISPATCH_LEVEL, &irql); }
    ~AtDispatch() { KeLowerIrql(irql); }
};

// Three devices that share a controller. Each device's number is in its extension's place of the IRP: CurrentIrp.
struct ControllerLab : Lab {
    ControllerLab() {
        instance = this;
        load("c", [this](PDRIVER_OBJECT driver) {
            for (PDEVICE_OBJECT& device : devices) {
                create_device(driver, nullptr, behaviour, 0, &device);
                device->CurrentIrp = reinterpret_cast<PIRP>(&device);
            }
            driver->DriverUnload = [](PDRIVER_OBJECT object) {
                IoDeleteController(instance->controller);
                delete_all_devices(object);
            };
            return STATUS_SUCCESS;
        });
        machine.run_in_kernel([this] { controller = IoCreateController(40); });
    }
    void allocate(int which) { IoAllocateController(controller, devices[which], control, &answers[which]); }
    static IO_ALLOCATION_ACTION NTAPI control(PDEVICE_OBJECT device, PIRP irp, PVOID base, PVOID context) {
        const auto which = reinterpret_cast<PDEVICE_OBJECT*>(irp) - instance->devices;
        instance->arguments_right &= instance->devices[which] == device && base == nullptr &&
                                     context == &instance->answers[which] && KeGetCurrentIrql() == DISPATCH_LEVEL;
        instance->note(std::to_string(which));
        return *static_cast<IO_ALLOCATION_ACTION*>(context);
    }
    static inline ControllerLab* instance;
    Behaviour behaviour;
    PCONTROLLER_OBJECT controller = nullptr;
    PDEVICE_OBJECT devices[3] = {};
    IO_ALLOCATION_ACTION answers[3] = {KeepObject, KeepObject, KeepObject};
    bool arguments_right = true;
};

} // namespace

TEST_CASE("a controller is one device's at a time, in the order of asking") {
    ControllerLab lab;
    lab.machine.run_in_kernel([&] {
        CHECK(lab.controller->Type == IO_TYPE_CONTROLLER);
        for (int i = 0; i < 40; ++i) CHECK(static_cast<char*>(lab.controller->ControllerExtension)[i] == 0);
        const AtDispatch raised;
        lab.allocate(1);
        CHECK(lab.journal == Journal{"1"});
        lab.allocate(0);
        lab.allocate(2);
        CHECK(lab.journal == Journal{"1"});
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"1", "0"});
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"1", "0", "2"});
        IoFreeController(lab.controller);
        lab.allocate(0); // it was free
        CHECK(lab.journal == Journal{"1", "0", "2", "0"});
        IoFreeController(lab.controller);
    });
    CHECK(lab.arguments_right);
    CHECK(lab.machine.outcome().finished());
}

TEST_CASE("a routine that answers DeallocateObject passes the controller on at once") {
    ControllerLab lab;
    lab.machine.run_in_kernel([&] {
        const AtDispatch raised;
        lab.answers[0] = lab.answers[1] = DeallocateObject;
        lab.allocate(0);
        lab.allocate(1);
        CHECK(lab.journal == Journal{"0", "1"});
        lab.allocate(2);
        lab.allocate(0);
        lab.allocate(1);
        IoFreeController(lab.controller);
        CHECK(lab.journal == Journal{"0", "1", "2", "0", "1"});
        lab.allocate(2);
        CHECK(lab.journal.size() == 6);
    });
}

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

TEST_CASE("requests tell of their thread: process, session, and the hints that drivers leave in them") {
    Lab lab;
    Behaviour behaviour;
    lab.load("r", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\R", behaviour); });
    behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        ULONG session = 7;
        CHECK(IoGetRequestorProcessId(irp) == HandleToULong(PsGetCurrentProcessId()));
        CHECK(IoGetRequestorProcessId(irp) != 0);
        CHECK(IoGetRequestorSessionId(irp, &session) == STATUS_SUCCESS);
        CHECK(session == 1); // where applications run
        CHECK(IoIs32bitProcess(irp) == FALSE);
        CHECK(IoIs32bitProcess(nullptr) == FALSE);
        CHECK(IoGetIoPriorityHint(irp) == IoPriorityNormal);
        const ULONG flags = irp->Flags;
        for (int hint = IoPriorityVeryLow; hint < MaxIoPriorityTypes; ++hint) {
            CHECK(IoSetIoPriorityHint(irp, static_cast<IO_PRIORITY_HINT>(hint)) == STATUS_SUCCESS);
            CHECK(IoGetIoPriorityHint(irp) == hint);
            CHECK((irp->Flags & 0xFFFF) == (flags & 0xFFFF));
        }
        CHECK(IoSetIoPriorityHint(irp, MaxIoPriorityTypes) == STATUS_INVALID_PARAMETER);
        CHECK(IoGetPagingIoPriority(irp) == IoPagingPriorityInvalid);
        PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
        CHECK(IoGetTransactionParameterBlock(file) == nullptr); // no open has brought one
        CHECK(IoGetTopLevelIrp() == nullptr);
        IoSetTopLevelIrp(irp);
        CHECK(IoGetTopLevelIrp() == irp);
        IoSetTopLevelIrp(nullptr);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) { CHECK(process.open("\\Device\\R").value().read(1).ok()); });
    lab.machine.run_in_kernel([&] {
        PIRP irp = IoAllocateIrpEx(nullptr, 2, TRUE);
        REQUIRE(irp != nullptr);
        CHECK(irp->StackCount == 2);
        CHECK((irp->AllocationFlags & IRP_QUOTA_CHARGED) != 0);
        ULONG session = 7;
        CHECK(IoGetRequestorProcessId(irp) == 0);
        CHECK(IoGetRequestorSessionId(irp, &session) == STATUS_UNSUCCESSFUL);
        CHECK(session == ~0u);
        irp->Flags = IRP_PAGING_IO;
        CHECK(IoGetPagingIoPriority(irp) == IoPagingPriorityNormal);
        (void)IoSetIoPriorityHint(irp, IoPriorityHigh);
        CHECK(IoGetPagingIoPriority(irp) == IoPagingPriorityHigh);
        IoFreeIrp(irp);
        irp = IoAllocateIrp(1, FALSE);
        CHECK((irp->AllocationFlags & IRP_QUOTA_CHARGED) == 0);
        IoFreeIrp(irp);
    });
    CHECK(lab.machine.outcome().finished());
}

TEST_CASE("a master's status is the worst of its parts, with the two exceptions of the document") {
    Lab lab;
    lab.machine.run_in_kernel([&] {
        struct Case {
            NTSTATUS master, status, expected;
        };
        const Case cases[] = {
            {STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS},
            {STATUS_SUCCESS, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL},
            {STATUS_FT_READ_FROM_COPY, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL},
            {STATUS_UNSUCCESSFUL, STATUS_SUCCESS, STATUS_UNSUCCESSFUL},
            {STATUS_BUFFER_OVERFLOW, STATUS_UNSUCCESSFUL, STATUS_UNSUCCESSFUL},
            {STATUS_UNSUCCESSFUL, STATUS_BUFFER_OVERFLOW, STATUS_UNSUCCESSFUL},
            {STATUS_SUCCESS, STATUS_FT_READ_FROM_COPY, STATUS_SUCCESS},
            {STATUS_UNSUCCESSFUL, STATUS_VERIFY_REQUIRED, STATUS_VERIFY_REQUIRED},
        };
        PIRP irp = IoAllocateIrp(1, FALSE);
        for (const Case& c : cases) {
            irp->IoStatus.Status = c.master;
            IoSetMasterIrpStatus(irp, c.status);
            CHECK(irp->IoStatus.Status == c.expected);
        }
        IoFreeIrp(irp);
        CHECK(IoIsValidIrpStatus(STATUS_SUCCESS));
        CHECK(IoIsValidIrpStatus(STATUS_ACCESS_DENIED));
        CHECK(IoIsValidIrpStatus(static_cast<NTSTATUS>(0xFFFFFFFF))); // a customer's
        CHECK_FALSE(IoIsValidIrpStatus(static_cast<NTSTATUS>(0xD0000001)));
        CHECK_FALSE(IoIsValidIrpStatus(static_cast<NTSTATUS>(0xCFFF0001)));
    });
}

TEST_CASE("what the I/O manager tells of the system: WDM's version, file rights, how many devices there are") {
    Lab lab;
    lab.machine.run_in_kernel([&] {
        CHECK(IoIsWdmVersionAvailable(1, 0));
        CHECK(IoIsWdmVersionAvailable(1, 0x30));
        CHECK(IoIsWdmVersionAvailable(6, 0));
        CHECK_FALSE(IoIsWdmVersionAvailable(6, 1));
        CHECK_FALSE(IoIsWdmVersionAvailable(7, 0));
        PGENERIC_MAPPING mapping = IoGetFileObjectGenericMapping();
        CHECK(mapping->GenericRead == FILE_GENERIC_READ);
        CHECK(mapping->GenericWrite == FILE_GENERIC_WRITE);
        CHECK(mapping->GenericExecute == FILE_GENERIC_EXECUTE);
        CHECK(mapping->GenericAll == FILE_ALL_ACCESS);
        PCONFIGURATION_INFORMATION configuration = IoGetConfigurationInformation();
        CHECK(configuration->DiskCount == 0);
        CHECK(configuration->Version == sizeof(CONFIGURATION_INFORMATION));
        ++configuration->DiskCount;
        CHECK(IoGetConfigurationInformation()->DiskCount == 1);
    });
    Lab other; // counts of its own
    other.machine.run_in_kernel([&] { CHECK(IoGetConfigurationInformation()->DiskCount == 0); });
}

TEST_CASE("ARC names are links, and an exclusive device that is open can be attached to") {
    Lab lab;
    Behaviour behaviour;
    Behaviour filter;
    PDEVICE_OBJECT device = nullptr;
    PDEVICE_OBJECT above = nullptr;
    filter[IRP_MJ_CLEANUP] = filter[IRP_MJ_CLOSE] = [&](PDEVICE_OBJECT, PIRP irp) { return skip_to(device, irp); };
    lab.load("x", [&](PDRIVER_OBJECT driver) {
        const NTSTATUS status = create_device(driver, u"\\Device\\X", behaviour, 0, &device, TRUE);
        device->AlignmentRequirement = FILE_QUAD_ALIGNMENT;
        return status;
    });
    lab.load("f", [&](PDRIVER_OBJECT driver) { return create_device(driver, nullptr, filter, 0, &above); });
    lab.run([&](Process& process) {
        behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
            UNICODE_STRING arc = unicode(u"\\ArcName\\multi(0)disk(0)cdrom(0)");
            UNICODE_STRING link = unicode(u"\\DosDevices\\Arc0");
            UNICODE_STRING name = unicode(u"\\Device\\X");
            CHECK(IoAssignArcName(&link, &name) == STATUS_SUCCESS);
            CHECK(IoDeassignArcName(&link) == STATUS_SUCCESS);
            CHECK(IoDeassignArcName(&arc) == STATUS_OBJECT_PATH_NOT_FOUND);
            PDEVICE_OBJECT attached = nullptr;
            CHECK(IoAttachDevice(above, &name, &attached) == STATUS_SUCCESS);
            CHECK(attached == device);
            CHECK(above->StackSize == device->StackSize + 1);
            CHECK(above->AlignmentRequirement == FILE_QUAD_ALIGNMENT);
            IoDetachDevice(device);
            CHECK(IoAttachDeviceByPointer(above, device) == STATUS_SUCCESS);
            CHECK(device->AttachedDevice == above);
            IoDetachDevice(device);
            device->Flags |= DO_DEVICE_INITIALIZING;
            CHECK(IoAttachDeviceByPointer(above, device) == STATUS_NO_SUCH_DEVICE);
            device->Flags &= ~static_cast<ULONG>(DO_DEVICE_INITIALIZING);
            return complete(irp, STATUS_SUCCESS);
        };
        File file = process.open("\\Device\\X").value();
        CHECK(file.read(1).ok());
        CHECK(process.open("\\Device\\X").error().status == STATUS_ACCESS_DENIED);
    });
}
