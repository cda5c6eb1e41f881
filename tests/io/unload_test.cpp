// The life of a driver: DriverEntry and its failures, reinitialisation, object extensions, and unloading by the rules.
#include "closure_driver.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

bool unload_ran = false;
bool unload_in_system_process = false;
KIRQL unload_irql = HIGH_LEVEL;

VOID NTAPI noted_unload(PDRIVER_OBJECT driver) {
    unload_ran = true;
    unload_in_system_process = PsGetCurrentProcess() == PsInitialSystemProcess;
    unload_irql = KeGetCurrentIrql();
    delete_all_devices(driver);
}

struct UnloadLab : Lab {
    UnloadLab()
        : driver(load("u", [this](PDRIVER_OBJECT object) {
              object->DriverUnload = noted_unload;
              return create_device(object, u"\\Device\\U", behaviour, 0, &device);
          })) {
        unload_ran = false;
        unload_in_system_process = false;
        unload_irql = HIGH_LEVEL;
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    Driver driver;
};

} // namespace

TEST_CASE("a driver that nobody uses is unloaded at once, in a system thread at PASSIVE_LEVEL") {
    UnloadLab lab;
    CHECK(lab.machine.unload(lab.driver).value() == Unload::unloaded);
    CHECK(unload_ran);
    CHECK(unload_in_system_process);
    CHECK(unload_irql == PASSIVE_LEVEL);
    lab.run(
        [](Process& process) { CHECK(process.open("\\Device\\U").error().status == STATUS_OBJECT_NAME_NOT_FOUND); });
    CHECK(lab.machine.unload(lab.driver).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("with a file open, opens fail from the start and Unload waits for the last close") {
    UnloadLab lab;
    PFILE_OBJECT file = nullptr;
    PDEVICE_OBJECT top = nullptr;
    lab.machine.run_in_kernel([&] {
        UNICODE_STRING name = unicode(u"\\Device\\U");
        IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &top);
    });
    REQUIRE(file != nullptr);
    CHECK(lab.machine.unload(lab.driver).value() == Unload::pending);
    CHECK(!unload_ran);
    lab.run([](Process& process) { CHECK(process.open("\\Device\\U").error().status == STATUS_NO_SUCH_DEVICE); });
    CHECK(!unload_ran);
    lab.machine.run_in_kernel([&] { ObDereferenceObject(file); });
    CHECK(unload_ran);
    CHECK(unload_in_system_process);
    CHECK(lab.machine.unload(lab.driver).value() == Unload::unloaded);
}

TEST_CASE("an application in whose thread the last reference goes does not run Unload itself") {
    UnloadLab lab;
    PFILE_OBJECT kept = nullptr;
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        kept = IoGetCurrentIrpStackLocation(irp)->FileObject;
        ObReferenceObject(kept);
        return complete(irp, STATUS_SUCCESS);
    };
    Behaviour dropper;
    dropper[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        ObDereferenceObject(kept);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.load("dropper", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Dropper", dropper); });
    lab.run([](Process& process) { process.open("\\Device\\U").value().device_control(0x222000); });
    CHECK(lab.machine.unload(lab.driver).value() == Unload::pending);
    lab.run([](Process& process) {
        process.open("\\Device\\Dropper").value().device_control(0x222000);
        CHECK(unload_ran);
    });
    CHECK(unload_in_system_process);
    CHECK(unload_irql == PASSIVE_LEVEL);
    CHECK(lab.machine.unload(lab.driver).value() == Unload::unloaded);
}

TEST_CASE("a device that is attached to keeps its driver; the last detach lets it go") {
    UnloadLab lab;
    Behaviour filter_behaviour;
    PDEVICE_OBJECT filter = nullptr;
    const Driver upper = lab.load("upper", [&](PDRIVER_OBJECT driver) {
        create_device(driver, nullptr, filter_behaviour, 0, &filter);
        return IoAttachDeviceToDeviceStack(filter, lab.device) == lab.device ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    });
    CHECK(lab.machine.unload(lab.driver).value() == Unload::pending);
    CHECK(!unload_ran);
    CHECK(lab.machine.unload(upper).value() == Unload::unloaded);
    CHECK(unload_ran);
    CHECK(lab.machine.unload(lab.driver).value() == Unload::unloaded);
}

TEST_CASE("a driver without an Unload routine stays") {
    Lab lab;
    Behaviour behaviour;
    const Driver driver = lab.load("stays", [&](PDRIVER_OBJECT object) {
        object->DriverUnload = nullptr;
        return create_device(object, u"\\Device\\Stays", behaviour);
    });
    CHECK(lab.machine.unload(driver).value() == Unload::no_unload_routine);
    lab.run([](Process& process) { CHECK(process.open("\\Device\\Stays")); });
}

TEST_CASE("devices that Unload leaves behind keep the image, and opens of them fail") {
    Lab lab;
    Behaviour behaviour;
    const Driver driver = lab.load("leaves", [&](PDRIVER_OBJECT object) {
        object->DriverUnload = [](PDRIVER_OBJECT) {};
        return create_device(object, u"\\Device\\Left", behaviour);
    });
    CHECK(lab.machine.unload(driver).value() == Unload::devices_left);
    lab.run([](Process& process) { CHECK(process.open("\\Device\\Left").error().status == STATUS_NO_SUCH_DEVICE); });
    CHECK(lab.machine.unload(driver).value() == Unload::devices_left);
}

TEST_CASE("a DriverEntry that fails leaves nothing, and may be tried again") {
    Lab lab;
    Behaviour behaviour;
    const auto failing = [&](PDRIVER_OBJECT driver) {
        PDEVICE_OBJECT device = nullptr;
        create_device(driver, u"\\Device\\F", behaviour, 0, &device);
        IoDeleteDevice(device);
        return STATUS_DEVICE_CONFIGURATION_ERROR;
    };
    for (int i = 0; i < 3; ++i) {
        const Result<Driver> driver = lab.try_load("f", failing);
        REQUIRE(!driver);
        CHECK(driver.error().code == ErrorCode::driver_failed);
        CHECK(driver.error().status == STATUS_DEVICE_CONFIGURATION_ERROR);
        CHECK(driver.error().text.find("STATUS_DEVICE_CONFIGURATION_ERROR") != std::string::npos);
    }
    CHECK(lab.try_load("f", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\F", behaviour); }));
}

TEST_CASE("devices that a failing DriverEntry leaves keep the image: they never became ready") {
    Lab lab;
    Behaviour behaviour;
    PDEVICE_OBJECT left = nullptr;
    const Result<Driver> driver = lab.try_load("f", [&](PDRIVER_OBJECT object) {
        create_device(object, u"\\Device\\F", behaviour, 0, &left);
        return STATUS_UNSUCCESSFUL;
    });
    CHECK(!driver);
    lab.run([](Process& process) { CHECK(process.open("\\Device\\F").error().status == STATUS_NO_SUCH_DEVICE); });
    bool called = false;
    behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        called = true;
        return complete(irp, STATUS_SUCCESS);
    };
    left->Flags &= ~DO_DEVICE_INITIALIZING;
    lab.run([](Process& process) { CHECK(process.open("\\Device\\F")); });
    CHECK(called);
}

TEST_CASE("two drivers cannot have one name") {
    Lab lab;
    Behaviour behaviour;
    lab.load("same", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\One", behaviour); });
    const Result<Driver> second =
        lab.try_load("SAME", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Two", behaviour); });
    REQUIRE(!second);
    CHECK(second.error().status == STATUS_OBJECT_NAME_COLLISION);
    lab.run([](Process& process) { CHECK(process.open("\\Device\\One")); });
}

namespace {

std::vector<ULONG> reinitialized;
bool device_was_ready = false;

VOID NTAPI reinitialize(PDRIVER_OBJECT driver, PVOID context, ULONG count) {
    reinitialized.push_back(count);
    device_was_ready = (driver->DeviceObject->Flags & DO_DEVICE_INITIALIZING) == 0;
    if (count < 3) IoRegisterDriverReinitialization(driver, reinitialize, context);
}

} // namespace

TEST_CASE("a reinitialisation routine runs after DriverEntry, again as often as it registers itself") {
    Lab lab;
    Behaviour behaviour;
    reinitialized.clear();
    bool in_entry = true;
    lab.load("r", [&](PDRIVER_OBJECT driver) {
        IoRegisterDriverReinitialization(driver, reinitialize, nullptr);
        in_entry = !reinitialized.empty();
        return create_device(driver, u"\\Device\\R", behaviour);
    });
    CHECK(!in_entry);
    CHECK(reinitialized == std::vector<ULONG>{1, 2, 3});
    CHECK(device_was_ready);
    reinitialized.clear();
    CHECK(!lab.try_load("r2", [&](PDRIVER_OBJECT driver) {
        IoRegisterDriverReinitialization(driver, reinitialize, nullptr);
        return STATUS_UNSUCCESSFUL;
    }));
    CHECK(reinitialized.empty());
}

TEST_CASE("driver object extensions are zeroed, one for each identifier, and go with the driver") {
    Lab lab;
    Behaviour behaviour;
    NTSTATUS first = 0;
    NTSTATUS again = 0;
    bool zeroed = false;
    bool found = false;
    bool none = false;
    static int id;
    static int other_id;
    const Driver driver = lab.load("e", [&](PDRIVER_OBJECT object) {
        PVOID extension = nullptr;
        PVOID second = nullptr;
        first = IoAllocateDriverObjectExtension(object, &id, 64, &extension);
        zeroed = std::string(static_cast<char*>(extension), 64) == std::string(64, '\0');
        again = IoAllocateDriverObjectExtension(object, &id, 64, &second);
        found = IoGetDriverObjectExtension(object, &id) == extension;
        none = IoGetDriverObjectExtension(object, &other_id) == nullptr;
        return create_device(object, u"\\Device\\E", behaviour);
    });
    CHECK(first == STATUS_SUCCESS);
    CHECK(again == STATUS_OBJECT_NAME_COLLISION);
    CHECK(zeroed);
    CHECK(found);
    CHECK(none);
    CHECK(lab.machine.unload(driver).value() == Unload::unloaded);
}

namespace {

struct SlowWork {
    PIO_WORKITEM item;
    bool done;
};

VOID NTAPI slow_work(PDEVICE_OBJECT, PVOID context) {
    auto& work = *static_cast<SlowWork*>(context);
    LARGE_INTEGER interval{.QuadPart = -500'000};
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
    IoFreeWorkItem(work.item);
    work.done = true;
}

} // namespace

TEST_CASE("an I/O work item that is still queued keeps the image until it has run") {
    UnloadLab lab;
    SlowWork work{};
    lab.machine.run_in_kernel([&] {
        work.item = IoAllocateWorkItem(lab.device);
        IoQueueWorkItem(work.item, slow_work, DelayedWorkQueue, &work);
    });
    CHECK(!work.done);
    const Result<Unload> result = lab.machine.unload(lab.driver);
    INFO(lab.machine.outcome().report);
    CHECK(work.done);
    CHECK(unload_ran);
    CHECK(result.value() == Unload::unloaded);
}

namespace {

struct Extension {
    ULONG_PTR before[40];
    KTIMER timer;
    KDPC dpc;
    WORK_QUEUE_ITEM item;
};

// How a machine ends in which a device is deleted at once after this was done to it.
Outcome delete_after(const std::function<void(PDEVICE_OBJECT, Extension&)>& prepare) {
    UnloadLab lab;
    return lab.machine.run_in_kernel([&] {
        PDEVICE_OBJECT device = nullptr;
        IoCreateDevice(lab.device->DriverObject, sizeof(Extension), nullptr, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
        KeSetPriorityThread(KeGetCurrentThread(), HIGH_PRIORITY); // no worker thread comes between
        prepare(device, *static_cast<Extension*>(device->DeviceExtension));
        IoDeleteDevice(device);
    });
}

void arm(Extension& extension) {
    LARGE_INTEGER due;
    due.QuadPart = -10'000;
    KeInitializeTimer(&extension.timer);
    KeSetTimer(&extension.timer, due, nullptr);
}

VOID NTAPI nothing(PKDPC, PVOID, PVOID, PVOID) {}
VOID NTAPI request_nothing(PKDPC, PDEVICE_OBJECT, PIRP, PVOID) {}
VOID NTAPI work_nothing(PVOID) {}

} // namespace

TEST_CASE("a device that goes while its extension holds a live object is found") {
    const Outcome timer = delete_after([](PDEVICE_OBJECT, Extension& extension) { arm(extension); });
    INFO(timer.report);
    CHECK(timer.is_bug_check(0xC4));
    CHECK(timer.bug_check.parameters[0] == 0x15);

    const Outcome dpc = delete_after([](PDEVICE_OBJECT, Extension& extension) {
        KeInitializeDpc(&extension.dpc, nothing, nullptr);
        KeSetImportanceDpc(&extension.dpc, LowImportance); // stays queued for now
        KeInsertQueueDpc(&extension.dpc, nullptr, nullptr);
    });
    INFO(dpc.report);
    CHECK(dpc.is_bug_check(0xC7));
    CHECK(dpc.bug_check.parameters[0] == 1);

    const Outcome request = delete_after([](PDEVICE_OBJECT device, Extension&) {
        IoInitializeDpcRequest(device, request_nothing);
        KeSetImportanceDpc(&device->Dpc, LowImportance);
        IoRequestDpc(device, nullptr, nullptr);
    });
    INFO(request.report);
    CHECK(request.is_bug_check(0xC7));

    const Outcome item = delete_after([](PDEVICE_OBJECT, Extension& extension) {
        ExInitializeWorkItem(&extension.item, work_nothing, nullptr);
        ExQueueWorkItem(&extension.item, DelayedWorkQueue);
    });
    INFO(item.report);
    CHECK(item.is_bug_check(0xE4));

    const Outcome cancelled = delete_after([](PDEVICE_OBJECT, Extension& extension) {
        arm(extension);
        KeCancelTimer(&extension.timer);
        KeInitializeDpc(&extension.dpc, nothing, nullptr);
        KeSetImportanceDpc(&extension.dpc, LowImportance); // stays queued for now
        KeInsertQueueDpc(&extension.dpc, nullptr, nullptr);
        KeRemoveQueueDpc(&extension.dpc);
    });
    INFO(cancelled.report);
    CHECK(cancelled.finished());
}
