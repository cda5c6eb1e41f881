// What a machine tells drivers when it is switched off, and what they tell administrators: shutdown notifications, the error log,
// hard errors.
#include "closure_driver.hpp"

#include <cstddef>
#include <cstring>

using namespace dirql;
using namespace dirql::test;
using Journal = std::vector<std::string>;

namespace {

// Four devices of a driver that notes which of them is shut down.
struct ShutdownLab : Lab {
    ShutdownLab() {
        behaviour[IRP_MJ_SHUTDOWN] = [this](PDEVICE_OBJECT device, PIRP irp) {
            for (std::size_t i = 0; i < std::size(devices); ++i) {
                if (devices[i] == device) note(std::to_string(i));
            }
            context_right &= KeGetCurrentIrql() == PASSIVE_LEVEL && PsGetCurrentProcess() == PsInitialSystemProcess;
            context_right &= IoGetCurrentIrpStackLocation(irp)->DeviceObject == device;
            return on_shutdown ? on_shutdown(device, irp) : complete(irp, STATUS_SUCCESS);
        };
        load("s", [this](PDRIVER_OBJECT object) {
            driver = object;
            for (PDEVICE_OBJECT& device : devices) create_device(object, nullptr, behaviour, 0, &device);
            return STATUS_SUCCESS;
        });
    }
    void in_kernel(const std::function<void()>& body) { CHECK(machine.run_in_kernel(body).finished()); }
    Behaviour behaviour;
    Dispatch on_shutdown;
    PDRIVER_OBJECT driver = nullptr;
    PDEVICE_OBJECT devices[4] = {};
    bool context_right = true;
};

} // namespace

TEST_CASE("IRP_MJ_SHUTDOWN goes to registered devices, the last first, and the last chance comes after all others") {
    ShutdownLab lab;
    lab.in_kernel([&] {
        CHECK(IoRegisterLastChanceShutdownNotification(lab.devices[3]) == STATUS_SUCCESS);
        for (int i = 0; i < 4; ++i) CHECK(IoRegisterShutdownNotification(lab.devices[i]) == STATUS_SUCCESS);
        CHECK(IoRegisterLastChanceShutdownNotification(lab.devices[0]) == STATUS_SUCCESS);
        CHECK((lab.devices[2]->Flags & DO_SHUTDOWN_REGISTERED) != 0);
        IoUnregisterShutdownNotification(lab.devices[2]);
        CHECK((lab.devices[2]->Flags & DO_SHUTDOWN_REGISTERED) == 0);
        IoUnregisterShutdownNotification(lab.devices[2]); // nothing to undo
    });
    CHECK(lab.machine.shutdown().finished());
    CHECK(lab.journal == Journal{"3", "1", "0", "0", "3"});
    CHECK(lab.context_right);
    CHECK_THROWS_AS(lab.machine.shutdown(), std::logic_error);
    CHECK_THROWS_AS(lab.machine.run([](Process&) {}), std::logic_error);
    CHECK_THROWS_AS(lab.machine.run_in_kernel([] {}), std::logic_error);
    CHECK_THROWS_AS(lab.try_load("late", [](PDRIVER_OBJECT) { return STATUS_SUCCESS; }), std::logic_error);
}

TEST_CASE("a shutdown waits for a request that is pended, and goes on without one for a device deleted meanwhile") {
    ShutdownLab lab;
    static KDPC dpc;
    static KTIMER timer;
    lab.on_shutdown = [&](PDEVICE_OBJECT device, PIRP irp) {
        if (device != lab.devices[2]) return complete(irp, STATUS_UNSUCCESSFUL);
        IoDeleteDevice(lab.devices[1]);
        KeInitializeTimer(&timer);
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID pended, PVOID, PVOID) { complete(static_cast<PIRP>(pended), STATUS_SUCCESS); }, irp);
        LARGE_INTEGER due;
        due.QuadPart = -10'000'000;
        IoMarkIrpPending(irp);
        KeSetTimer(&timer, due, &dpc);
        return STATUS_PENDING;
    };
    lab.in_kernel([&] {
        for (PDEVICE_OBJECT device : lab.devices) IoRegisterShutdownNotification(device);
    });
    const auto before = lab.machine.now();
    CHECK(lab.machine.shutdown().finished());
    CHECK(lab.machine.now() - before >= std::chrono::seconds(1));
    CHECK(lab.journal == Journal{"3", "2", "0"});
}

TEST_CASE("a machine where nobody is registered shuts down, and one that stops while it does says so") {
    Lab quiet;
    CHECK(quiet.machine.shutdown().finished());
    ShutdownLab lab;
    lab.on_shutdown = [](PDEVICE_OBJECT, PIRP) -> NTSTATUS { KeBugCheck(0xE2); };
    lab.in_kernel([&] { IoRegisterShutdownNotification(lab.devices[0]); });
    CHECK(lab.machine.shutdown().is_bug_check(0xE2));
    CHECK(lab.machine.run([](Process&) {}).is_bug_check(0xE2));
}

namespace {

struct Packet {
    IO_ERROR_LOG_PACKET head;
    WCHAR strings[12];
};

} // namespace

TEST_CASE("what a driver writes to the error log can be read, with the names of who wrote it") {
    Lab lab;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    PDRIVER_OBJECT object = nullptr;
    lab.load("logger", [&](PDRIVER_OBJECT driver) {
        object = driver;
        return create_device(driver, u"\\Device\\Logger", behaviour, 0, &device);
    });
    lab.machine.advance(std::chrono::seconds(3));
    lab.machine.run_in_kernel([&] {
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        auto* packet = static_cast<Packet*>(IoAllocateErrorLogEntry(device, sizeof(Packet)));
        REQUIRE(packet != nullptr);
        packet->head.MajorFunctionCode = IRP_MJ_READ;
        packet->head.DumpDataSize = 8;
        packet->head.DumpData[0] = 0x04030201;
        packet->head.RetryCount = 2;
        std::memset(&packet->head.DumpData[0] + 1, 0x55, sizeof(ULONG)); // the second word lies in what pads the packet
        packet->head.NumberOfStrings = 2;
        packet->head.StringOffset = offsetof(Packet, strings);
        packet->head.EventCategory = 5;
        packet->head.ErrorCode = static_cast<NTSTATUS>(0xC0040001);
        packet->head.UniqueErrorValue = 17;
        packet->head.FinalStatus = STATUS_DEVICE_DATA_ERROR;
        packet->head.SequenceNumber = 3;
        packet->head.IoControlCode = 0x222000;
        packet->head.DeviceOffset.QuadPart = 0x123456789;
        std::memcpy(packet->strings, u"first\0two\0", 11 * sizeof(WCHAR));
        IoWriteErrorLogEntry(packet);
        KeLowerIrql(irql);
        // of the driver itself, and bare
        IoWriteErrorLogEntry(IoAllocateErrorLogEntry(object, sizeof(IO_ERROR_LOG_PACKET)));
    });
    REQUIRE(lab.machine.error_log().size() == 2);
    const ErrorLogEntry& entry = lab.machine.error_log()[0];
    CHECK(entry.time >= std::chrono::seconds(3));
    CHECK(entry.driver == "\\Driver\\logger");
    CHECK(entry.device == "\\Device\\Logger");
    CHECK(entry.error_code == 0xC0040001);
    CHECK(entry.unique_value == 17);
    CHECK(entry.final_status == 0xC000009C);
    CHECK(entry.sequence_number == 3);
    CHECK(entry.control_code == 0x222000);
    CHECK(entry.device_offset == 0x123456789);
    CHECK(entry.category == 5);
    CHECK(entry.major_function == IRP_MJ_READ);
    CHECK(entry.retry_count == 2);
    CHECK(entry.dump_data == bytes({1, 2, 3, 4, 0x55, 0x55, 0x55, 0x55}));
    CHECK(entry.strings == std::vector<std::string>{"first", "two"});
    CHECK(lab.machine.error_log()[1].device.empty());
    CHECK(lab.machine.error_log()[1].driver == "\\Driver\\logger");
    CHECK(lab.machine.error_log()[1].dump_data.empty());
}

TEST_CASE("entries of the error log have bounds, are freed unwritten, and claim no more than is there") {
    Lab lab;
    PDRIVER_OBJECT driver = nullptr;
    lab.load("logger", [&](PDRIVER_OBJECT object) {
        driver = object;
        return STATUS_SUCCESS;
    });
    lab.machine.run_in_kernel([&] {
        CHECK(IoAllocateErrorLogEntry(driver, 0) == nullptr);
        CHECK(IoAllocateErrorLogEntry(driver, sizeof(IO_ERROR_LOG_PACKET) - 1) == nullptr);
        CHECK(IoAllocateErrorLogEntry(driver, ERROR_LOG_MAXIMUM_SIZE + 1) == nullptr);
        auto* packet = static_cast<PIO_ERROR_LOG_PACKET>(IoAllocateErrorLogEntry(driver, ERROR_LOG_MAXIMUM_SIZE));
        REQUIRE(packet != nullptr);
        std::memset(packet, 0xFF, ERROR_LOG_MAXIMUM_SIZE);
        IoWriteErrorLogEntry(packet);
        unsigned many = 0;
        PVOID taken[1000];
        while (many < 1000 && (taken[many] = IoAllocateErrorLogEntry(driver, ERROR_LOG_MAXIMUM_SIZE)) != nullptr)
            ++many;
        CHECK(many == 100 * PORT_MAXIMUM_MESSAGE_LENGTH / ERROR_LOG_MAXIMUM_SIZE);
        for (unsigned i = 0; i < many; ++i) IoFreeErrorLogEntry(taken[i]);
        PVOID again = IoAllocateErrorLogEntry(driver, 240);
        CHECK(again != nullptr);
        IoFreeErrorLogEntry(again);
    });
    CHECK(lab.machine.outcome().finished());
    REQUIRE(lab.machine.error_log().size() == 1);
    CHECK(lab.machine.error_log()[0].dump_data.size() ==
          ERROR_LOG_MAXIMUM_SIZE - offsetof(IO_ERROR_LOG_PACKET, DumpData));
    CHECK(lab.machine.error_log()[0].strings.empty());
    const Outcome twice = lab.machine.run_in_kernel([&] {
        PVOID entry = IoAllocateErrorLogEntry(driver, 64);
        IoWriteErrorLogEntry(entry);
        IoFreeErrorLogEntry(entry);
    });
    CHECK(twice.is_bug_check(0xC2));
}

TEST_CASE("a thread's hard errors can be switched off; its device to verify is what drivers say") {
    Lab lab;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    lab.load("h", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\H", behaviour, 0, &device); });
    behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        IoSetHardErrorOrVerifyDevice(irp, device);
        CHECK(IoGetDeviceToVerify(PsGetCurrentThread()) == device);
        IoSetDeviceToVerify(PsGetCurrentThread(), nullptr);
        CHECK(IoGetDeviceToVerify(PsGetCurrentThread()) == nullptr);
        CHECK(IoSetThreadHardErrorMode(FALSE) == TRUE);
        CHECK(IoSetThreadHardErrorMode(FALSE) == FALSE);
        CHECK(IoRaiseInformationalHardError(STATUS_DISK_CORRUPT_ERROR, nullptr, KeGetCurrentThread()) == FALSE);
        const KPRIORITY before = KeSetPriorityThread(KeGetCurrentThread(), HIGH_PRIORITY); // above the worker's
        CHECK(IoRaiseInformationalHardError(STATUS_DISK_CORRUPT_ERROR, nullptr, nullptr) == TRUE);
        CHECK(IoRaiseInformationalHardError(STATUS_DISK_CORRUPT_ERROR, nullptr, nullptr) == FALSE); // it waits still
        KeSetPriorityThread(KeGetCurrentThread(), before);
        CHECK(IoSetThreadHardErrorMode(TRUE) == FALSE);
        UNICODE_STRING name = unicode(u"D:");
        CHECK(IoRaiseInformationalHardError(STATUS_DISK_CORRUPT_ERROR, &name, KeGetCurrentThread()) == TRUE);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        process.open("\\Device\\H").value().read(1);
        process.sleep(std::chrono::milliseconds(10));
    });
    CHECK(lab.machine.debug_output().find("System Process - System Error: 0xC0000032 \n") != std::string::npos);
    CHECK(lab.machine.debug_output().find("- System Error: 0xC0000032 D:\n") != std::string::npos);
}

TEST_CASE("IoRaiseHardError completes the failed request without data, after its thread has been asked") {
    for (const bool enabled : {true, false}) {
        Lab lab;
        Behaviour behaviour;
        PDEVICE_OBJECT device = nullptr;
        lab.load("h", [&](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\H", behaviour, DO_BUFFERED_IO, &device);
        });
        behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
            IoMarkIrpPending(irp);
            irp->IoStatus.Status = STATUS_NO_MEDIA_IN_DEVICE;
            irp->IoStatus.Information = 4;
            IoSetThreadHardErrorMode(enabled);
            IoRaiseHardError(irp, nullptr, device);
            return STATUS_PENDING;
        };
        lab.run([&](Process& process) {
            const IoResult result = process.open("\\Device\\H").value().read(4);
            CHECK(result.status == STATUS_NO_MEDIA_IN_DEVICE);
            CHECK(result.data.empty());
        });
        CHECK((lab.machine.debug_output().find("0xC0000013, answered with Cancel") != std::string::npos) == enabled);
    }
}
