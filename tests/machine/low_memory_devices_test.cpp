// What drivers keep of the I/O manager's, each allocation failing once: it says so as documented, and nothing is lost.
#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "io/driver.hpp"
#include "io/reinitialize.hpp"
#include "io/services.hpp"
#include "ke/system_service.hpp"

using namespace dirql;
using namespace dirql::test;

TEST_CASE("controllers, error-log entries and extensions, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        PCONTROLLER_OBJECT controller = IoCreateController(100);
        if (memory.got(controller)) IoDeleteController(controller);
        for (const bool write : {false, true}) {
            PVOID entry = IoAllocateErrorLogEntry(low_device(), sizeof(IO_ERROR_LOG_PACKET) + 8);
            if (!memory.got(entry)) continue;
            if (write)
                IoWriteErrorLogEntry(entry);
            else
                IoFreeErrorLogEntry(entry);
        }
        static char identifiers[2];
        static bool held;
        if (PVOID known = IoGetDriverObjectExtension(low_driver(), identifiers)) {
            CHECK(held); // of the body before: it stays as long as the driver
            CHECK(known != nullptr);
            PVOID second = nullptr;
            CHECK(IoAllocateDriverObjectExtension(low_driver(), identifiers, 40, &second) ==
                  STATUS_OBJECT_NAME_COLLISION);
        } else {
            PVOID extension = nullptr;
            held = memory.ok(IoAllocateDriverObjectExtension(low_driver(), identifiers, 40, &extension));
            CHECK(held == (IoGetDriverObjectExtension(low_driver(), identifiers) != nullptr));
        }
        PIO_WORKITEM item = IoAllocateWorkItem(low_device());
        if (memory.got(item)) IoFreeWorkItem(item);
    });
    CHECK(made == 5);
}

// The documents know no failure: who is not remembered is not called.
TEST_CASE("what is to be called later, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        if (memory.ok(IoRegisterLastChanceShutdownNotification(low_device())))
            IoUnregisterShutdownNotification(low_device());
        UNICODE_STRING name = unicode(u"\\Device\\Later");
        PDEVICE_OBJECT device = nullptr;
        if (!memory.ok(IoCreateDevice(low_driver(), 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device))) return;
        if (memory.ok(IoAttachDeviceByPointer(device, low_device()))) IoDetachDevice(low_device());
        IoDeleteDevice(device);
        if (!memory.ok(IoCreateDevice(low_driver(), 0, nullptr, FILE_DEVICE_UNKNOWN, 0, FALSE, &device))) return;
        PDEVICE_OBJECT below = nullptr;
        UNICODE_STRING low = unicode(u"\\Device\\Low");
        if (memory.ok(IoAttachDevice(device, &low, &below))) IoDetachDevice(below);
        IoDeleteDevice(device);
    });
    CHECK(made >= 8);
}

TEST_CASE("routines for when a driver is up, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static unsigned calls;
        calls = 0;
        IoRegisterDriverReinitialization(
            low_driver(), [](PDRIVER_OBJECT, PVOID, ULONG) { ++calls; }, nullptr);
        io::call_reinitialize_routines(io::ReinitializeRound::driver);
        (void)memory.got(calls == 0 ? nullptr : &calls);
        CHECK(calls <= 1);
    });
    CHECK(made == 1);
}

TEST_CASE("drivers, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        const PDRIVER_INITIALIZE entry = [](PDRIVER_OBJECT driver, PUNICODE_STRING) -> NTSTATUS {
            driver->DriverUnload = [](PDRIVER_OBJECT unloaded) { IoDeleteDevice(unloaded->DeviceObject); };
            PDEVICE_OBJECT device = nullptr;
            return IoCreateDevice(driver, 0, nullptr, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
        };
        const auto at = reinterpret_cast<std::uintptr_t>(entry);
        PDRIVER_OBJECT driver = nullptr;
        if (memory.ok(io::load_driver({u"Inner", entry, nullptr, 0, {at, at + 1, "inner", false}}, &driver)))
            CHECK(io::unload_driver(driver) == io::UnloadResult::unloaded);
        else
            CHECK(driver == nullptr);
    });
    CHECK(made >= 9);
}

// What could not be recorded may be released without a record.
TEST_CASE("remove locks of checked builds, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        struct {
            IO_REMOVE_LOCK_COMMON_BLOCK common;
            IO_REMOVE_LOCK_DBG_BLOCK debug;
        } checked{};
        auto* lock = reinterpret_cast<PIO_REMOVE_LOCK>(&checked);
        int tags[2];
        IoInitializeRemoveLockEx(lock, low_tag, 0, 0, sizeof checked);
        for (int& tag : tags) CHECK(memory.ok(IoAcquireRemoveLockEx(lock, &tag, "file", 1, sizeof checked)));
        IoReleaseRemoveLockEx(lock, &tags[0], sizeof checked);
        IoReleaseRemoveLockAndWaitEx(lock, &tags[1], sizeof checked);
        CHECK(checked.debug.LowMemoryCount == 0);
    });
    CHECK(made == 2);
}

TEST_CASE("file objects that no open makes, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        PFILE_OBJECT file = nullptr;
        if (memory.ok(raised_by([&] { file = IoCreateStreamFileObject(nullptr, low_device()); })))
            ObDereferenceObject(file);
        if (memory.ok(raised_by([&] { file = IoCreateStreamFileObjectLite(nullptr, low_device()); })))
            ObDereferenceObject(file);
        HANDLE handle = nullptr;
        if (memory.ok(raised_by([&] { file = IoCreateStreamFileObjectEx(nullptr, low_device(), &handle); }))) {
            ZwClose(handle);
            ObDereferenceObject(file);
        }
    });
    CHECK(made >= 2);
}

namespace {

NTSTATUS NTAPI keep(PDEVICE_OBJECT, PIRP, PVOID event) {
    KeSetEvent(static_cast<PRKEVENT>(event), 0, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

} // namespace

TEST_CASE("IRPs in other ways, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(DO_DIRECT_IO), [](const LowMemory& memory) {
        void* buffer = ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, low_tag);
        if (!memory.got(buffer)) return;
        KEVENT event;
        KeInitializeEvent(&event, SynchronizationEvent, FALSE);
        PIRP master = IoAllocateIrpEx(low_device(), 2, FALSE);
        if (memory.got(master)) {
            PIRP part = IoMakeAssociatedIrp(master, 1);
            if (memory.got(part)) IoFreeIrp(part);
            PMDL mdl = IoAllocateMdl(buffer, 64, FALSE, FALSE, master);
            if (memory.got(mdl)) IoFreeMdl(mdl);
            IoGetNextIrpStackLocation(master)->MajorFunction = IRP_MJ_FLUSH_BUFFERS;
            if (memory.ok(IoSetCompletionRoutineEx(low_device(), master, keep, &event, TRUE, TRUE, TRUE))) {
                (void)IoCallDriver(low_device(), master);
                KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
            }
            master->MdlAddress = nullptr;
            IoFreeIrp(master);
        }
        IO_STATUS_BLOCK block{};
        LARGE_INTEGER offset{};
        PIRP irp = IoBuildAsynchronousFsdRequest(IRP_MJ_READ, low_device(), buffer, 64, &offset, &block);
        if (memory.got(irp)) {
            IoSetCompletionRoutine(irp, keep, &event, TRUE, TRUE, TRUE);
            (void)IoCallDriver(low_device(), irp);
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
            MmUnlockPages(irp->MdlAddress);
            IoFreeMdl(irp->MdlAddress);
            IoFreeIrp(irp);
        }
        ExFreePool(buffer);
    });
    CHECK(made >= 6);
}

TEST_CASE("errors that people are told of, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING text = unicode(u"the medium");
        const bool queued = IoRaiseInformationalHardError(STATUS_DISK_FULL, &text, nullptr) != FALSE;
        (void)memory.got(queued ? &text : nullptr);
        KEVENT event;
        KeInitializeEvent(&event, SynchronizationEvent, FALSE);
        PIRP irp = IoAllocateIrp(1, FALSE);
        if (memory.got(irp)) {
            irp->Tail.Overlay.Thread = PsGetCurrentThread();
            IoSetCompletionRoutine(irp, keep, &event, TRUE, TRUE, TRUE);
            IoSetNextIrpStackLocation(irp);
            IoMarkIrpPending(irp);
            irp->IoStatus.Status = STATUS_NO_MEDIA_IN_DEVICE;
            IoRaiseHardError(irp, nullptr, low_device());
            KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
            IoFreeIrp(irp);
        }
        LARGE_INTEGER while_shown{.QuadPart = -10'000'000};
        KeDelayExecutionThread(KernelMode, FALSE, &while_shown);
    });
    CHECK(made >= 3);
}

TEST_CASE("what drivers ask and change of files, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_service(), [](const LowMemory& memory) {
        HANDLE handle = open_low(memory, OBJ_KERNEL_HANDLE, u"\\Device\\Low\\f");
        if (handle == nullptr) return;
        PVOID body = nullptr;
        CHECK(ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &body, nullptr) == STATUS_SUCCESS);
        auto* file = static_cast<PFILE_OBJECT>(body);
        alignas(8) char buffer[128] = {};
        ULONG length = 0;
        IO_STATUS_BLOCK block{};
        (void)memory.ok(IoQueryFileInformation(file, FileBasicInformation, sizeof buffer, buffer, &length));
        (void)memory.ok(IoQueryVolumeInformation(file, FileFsSizeInformation, sizeof buffer, buffer, &length));
        (void)memory.ok(IoSetInformation(file, FileBasicInformation, 40, buffer));
        (void)memory.ok(ZwFsControlFile(handle, nullptr, nullptr, nullptr, &block, 0x90018, buffer, 8, buffer, 8));
        (void)memory.ok(ZwNotifyChangeDirectoryFile(handle, nullptr, nullptr, nullptr, &block, buffer, sizeof buffer,
                                                    FILE_NOTIFY_CHANGE_FILE_NAME, FALSE));
        (void)memory.ok(ZwSetVolumeInformationFile(handle, &block, buffer, 16, FileFsLabelInformation));
        ObDereferenceObject(body);
        ZwClose(handle);
        UNICODE_STRING name = unicode(u"\\Device\\Low\\pipe");
        OBJECT_ATTRIBUTES attributes = named(&name);
        LARGE_INTEGER timeout{.QuadPart = -1};
        alignas(8) char attribute[] = "\0\0\0\0\0\x01\x01\0N\0v";
        const ke::KernelModeCaller caller;
        if (memory.ok(IoCreateFile(&handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &block, nullptr, 0, 7,
                                   FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT, attribute, sizeof attribute,
                                   CreateFileTypeNone, nullptr, 0)))
            ZwClose(handle);
        if (memory.ok(NtCreateNamedPipeFile(&handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &block, 3, FILE_CREATE,
                                            FILE_SYNCHRONOUS_IO_NONALERT, 0, 0, 0, 1, 0, 0, &timeout)))
            ZwClose(handle);
        if (memory.ok(NtCreateMailslotFile(&handle, FILE_READ_DATA | SYNCHRONIZE, &attributes, &block,
                                           FILE_SYNCHRONOUS_IO_NONALERT, 0, 0, &timeout)))
            ZwClose(handle);
    });
    CHECK(made >= 15);
}
