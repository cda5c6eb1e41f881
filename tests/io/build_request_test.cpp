// Requests that drivers make for other drivers: IoBuild..., IoAllocateIrp, associated IRPs.
#include "request_lab.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

// Sends a request of IoBuild...Synchronous and waits for its end, as drivers do.
NTSTATUS send(PDEVICE_OBJECT device, PIRP irp, PKEVENT event, PIO_STATUS_BLOCK block) {
    NTSTATUS status = IoCallDriver(device, irp);
    if (status == STATUS_PENDING) {
        KeWaitForSingleObject(event, Executive, KernelMode, FALSE, nullptr);
        status = block->Status;
    }
    return status;
}

} // namespace

TEST_CASE("IoBuildSynchronousFsdRequest: the I/O manager copies, fills the status block, sets the event, and frees") {
    for (const ULONG flags : {ULONG{DO_BUFFERED_IO}, ULONG{DO_DIRECT_IO}, ULONG{0}}) {
        for (const bool pended : {false, true}) {
            RequestLab lab(flags);
            lab.pended = pended;
            NTSTATUS status = -1;
            IO_STATUS_BLOCK block{};
            char data[16]{};
            LARGE_INTEGER offset{.QuadPart = 512};
            LONG event_state = 0;
            lab.in_kernel([&] {
                KEVENT event;
                KeInitializeEvent(&event, NotificationEvent, FALSE);
                auto* buffer = static_cast<char*>(ExAllocatePoolZero(NonPagedPoolNx, 16, 0x74736574));
                PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, lab.device, buffer, 16, &offset, &event, &block);
                status = send(lab.device, irp, &event, &block);
                event_state = KeReadStateEvent(&event);
                std::memcpy(data, buffer, 16);
                ExFreePool(buffer);
            });
            CHECK(status == STATUS_SUCCESS);
            CHECK(block.Information == 10);
            CHECK(std::string(data) == "from below");
            CHECK(event_state != 0);
            CHECK(lab.mode == KernelMode);
            CHECK(lab.thread_right);
            CHECK(lab.offset == 512);
            CHECK(lab.length == 16);
        }
    }
}

TEST_CASE("its errors come from IoCallDriver, or by the status block when pended") {
    for (const bool pended : {false, true}) {
        RequestLab lab;
        lab.pended = pended;
        lab.answer = STATUS_DEVICE_NOT_READY;
        NTSTATUS status = 0;
        lab.in_kernel([&] {
            KEVENT event;
            IO_STATUS_BLOCK block{};
            KeInitializeEvent(&event, NotificationEvent, FALSE);
            PIRP irp =
                IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, lab.device, nullptr, 0, nullptr, &event, &block);
            status = send(lab.device, irp, &event, &block);
        });
        CHECK(status == STATUS_DEVICE_NOT_READY);
    }
}

TEST_CASE("IoBuildAsynchronousFsdRequest: the completion routine ends and frees it") {
    RequestLab lab;
    bool ended = false;
    Completion completion = [&](PDEVICE_OBJECT device, PIRP irp) {
        ended = device == nullptr && irp->IoStatus.Information == 10;
        IoFreeIrp(irp);
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
    lab.in_kernel([&] {
        char data[] = "written";
        PIRP irp = IoBuildAsynchronousFsdRequest(IRP_MJ_WRITE, lab.device, data, 7, nullptr, nullptr);
        // Its system buffer is the routine's to free.
        void* copy = irp->AssociatedIrp.SystemBuffer;
        set_completion(irp, completion);
        IoCallDriver(lab.device, irp);
        ExFreePool(copy);
    });
    CHECK(ended);
    CHECK(lab.text == "written");
}

TEST_CASE("IoBuildDeviceIoControlRequest, by all methods, external and internal") {
    for (const bool internal : {false, true}) {
        for (const ULONG method : {METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT, METHOD_NEITHER}) {
            RequestLab lab;
            UCHAR major = 0;
            const Dispatch serve = [&](PDEVICE_OBJECT, PIRP irp) {
                const auto& parameters = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl;
                major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
                const void* in =
                    method == METHOD_NEITHER ? parameters.Type3InputBuffer : irp->AssociatedIrp.SystemBuffer;
                lab.text.assign(static_cast<const char*>(in), parameters.InputBufferLength);
                void* out = method == METHOD_NEITHER ? irp->UserBuffer
                            : method == METHOD_BUFFERED
                                ? irp->AssociatedIrp.SystemBuffer
                                : MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
                if (method != METHOD_IN_DIRECT) std::memcpy(out, "out", 3);
                return complete(irp, STATUS_SUCCESS, 3);
            };
            lab.behaviour[IRP_MJ_DEVICE_CONTROL] = serve;
            lab.behaviour[IRP_MJ_INTERNAL_DEVICE_CONTROL] = serve;
            std::string out;
            lab.in_kernel([&] {
                KEVENT event;
                IO_STATUS_BLOCK block{};
                KeInitializeEvent(&event, NotificationEvent, FALSE);
                char in[] = "in";
                auto* buffer = static_cast<char*>(ExAllocatePoolZero(NonPagedPoolNx, 8, 0x74736574));
                const ULONG code = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x900, method, FILE_ANY_ACCESS);
                PIRP irp = IoBuildDeviceIoControlRequest(code, lab.device, in, 2, buffer, 8, internal, &event, &block);
                send(lab.device, irp, &event, &block);
                out = buffer;
                ExFreePool(buffer);
            });
            CHECK(lab.text == "in");
            CHECK(out == (method == METHOD_IN_DIRECT ? "" : "out"));
            CHECK(major == (internal ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL));
        }
    }
}

TEST_CASE("a request built with a bad user buffer is a bug check that names the device and the function") {
    const auto build = [](ULONG flags, std::function<PIRP(PDEVICE_OBJECT, void*)> with) {
        RequestLab lab(flags);
        Behaviour behaviour;
        behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) { // in a process whose address it is
            with(lab.device, reinterpret_cast<void*>(0x12340));
            return complete(irp, STATUS_SUCCESS);
        };
        lab.load("above", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Above", behaviour); });
        const Outcome outcome =
            lab.machine.run([](Process& process) { process.open("\\Device\\Above").value().device_control(0x222000); });
        INFO(outcome.report);
        CHECK(outcome.is_bug_check(0xC9));
        CHECK(outcome.bug_check.parameters[1] == reinterpret_cast<std::uint64_t>(lab.device));
        CHECK(outcome.bug_check.parameters[3] == static_cast<std::uint32_t>(STATUS_ACCESS_VIOLATION));
        return outcome.bug_check;
    };
    const auto write = [](PDEVICE_OBJECT device, void* bad) {
        return IoBuildAsynchronousFsdRequest(IRP_MJ_WRITE, device, bad, 16, nullptr, nullptr);
    };
    for (const ULONG flags : {ULONG{DO_BUFFERED_IO}, ULONG{DO_DIRECT_IO}}) {
        const auto check = build(flags, write);
        CHECK(check.parameters[0] == 0x08);
        CHECK(check.parameters[2] == IRP_MJ_WRITE);
    }
    const ULONG codes[] = {CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS),
                           CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)};
    for (const ULONG code : codes) {
        const auto check = build(0, [&](PDEVICE_OBJECT device, void* bad) {
            const bool output = (code & 3) == METHOD_OUT_DIRECT;
            return IoBuildDeviceIoControlRequest(code, device, output ? nullptr : bad, output ? 0 : 16,
                                                 output ? bad : nullptr, output ? 16 : 0, FALSE, nullptr, nullptr);
        });
        CHECK(check.parameters[0] == 0x09);
        CHECK(check.parameters[2] == code);
    }
}

TEST_CASE("an IRP of one's own is set up by hand, comes back to its completion routine, and is reused") {
    RequestLab lab;
    unsigned ended = 0;
    Completion completion = [&](PDEVICE_OBJECT, PIRP) {
        ++ended;
        return STATUS_MORE_PROCESSING_REQUIRED;
    };
    lab.in_kernel([&] {
        PIRP irp = IoAllocateIrp(lab.device->StackSize, FALSE);
        for (int i = 0; i < 3; ++i) {
            PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
            next->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
            set_completion(irp, completion);
            IoCallDriver(lab.device, irp);
            IoReuseIrp(irp, STATUS_NOT_SUPPORTED);
            if (irp->IoStatus.Status != STATUS_NOT_SUPPORTED || irp->CurrentLocation != irp->StackCount + 1)
                ended = 100;
        }
        IoFreeIrp(irp);
    });
    CHECK(ended == 3);
}

constexpr ULONG test_tag = 0x74736574;

TEST_CASE("an IRP of IoAllocateIrp may be initialised anew, and is freed as before") {
    RequestLab lab;
    bool as_new = false;
    lab.in_kernel([&] {
        PIRP irp = IoAllocateIrp(3, FALSE);
        IoSetNextIrpStackLocation(irp);
        irp->IoStatus.Information = 7;
        IoInitializeIrp(irp, IoSizeOfIrp(3), 3);
        as_new = irp->CurrentLocation == 4 && irp->IoStatus.Information == 0 && irp->Size == IoSizeOfIrp(3);
        IoFreeIrp(irp);
        irp = static_cast<PIRP>(ExAllocatePoolWithTag(NonPagedPool, IoSizeOfIrp(2), test_tag));
        IoInitializeIrp(irp, IoSizeOfIrp(2), 2);
        as_new = as_new && irp->CurrentLocation == 3;
        ExFreePool(irp);
    });
    CHECK(as_new);
}

TEST_CASE("in a trace, an IRP in a driver's own memory has a number, and another one when it is reused") {
    RequestLab lab;
    lab.machine.trace().enable(true);
    Completion completion = [](PDEVICE_OBJECT, PIRP) { return STATUS_MORE_PROCESSING_REQUIRED; };
    lab.in_kernel([&] {
        lab.machine.trace().clear();
        const CCHAR locations = lab.device->StackSize;
        auto* irp = static_cast<PIRP>(ExAllocatePoolZero(NonPagedPoolNx, IoSizeOfIrp(locations), 0x74736574));
        for (int i = 0; i < 2; ++i) {
            if (i == 0) {
                IoInitializeIrp(irp, IoSizeOfIrp(locations), locations);
            } else {
                IoReuseIrp(irp, STATUS_SUCCESS);
            }
            IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
            set_completion(irp, completion);
            IoCallDriver(lab.device, irp);
        }
        ExFreePoolWithTag(irp, 0x74736574);
    });
    const std::vector<std::uint32_t> irps = lab.machine.trace().irps();
    REQUIRE(irps.size() == 2);
    const std::string first = "irp#" + std::to_string(irps[0]), second = "irp#" + std::to_string(irps[1]);
    const std::string text = lab.machine.trace().text();
    INFO(text);
    CHECK(text.find("initialize  " + first + "\n") != std::string::npos);
    CHECK(text.find("reuse       " + second + ", before " + first + "\n") != std::string::npos);
    CHECK(text.find("call        " + second + " IRP_MJ_FLUSH_BUFFERS") != std::string::npos);
}

TEST_CASE("an IRP of one's own that nobody keeps is a bug check, as on NT") {
    RequestLab lab;
    const Outcome outcome = lab.machine.run_in_kernel([&] {
        PIRP irp = IoAllocateIrp(lab.device->StackSize, FALSE);
        IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
        IoCallDriver(lab.device, irp);
    });
    CHECK(outcome.is_bug_check(0x0A));
}

TEST_CASE("a master IRP is completed when the last of its associated IRPs is") {
    RequestLab lab;
    unsigned parts = 0;
    Behaviour upper;
    lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
        ++parts;
        return complete(irp, STATUS_SUCCESS);
    };
    upper[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP master) {
        IoMarkIrpPending(master);
        master->AssociatedIrp.IrpCount = 3;
        master->IoStatus.Status = STATUS_SUCCESS;
        master->IoStatus.Information = 30;
        for (int i = 0; i < 3; ++i) {
            PIRP part = IoMakeAssociatedIrp(master, lab.device->StackSize);
            IoGetNextIrpStackLocation(part)->MajorFunction = IRP_MJ_WRITE;
            IoCallDriver(lab.device, part);
            lab.note(std::to_string(i));
        }
        return STATUS_PENDING;
    };
    lab.load("upper", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Upper", upper); });
    lab.run([&](Process& process) {
        const IoResult result = process.open("\\Device\\Upper").value().write(bytes("abc"));
        CHECK(result.status == STATUS_SUCCESS);
        CHECK(result.information == 30);
    });
    CHECK(parts == 3);
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
