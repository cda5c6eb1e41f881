// Each allocation that a function of the I/O manager makes fails once: the function says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("devices, links and extensions, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING name = unicode(u"\\Device\\Second");
        UNICODE_STRING link = unicode(u"\\DosDevices\\Second");
        PDEVICE_OBJECT device = nullptr;
        if (!memory.ok(IoCreateDevice(low_driver(), 64, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device))) return;
        if (memory.ok(IoCreateSymbolicLink(&link, &name)) && !memory.ok(IoDeleteSymbolicLink(&link)))
            CHECK(IoDeleteSymbolicLink(&link) == STATUS_SUCCESS);
        PDEVICE_OBJECT lower = nullptr;
        PFILE_OBJECT file = nullptr;
        UNICODE_STRING low = unicode(u"\\Device\\Low");
        if (memory.ok(IoGetDeviceObjectPointer(&low, FILE_READ_DATA, &file, &lower))) ObDereferenceObject(file);
        if (memory.ok(IoAttachDeviceToDeviceStackSafe(device, low_device(), &lower))) IoDetachDevice(lower);
        if (memory.ok(IoInitializeTimer(
                device, [](PDEVICE_OBJECT, PVOID) {}, nullptr))) {
            IoStartTimer(device);
            IoStopTimer(device);
        }
        if (memory.ok(IoRegisterShutdownNotification(device))) IoUnregisterShutdownNotification(device);
        IoDeleteDevice(device);
    });
    CHECK(made >= 5);
}

TEST_CASE("IRPs and requests of drivers, each allocation failing once", "[low]") {
    const ULONG flags = GENERATE(as<ULONG>{}, DO_BUFFERED_IO, DO_DIRECT_IO, 0);
    const unsigned made = for_each_failing_allocation(in_kernel(flags), [](const LowMemory& memory) {
        for (const CCHAR size : {1, 4, 20}) {
            PIRP irp = IoAllocateIrp(size, FALSE);
            if (memory.got(irp)) IoFreeIrp(irp);
        }
        KEVENT event;
        IO_STATUS_BLOCK block{};
        LARGE_INTEGER offset{};
        char buffer[64] = {};
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        const auto finish = [&](PIRP irp) {
            if (!memory.got(irp)) return;
            if (IoCallDriver(low_device(), irp) == STATUS_PENDING)
                KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
            KeClearEvent(&event);
        };
        finish(IoBuildSynchronousFsdRequest(IRP_MJ_READ, low_device(), buffer, sizeof buffer, &offset, &event, &block));
        finish(
            IoBuildSynchronousFsdRequest(IRP_MJ_WRITE, low_device(), buffer, sizeof buffer, &offset, &event, &block));
        finish(IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS),
                                             low_device(), buffer, 16, buffer, 64, FALSE, &event, &block));
        finish(IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_IN_DIRECT, FILE_ANY_ACCESS),
                                             low_device(), buffer, 16, buffer, 64, FALSE, &event, &block));
        PIO_WORKITEM item = IoAllocateWorkItem(low_device());
        if (!memory.got(item)) return;
        IoQueueWorkItem(
            item, [](PDEVICE_OBJECT, PVOID done) { KeSetEvent(static_cast<PRKEVENT>(done), 0, FALSE); },
            DelayedWorkQueue, &event);
        KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
        IoFreeWorkItem(item);
    });
    CHECK(made >= 5);
}

TEST_CASE("files of a driver, each allocation failing once", "[low]") {
    const ULONG flags = GENERATE(as<ULONG>{}, DO_BUFFERED_IO, DO_DIRECT_IO, 0);
    const unsigned made = for_each_failing_allocation(in_kernel(flags), [](const LowMemory& memory) {
        HANDLE file = open_low(memory);
        if (file == nullptr) return;
        IO_STATUS_BLOCK block{};
        char buffer[64] = {};
        (void)memory.ok(ZwReadFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, nullptr, nullptr));
        (void)memory.ok(ZwWriteFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, nullptr, nullptr));
        ZwClose(file);
    });
    CHECK(made >= 3);
}

TEST_CASE("files of an application, each allocation failing once", "[low]") {
    const ULONG flags = GENERATE(as<ULONG>{}, DO_BUFFERED_IO, DO_DIRECT_IO, 0);
    const unsigned made = for_each_failing_allocation(in_application(flags), [](const LowMemory& memory) {
        HANDLE file = open_low(memory, 0);
        if (file == nullptr) return;
        IO_STATUS_BLOCK block{};
        char buffer[64] = {};
        (void)memory.ok(NtReadFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, nullptr, nullptr));
        (void)memory.ok(NtWriteFile(file, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer, nullptr, nullptr));
        for (const ULONG method : {METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT, METHOD_NEITHER}) {
            (void)memory.ok(NtDeviceIoControlFile(file, nullptr, nullptr, nullptr, &block,
                                                  CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, method, FILE_ANY_ACCESS), buffer,
                                                  16, buffer, 64));
        }
        NtClose(file);
    });
    CHECK(made >= 3);
}

TEST_CASE("names that stand for others, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        HANDLE file = open_low(memory, OBJ_KERNEL_HANDLE, u"\\Device\\Low\\again");
        if (file != nullptr) ZwClose(file);
    });
    CHECK(made >= 6);
}
