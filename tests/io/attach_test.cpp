// Stacks of devices: attaching, detaching, finding the top, and names for devices.
#include "request_lab.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("attaching, detaching, and finding one's way in a stack") {
    RequestLab lab;
    Behaviour filter;
    PDEVICE_OBJECT low = nullptr;
    PDEVICE_OBJECT high = nullptr;
    bool right = true;
    lab.load("filters", [&](PDRIVER_OBJECT driver) {
        create_device(driver, nullptr, filter, 0, &low);
        return create_device(driver, nullptr, filter, 0, &high);
    });
    const auto expect = [&](bool condition) { right = right && condition; };
    lab.in_kernel([&] {
        expect(IoAttachDeviceToDeviceStack(low, lab.device) == lab.device);
        PDEVICE_OBJECT below = nullptr;
        expect(IoAttachDeviceToDeviceStackSafe(high, lab.device, &below) == STATUS_SUCCESS);
        expect(below == low);
        expect(IoGetAttachedDevice(lab.device) == high);
        expect(lab.device->AttachedDevice == low && low->AttachedDevice == high && high->AttachedDevice == nullptr);
        expect(high->StackSize == 3);
        PDEVICE_OBJECT reference = IoGetDeviceAttachmentBaseRef(high);
        expect(reference == lab.device);
        ObDereferenceObject(reference);
        reference = IoGetLowerDeviceObject(high);
        expect(reference == low);
        ObDereferenceObject(reference);
        IoDetachDevice(low);
        expect(IoGetAttachedDevice(lab.device) == low);
        expect(IoGetLowerDeviceObject(high) == nullptr);
        IoDetachDevice(lab.device);
        expect(IoGetAttachedDevice(lab.device) == lab.device);
        UNICODE_STRING name = unicode(u"\\Device\\Below");
        expect(IoAttachDevice(low, &name, &below) == STATUS_SUCCESS);
        expect(below == lab.device);
    });
    CHECK(right);
}

TEST_CASE("a device cannot be detached, or deleted, that is not in a state for it") {
    const auto ends_in = [](const std::function<void(RequestLab&)>& error) {
        RequestLab lab;
        const Outcome outcome = lab.machine.run_in_kernel([&] { error(lab); });
        return outcome.is_bug_check(0xC9) ? outcome.bug_check.parameters[0] : 0;
    };
    CHECK(ends_in([](RequestLab& lab) { IoDetachDevice(lab.device); }) == 0x202);
    CHECK(ends_in([](RequestLab& lab) {
              ObReferenceObject(lab.device);
              IoDeleteDevice(lab.device);
              IoDeleteDevice(lab.device);
          }) == 0x240);
    CHECK(ends_in([](RequestLab& lab) {
              PDEVICE_OBJECT filter = nullptr;
              create_device(lab.device->DriverObject, nullptr, lab.behaviour, 0, &filter);
              IoAttachDeviceToDeviceStack(filter, lab.device);
              IoDeleteDevice(filter);
          }) == 0x201);
}

TEST_CASE("IoGetDeviceObjectPointer opens, keeps the file, and leads to the top of the stack") {
    RequestLab lab;
    std::vector<std::string> order;
    lab.behaviour[IRP_MJ_CREATE] = [&](PDEVICE_OBJECT, PIRP irp) {
        return order.push_back("create"), complete(irp, STATUS_SUCCESS);
    };
    lab.behaviour[IRP_MJ_CLEANUP] = [&](PDEVICE_OBJECT, PIRP irp) {
        return order.push_back("cleanup"), complete(irp, STATUS_SUCCESS);
    };
    lab.behaviour[IRP_MJ_CLOSE] = [&](PDEVICE_OBJECT, PIRP irp) {
        return order.push_back("close"), complete(irp, STATUS_SUCCESS);
    };
    bool right = false;
    lab.in_kernel([&] {
        PFILE_OBJECT file = nullptr;
        PDEVICE_OBJECT top = nullptr;
        UNICODE_STRING name = unicode(u"\\Device\\Below");
        IoGetDeviceObjectPointer(&name, FILE_ALL_ACCESS, &file, &top);
        right = top == lab.device && file->DeviceObject == lab.device;
        order.push_back("got");
        ObDereferenceObject(file);
    });
    CHECK(right);
    CHECK(order == std::vector<std::string>{"create", "cleanup", "got", "close"});
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
