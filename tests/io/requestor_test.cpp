// Whose request it is, and with which rights: the process, also of a thread that is attached to another, and the handle it came by.
#include "closure_driver.hpp"

#include "../../src/io/services.hpp"

#include <wdmsec.h>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr ULONG any_access = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS);
constexpr UCHAR attached = 1; // AttachedApcEnvironment

PEPROCESS system_process() { return PsInitialSystemProcess; }

bool is_of(PIRP irp, PEPROCESS process) {
    return IoGetRequestorProcess(irp) == process &&
           IoGetRequestorProcessId(irp) == HandleToULong(PsGetProcessId(process));
}

struct Attachment {
    KAPC_STATE state{};
    explicit Attachment(PEPROCESS process) { KeStackAttachProcess(reinterpret_cast<PKPROCESS>(process), &state); }
    ~Attachment() { KeUnstackDetachProcess(&state); }
    Attachment(const Attachment&) = delete;
    Attachment& operator=(const Attachment&) = delete;
};

struct RequestorLab : Lab {
    RequestorLab() {
        load("r", [this](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\R", behaviour, DO_BUFFERED_IO, &device);
        });
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
};

} // namespace

TEST_CASE("a request that an attached thread makes is of the process that it is attached to") {
    RequestorLab lab;
    int asked = 0;
    lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        PEPROCESS const own = PsGetCurrentProcess();
        CHECK(own != system_process());
        CHECK(is_of(irp, own));
        PIRP later = IoAllocateIrp(1, FALSE);
        later->Tail.Overlay.Thread = PsGetCurrentThread();
        {
            const Attachment attachment(system_process());
            CHECK(PsGetCurrentProcess() == system_process());
            CHECK(irp->ApcEnvironment == 0);
            CHECK(is_of(irp, own)); // made before
            CHECK(is_of(later, own));
            PIRP made = IoAllocateIrp(1, FALSE);
            CHECK(made->ApcEnvironment == attached);
            CHECK(IoGetRequestorProcess(made) == nullptr);
            CHECK(IoGetRequestorProcessId(made) == 0);
            made->Tail.Overlay.Thread = PsGetCurrentThread();
            CHECK(is_of(made, system_process()));
            PIRP asynchronous =
                IoBuildAsynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, lab.device, nullptr, 0, nullptr, nullptr);
            CHECK(is_of(asynchronous, system_process()));
            IoReuseIrp(later, STATUS_SUCCESS);
            later->Tail.Overlay.Thread = PsGetCurrentThread();
            CHECK(is_of(later, system_process()));
            IoInitializeIrp(made, IoSizeOfIrp(1), 1);
            CHECK(made->ApcEnvironment == attached);
            IoFreeIrp(made);
            IoFreeIrp(asynchronous);
            KEVENT done;
            IO_STATUS_BLOCK block{};
            KeInitializeEvent(&done, NotificationEvent, FALSE);
            PIRP sent =
                IoBuildDeviceIoControlRequest(any_access, lab.device, nullptr, 0, nullptr, 0, TRUE, &done, &block);
            CHECK(IoCallDriver(lab.device, sent) == STATUS_SUCCESS);
        }
        CHECK(later->ApcEnvironment == attached);
        CHECK(is_of(later, own)); // it is attached to none any more
        IoReuseIrp(later, STATUS_SUCCESS);
        CHECK(later->ApcEnvironment == 0);
        IoFreeIrp(later);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.behaviour[IRP_MJ_INTERNAL_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        CHECK(is_of(irp, system_process()));
        ++asked;
        return complete(irp, STATUS_SUCCESS);
    };
    // Services, too, as a driver calls them by a handle of the kernel.
    lab.behaviour[IRP_MJ_WRITE] = [&](PDEVICE_OBJECT, PIRP irp) {
        const Attachment attachment(system_process());
        OBJECT_ATTRIBUTES attributes;
        UNICODE_STRING name = unicode(u"\\Device\\R");
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
        HANDLE file = nullptr;
        IO_STATUS_BLOCK block{};
        CHECK(ZwCreateFile(&file, GENERIC_READ | SYNCHRONIZE, &attributes, &block, nullptr, 0, 7, FILE_OPEN,
                           FILE_SYNCHRONOUS_IO_NONALERT, nullptr, 0) == STATUS_SUCCESS);
        CHECK(ZwDeviceIoControlFile(file, nullptr, nullptr, nullptr, &block, any_access, nullptr, 0, nullptr, 0) ==
              STATUS_SUCCESS);
        ZwClose(file);
        return complete(irp, STATUS_SUCCESS);
    };
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        CHECK(irp->ApcEnvironment == attached);
        CHECK(is_of(irp, system_process()));
        ++asked;
        return complete(irp, STATUS_SUCCESS);
    };
    const Outcome outcome = lab.run([](Process& process) {
        auto file = process.open("\\Device\\R");
        CHECK(file.value().read(1).ok());
        CHECK(file.value().write(std::vector<std::byte>(1)).ok());
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(asked == 2);
}

TEST_CASE("a control request tells what the handle grants that it came by, of several to one file") {
    RequestorLab lab;
    struct Seen {
        UCHAR flags;
        NTSTATUS read, write;
        bool operator==(const Seen&) const = default;
    };
    std::vector<Seen> seen;
    const auto look = [&](PDEVICE_OBJECT, PIRP irp) {
        seen.push_back({IoGetCurrentIrpStackLocation(irp)->Flags,
                        IoValidateDeviceIoControlAccess(irp, FILE_READ_ACCESS),
                        WdmlibIoValidateDeviceIoControlAccess(irp, FILE_WRITE_ACCESS)});
        return complete(irp, STATUS_SUCCESS);
    };
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = look;
    lab.behaviour[IRP_MJ_FILE_SYSTEM_CONTROL] = look;
    const Outcome outcome = lab.run([&](Process& process) {
        auto file = process.open("\\Device\\R");
        const HANDLE all = file.value().handle();
        IO_STATUS_BLOCK block{};
        for (const ACCESS_MASK access : {FILE_READ_DATA, FILE_WRITE_DATA, SYNCHRONIZE}) {
            HANDLE less = nullptr;
            CHECK(NtDuplicateObject(NtCurrentProcess(), all, NtCurrentProcess(), &less, access | SYNCHRONIZE, 0, 0) ==
                  STATUS_SUCCESS);
            CHECK(NtDeviceIoControlFile(less, nullptr, nullptr, nullptr, &block, any_access, nullptr, 0, nullptr, 0) ==
                  STATUS_SUCCESS);
            NtClose(less);
        }
        CHECK(NtDeviceIoControlFile(all, nullptr, nullptr, nullptr, &block, any_access, nullptr, 0, nullptr, 0) ==
              STATUS_SUCCESS);
        CHECK(NtFsControlFile(all, nullptr, nullptr, nullptr, &block, any_access, nullptr, 0, nullptr, 0) ==
              STATUS_SUCCESS);
        // A kernel handle's slow way.
        lab.behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
            PFILE_OBJECT object = IoGetCurrentIrpStackLocation(irp)->FileObject;
            HANDLE handle = nullptr;
            IO_STATUS_BLOCK inner{};
            CHECK(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, nullptr, FILE_WRITE_DATA | SYNCHRONIZE,
                                        *IoFileObjectType, KernelMode, &handle) == STATUS_SUCCESS);
            CHECK(ZwDeviceIoControlFile(handle, nullptr, nullptr, nullptr, &inner, any_access, nullptr, 0, nullptr,
                                        0) == STATUS_SUCCESS);
            ZwClose(handle);
            return complete(irp, STATUS_SUCCESS);
        };
        auto second = process.open("\\Device\\R", OpenOptions{.overlapped = true});
        char byte;
        LARGE_INTEGER at{};
        CHECK(NtReadFile(second.value().handle(), nullptr, nullptr, nullptr, &block, &byte, 1, &at, nullptr) ==
              STATUS_SUCCESS);
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    constexpr UCHAR both = SL_READ_ACCESS_GRANTED | SL_WRITE_ACCESS_GRANTED;
    const std::vector<Seen> expected{{SL_READ_ACCESS_GRANTED, STATUS_SUCCESS, STATUS_ACCESS_DENIED},
                                     {SL_WRITE_ACCESS_GRANTED, STATUS_ACCESS_DENIED, STATUS_SUCCESS},
                                     {0, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED},
                                     {both, STATUS_SUCCESS, STATUS_SUCCESS},
                                     {both, STATUS_SUCCESS, STATUS_SUCCESS},
                                     // The kernel's requests are not checked.
                                     {SL_WRITE_ACCESS_GRANTED, STATUS_SUCCESS, STATUS_SUCCESS}};
    CHECK(seen == expected);
}

TEST_CASE("what a handle grants goes down with the location, and into no location of a driver's own") {
    RequestorLab lab;
    NTSTATUS copied = -1, fresh = -1;
    PDEVICE_OBJECT top = nullptr;
    Behaviour filter;
    filter[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        IoCopyCurrentIrpStackLocationToNext(irp);
        if (fresh == -2) IoGetNextIrpStackLocation(irp)->Flags = 0;
        return IoCallDriver(lab.device, irp);
    };
    lab.load("filter", [&](PDRIVER_OBJECT driver) {
        const NTSTATUS status = create_device(driver, nullptr, filter, DO_BUFFERED_IO, &top);
        if (NT_SUCCESS(status)) IoAttachDeviceToDeviceStack(top, lab.device);
        return status;
    });
    lab.behaviour[IRP_MJ_DEVICE_CONTROL] = [&](PDEVICE_OBJECT, PIRP irp) {
        (fresh == -2 ? fresh : copied) = IoValidateDeviceIoControlAccess(irp, FILE_READ_ACCESS | FILE_WRITE_ACCESS);
        return complete(irp, STATUS_SUCCESS);
    };
    filter[IRP_MJ_CREATE] = filter[IRP_MJ_CLEANUP] =
        filter[IRP_MJ_CLOSE] = [&](PDEVICE_OBJECT, PIRP irp) { return skip_to(lab.device, irp); };
    const Outcome outcome = lab.run([&](Process& process) {
        auto file = process.open("\\Device\\R");
        CHECK(file.value().device_control(any_access).ok());
        fresh = -2;
        CHECK(file.value().device_control(any_access).ok());
    });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(copied == STATUS_SUCCESS);
    CHECK(fresh == STATUS_ACCESS_DENIED);
}

TEST_CASE("an IRP is charged to the process that it is allocated for, until it is freed") {
    MachineOptions options;
    options.physical_memory = std::size_t{64} << 20;
    Lab lab(options);
    Behaviour behaviour;
    bool asked = false;
    lab.load("r", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\R", behaviour); });
    behaviour[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        asked = true;
        PEPROCESS const process = PsGetCurrentProcess();
        const std::size_t rest = 8 * IoSizeOfIrp(1);
        const std::size_t taken = options.physical_memory - rest;
        PsChargePoolQuota(process, NonPagedPool, taken); // of what a process may have at most
        for (int round = 0; round < 3; ++round) {
            std::vector<PIRP> irps;
            while (PIRP charged = IoAllocateIrp(1, TRUE)) {
                CHECK((charged->AllocationFlags & IRP_QUOTA_CHARGED) != 0);
                irps.push_back(charged);
            }
            CHECK(irps.size() >= 6);
            CHECK(irps.size() <= 8);
            CHECK(IoAllocateIrpEx(nullptr, 1, TRUE) == nullptr);
            PIRP free_of_charge = IoAllocateIrp(1, FALSE);
            CHECK(free_of_charge != nullptr);
            IoFreeIrp(free_of_charge);
            IoReuseIrp(irps.back(), STATUS_SUCCESS);
            CHECK((irps.back()->AllocationFlags & IRP_QUOTA_CHARGED) != 0);
            {
                const Attachment attachment(system_process()); // another pays, or in this case nobody
                PIRP others = IoAllocateIrp(100, TRUE);
                CHECK(others != nullptr);
                IoFreeIrp(others);
                IoFreeIrp(irps.back()); // and it is returned to who has paid
                irps.pop_back();
            }
            irps.push_back(IoAllocateIrp(1, TRUE));
            CHECK(irps.back() != nullptr);
            CHECK(IoAllocateIrp(1, TRUE) == nullptr);
            for (PIRP one : irps) IoFreeIrp(one);
        }
        PsReturnPoolQuota(process, NonPagedPool, taken);
        return complete(irp, STATUS_SUCCESS);
    };
    const Outcome outcome = lab.run([](Process& process) { CHECK(process.open("\\Device\\R").value().read(1).ok()); });
    INFO(outcome.report);
    CHECK(outcome.finished());
    CHECK(asked);
}
