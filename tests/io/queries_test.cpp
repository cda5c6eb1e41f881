// Small routines about devices, requests and work items, each asked for what its document says.
#include "closure_driver.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

struct StackLab : Lab {
    StackLab() {
        load("lower", [&](PDRIVER_OBJECT driver) {
            return create_device(driver, u"\\Device\\Lower", lower, DO_BUFFERED_IO, &below);
        });
        load("upper", [&](PDRIVER_OBJECT driver) {
            const NTSTATUS status = create_device(driver, nullptr, upper, DO_BUFFERED_IO, &above);
            IoAttachDeviceToDeviceStack(above, below);
            return status;
        });
        for (const unsigned major : {IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_READ}) {
            upper[major] = [this](PDEVICE_OBJECT, PIRP irp) { return skip_to(below, irp); };
        }
    }
    Behaviour lower;
    Behaviour upper;
    PDEVICE_OBJECT below = nullptr;
    PDEVICE_OBJECT above = nullptr;
};

LONG_PTR references_of(PVOID object) {
    const LONG_PTR with_mine = ObReferenceObject(object);
    ObDereferenceObject(object);
    return with_mine - 1;
}

} // namespace

TEST_CASE("the top of a stack is what IoGetAttachedDeviceReference references and a file's requests go to") {
    StackLab lab;
    lab.lower[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
        CHECK(file->DeviceObject == lab.below);
        CHECK(IoGetRelatedDeviceObject(file) == lab.above);
        CHECK(IoGetRequestorProcess(irp) == PsGetCurrentProcess());
        return complete(irp, STATUS_SUCCESS);
    };
    lab.machine.run_in_kernel([&] {
        const LONG_PTR before = references_of(lab.above);
        CHECK(IoGetAttachedDeviceReference(lab.below) == lab.above);
        CHECK(IoGetAttachedDeviceReference(lab.above) == lab.above);
        CHECK(references_of(lab.above) == before + 2);
        ObDereferenceObject(lab.above);
        ObDereferenceObject(lab.above);
        PIRP irp = IoAllocateIrp(1, FALSE);
        CHECK(IoGetRequestorProcess(irp) == nullptr); // no thread's
        IoFreeIrp(irp);
    });
    lab.run([&](Process& process) { CHECK(process.open("\\Device\\Lower").value().read(1).ok()); });
}

TEST_CASE(
    "an operation is synchronous when its file or its API is, paging I/O apart, or a buffer is to be copied back") {
    StackLab lab;
    std::vector<bool> seen;
    lab.lower[IRP_MJ_READ] = [&](PDEVICE_OBJECT, PIRP irp) {
        seen.push_back(IoIsOperationSynchronous(irp) != FALSE);
        const ULONG flags = irp->Flags;
        irp->Flags = IRP_PAGING_IO;
        CHECK_FALSE(IoIsOperationSynchronous(irp));
        irp->Flags = flags | IRP_SYNCHRONOUS_API;
        CHECK(IoIsOperationSynchronous(irp));
        irp->Flags = flags;
        return complete(irp, STATUS_SUCCESS);
    };
    lab.run([&](Process& process) {
        const auto read_once = [&](bool asynchronous) {
            (void)process.open("\\Device\\Lower", {.overlapped = asynchronous}).value().start_read(1).wait();
        };
        read_once(true); // buffered
        lab.above->Flags &= ~static_cast<ULONG>(DO_BUFFERED_IO);
        read_once(false);
        read_once(true);
    });
    CHECK(seen == std::vector<bool>{true, true, false});
}

TEST_CASE("a work item in the driver's own memory runs with the object that it was initialised for") {
    StackLab lab;
    static PVOID object_seen;
    static PVOID context_seen;
    lab.machine.run_in_kernel([&] {
        const ULONG size = IoSizeofWorkItem();
        REQUIRE(size >= sizeof(LIST_ENTRY));
        struct Memory {
            std::byte item[256];
            ULONG guard;
        };
        REQUIRE(size <= sizeof(Memory::item));
        auto* memory = kernel_object<Memory>();
        std::memset(memory, 0xA5, sizeof *memory);
        auto* item = reinterpret_cast<PIO_WORKITEM>(memory->item);
        for (PVOID object : {static_cast<PVOID>(lab.above->DriverObject), static_cast<PVOID>(lab.below)}) {
            IoInitializeWorkItem(object, item);
            const auto routine = [](PVOID given, PVOID context, PIO_WORKITEM) -> VOID {
                object_seen = given;
                context_seen = context;
            };
            IoQueueWorkItemEx(item, routine, DelayedWorkQueue, memory);
            LARGE_INTEGER a_moment;
            a_moment.QuadPart = -10'000;
            KeDelayExecutionThread(KernelMode, FALSE, &a_moment);
            CHECK(object_seen == object);
            CHECK(context_seen == memory);
            IoUninitializeWorkItem(item);
        }
        CHECK(std::all_of(memory->item + size, memory->item + sizeof memory->item,
                          [](std::byte b) { return b == std::byte{0xA5}; }));
        ExFreePool(memory);
    });
    CHECK(lab.machine.outcome().finished());
    const Outcome early = lab.machine.run_in_kernel([&] {
        auto* item = static_cast<PIO_WORKITEM>(ExAllocatePoolZero(NonPagedPoolNx, IoSizeofWorkItem(), 0x74736574));
        IoInitializeWorkItem(lab.below, item);
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        IoQueueWorkItemEx(
            item, [](PVOID, PVOID, PIO_WORKITEM) -> VOID {}, DelayedWorkQueue, nullptr);
        IoUninitializeWorkItem(item);
    });
    CHECK(early.is_bug_check(0xE4));
}

TEST_CASE("an unprotected link opens its device") {
    Lab lab;
    Behaviour behaviour;
    lab.load("l", [&](PDRIVER_OBJECT driver) {
        UNICODE_STRING link = unicode(u"\\DosDevices\\Unprotected");
        UNICODE_STRING name = unicode(u"\\Device\\L");
        CHECK(IoCreateUnprotectedSymbolicLink(&link, &name) == STATUS_SUCCESS);
        CHECK(IoCreateUnprotectedSymbolicLink(&link, &name) == STATUS_OBJECT_NAME_COLLISION);
        return create_device(driver, u"\\Device\\L", behaviour);
    });
    lab.run([&](Process& process) { CHECK(process.open("\\\\.\\Unprotected")); });
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
        CHECK(IoGetTransactionParameterBlock(file) == nullptr);
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
