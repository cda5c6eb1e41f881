// Each allocation that a function makes fails once: the function says so as documented, and nothing is lost.
#include "support/low_memory.hpp"

#include "catch.hpp"
#include "ke/system_service.hpp"

#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ob/services.hpp"
#include "ps/ps.hpp"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <array>
#include <cstring>
#include <string_view>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr ULONG low_tag = 0x20776F4C;
PDRIVER_OBJECT the_driver;
PDEVICE_OBJECT the_device;

UNICODE_STRING unicode(std::u16string_view text) {
    const auto bytes = static_cast<USHORT>(text.size() * sizeof(char16_t));
    return {bytes, bytes, reinterpret_cast<PWCH>(const_cast<char16_t*>(text.data()))};
}

OBJECT_ATTRIBUTES named(PUNICODE_STRING name, ULONG attributes = OBJ_KERNEL_HANDLE) {
    OBJECT_ATTRIBUTES result;
    InitializeObjectAttributes(&result, name, attributes, nullptr, nullptr);
    return result;
}

NTSTATUS NTAPI succeed(PDEVICE_OBJECT, PIRP irp) {
    irp->IoStatus.Status = STATUS_SUCCESS;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_SUCCESS;
}

// Later, from a DPC-like distance: the requester waits.
NTSTATUS NTAPI succeed_later(PDEVICE_OBJECT, PIRP irp) {
    IoMarkIrpPending(irp);
    irp->IoStatus.Status = STATUS_SUCCESS;
    irp->IoStatus.Information = 8;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_PENDING;
}

NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    the_driver = driver;
    driver->MajorFunction[IRP_MJ_CREATE] = driver->MajorFunction[IRP_MJ_CLEANUP] = driver->MajorFunction[IRP_MJ_CLOSE] =
        succeed;
    driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_WRITE] =
        driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = succeed_later;
    UNICODE_STRING name = unicode(u"\\Device\\Low");
    return IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &the_device);
}

Host& host() {
    static Host shared;
    return shared;
}

// On a system thread, beside a driver with one device of these flags.
FreshMachine in_kernel(ULONG flags = DO_BUFFERED_IO) {
    return [flags](const std::function<void()>& work) {
        Machine machine(host());
        REQUIRE(machine.load("low", reinterpret_cast<void*>(driver_entry)).has_value());
        the_device->Flags |= flags;
        const Outcome outcome = machine.run_in_kernel(work);
        if (!outcome.finished()) UNSCOPED_INFO(outcome.report);
        return outcome.finished();
    };
}

// On an application's thread.
FreshMachine in_application(ULONG flags = DO_BUFFERED_IO) {
    return [flags](const std::function<void()>& work) {
        Machine machine(host());
        REQUIRE(machine.load("low", reinterpret_cast<void*>(driver_entry)).has_value());
        the_device->Flags |= flags;
        const Outcome outcome = machine.run([&](Process&) { work(); });
        if (!outcome.finished()) UNSCOPED_INFO(outcome.report);
        return outcome.finished();
    };
}

HANDLE open_low(const LowMemory& memory, ULONG attributes = OBJ_KERNEL_HANDLE) {
    UNICODE_STRING name = unicode(u"\\Device\\Low");
    OBJECT_ATTRIBUTES object = named(&name, attributes);
    IO_STATUS_BLOCK block{};
    HANDLE file = nullptr;
    const auto create = attributes == 0 ? NtCreateFile : ZwCreateFile;
    return memory.ok(create(&file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &object, &block, nullptr, 0,
                            FILE_SHARE_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, nullptr, 0))
               ? file
               : nullptr;
}

} // namespace

TEST_CASE("objects and names, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING directory_name = unicode(u"\\LowDirectory");
        UNICODE_STRING link_name = unicode(u"\\LowDirectory\\Link");
        UNICODE_STRING event_name = unicode(u"\\LowDirectory\\Event");
        UNICODE_STRING target = unicode(u"\\Device\\Low");
        OBJECT_ATTRIBUTES attributes = named(&directory_name);
        HANDLE directory = nullptr;
        HANDLE link = nullptr;
        HANDLE event = nullptr;
        if (!memory.ok(ZwCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, &attributes))) return;
        attributes = named(&link_name);
        if (memory.ok(ZwCreateSymbolicLinkObject(&link, SYMBOLIC_LINK_ALL_ACCESS, &attributes, &target))) ZwClose(link);
        attributes = named(&event_name);
        if (memory.ok(ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE))) {
            void* object = nullptr;
            alignas(8) char buffer[256];
            ULONG length = 0;
            CHECK(ObReferenceObjectByHandle(event, 0, *ExEventObjectType, KernelMode, &object, nullptr) ==
                  STATUS_SUCCESS);
            (void)memory.ok(
                ObQueryNameString(object, reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer), sizeof buffer, &length));
            HANDLE second = nullptr;
            if (memory.ok(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, nullptr, EVENT_ALL_ACCESS,
                                                *ExEventObjectType, KernelMode, &second)))
                ZwClose(second);
            ObDereferenceObject(object);
            ZwClose(event);
        }
        UNICODE_STRING short_name = unicode(u"\\LowEvent");
        if (PKEVENT named_event = IoCreateSynchronizationEvent(&short_name, &event); memory.got(named_event))
            ZwClose(event);
        ZwClose(directory);
    });
    CHECK(made >= 6);
}

TEST_CASE("many handles, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        static std::array<HANDLE, 600> handles;
        for (HANDLE& handle : handles) {
            OBJECT_ATTRIBUTES attributes = named(nullptr);
            handle = nullptr;
            if (!memory.ok(ZwCreateEvent(&handle, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE)))
                handle = nullptr;
            if (&handle >= &handles[2] && &handle < &handles[250]) { // the table grows at a few of them
                if (handle != nullptr) ZwClose(handle);
                handle = nullptr;
            }
            if (&handle >= &handles[300]) break;
        }
        for (HANDLE handle : handles) {
            if (handle != nullptr) ZwClose(handle);
        }
    });
    CHECK(made > 100);
}

TEST_CASE("devices, links and extensions, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING name = unicode(u"\\Device\\Second");
        UNICODE_STRING link = unicode(u"\\DosDevices\\Second");
        PDEVICE_OBJECT device = nullptr;
        if (!memory.ok(IoCreateDevice(the_driver, 64, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device))) return;
        if (memory.ok(IoCreateSymbolicLink(&link, &name)) && !memory.ok(IoDeleteSymbolicLink(&link)))
            CHECK(IoDeleteSymbolicLink(&link) == STATUS_SUCCESS);
        PDEVICE_OBJECT lower = nullptr;
        PFILE_OBJECT file = nullptr;
        UNICODE_STRING low = unicode(u"\\Device\\Low");
        if (memory.ok(IoGetDeviceObjectPointer(&low, FILE_READ_DATA, &file, &lower))) ObDereferenceObject(file);
        if (memory.ok(IoAttachDeviceToDeviceStackSafe(device, the_device, &lower))) IoDetachDevice(lower);
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
            if (IoCallDriver(the_device, irp) == STATUS_PENDING)
                KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, nullptr);
            KeClearEvent(&event);
        };
        finish(IoBuildSynchronousFsdRequest(IRP_MJ_READ, the_device, buffer, sizeof buffer, &offset, &event, &block));
        finish(IoBuildSynchronousFsdRequest(IRP_MJ_WRITE, the_device, buffer, sizeof buffer, &offset, &event, &block));
        finish(IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS),
                                             the_device, buffer, 16, buffer, 64, FALSE, &event, &block));
        finish(IoBuildDeviceIoControlRequest(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_IN_DIRECT, FILE_ANY_ACCESS),
                                             the_device, buffer, 16, buffer, 64, FALSE, &event, &block));
        PIO_WORKITEM item = IoAllocateWorkItem(the_device);
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

TEST_CASE("MDLs and contiguous memory, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        void* pool = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100'000, low_tag);
        if (!memory.got(pool)) return;
        PMDL mdl = IoAllocateMdl(pool, 100'000, FALSE, FALSE, nullptr);
        if (memory.got(mdl)) {
            MmBuildMdlForNonPagedPool(mdl);
            PMDL part = IoAllocateMdl(static_cast<char*>(pool) + 5000, 20'000, FALSE, FALSE, nullptr);
            if (memory.got(part)) {
                IoBuildPartialMdl(mdl, part, static_cast<char*>(pool) + 5000, 20'000);
                (void)memory.got(MmGetSystemAddressForMdlSafe(part, NormalPagePriority | MdlMappingNoWrite));
                IoFreeMdl(part);
            }
            IoFreeMdl(mdl);
        }
        ExFreePool(pool);
        PHYSICAL_ADDRESS anywhere;
        anywhere.QuadPart = -1;
        void* contiguous = MmAllocateContiguousMemory(3 * PAGE_SIZE, anywhere);
        if (memory.got(contiguous)) MmFreeContiguousMemory(contiguous);
        void* uncached = MmAllocateNonCachedMemory(100);
        if (memory.got(uncached)) MmFreeNonCachedMemory(uncached, 100);
    });
    CHECK(made >= 5);
}

TEST_CASE("system threads, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        HANDLE thread = nullptr;
        OBJECT_ATTRIBUTES attributes = named(nullptr);
        if (!memory.ok(PsCreateSystemThread(
                &thread, THREAD_ALL_ACCESS, &attributes, nullptr, nullptr, [](PVOID) {}, nullptr)))
            return;
        (void)ZwWaitForSingleObject(thread, FALSE, nullptr);
        ZwClose(thread);
    });
    CHECK(made == 2); // the object and the stack
}

TEST_CASE("pool and lists of the executive, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        for (const SIZE_T size : {SIZE_T{16}, SIZE_T{3000}, SIZE_T{70'000}}) {
            void* block = ExAllocatePool2(POOL_FLAG_PAGED, size, low_tag);
            if (memory.got(block)) ExFreePool(block);
        }
        LOOKASIDE_LIST_EX list;
        if (memory.ok(ExInitializeLookasideListEx(&list, nullptr, nullptr, PagedPool, 0, 64, low_tag, 0))) {
            void* entry = ExAllocateFromLookasideListEx(&list);
            if (memory.got(entry)) ExFreeToLookasideListEx(&list, entry);
            ExDeleteLookasideListEx(&list);
        }
        PEX_RUNDOWN_REF_CACHE_AWARE rundown = ExAllocateCacheAwareRundownProtection(NonPagedPoolNx, low_tag);
        if (memory.got(rundown)) ExFreeCacheAwareRundownProtection(rundown);
    });
    CHECK(made >= 5);
}

TEST_CASE("pool that an application pays for, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_application(), [](const LowMemory& memory) {
        (void)ke::system_service([&] {
            for (const SIZE_T size : {SIZE_T{16}, SIZE_T{3000}, SIZE_T{70'000}}) {
                constexpr auto no_raise = static_cast<POOL_TYPE>(PagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);
                void* block = ExAllocatePoolWithQuotaTag(no_raise, size, low_tag);
                if (memory.got(block)) ExFreePoolWithTag(block, low_tag);
            }
            CHECK(ke::current_thread()->process->pool_quota[1].used == 0);
            return STATUS_SUCCESS;
        });
    });
    CHECK(made >= 4);
}

namespace {

OB_PREOP_CALLBACK_STATUS NTAPI allow(PVOID, POB_PRE_OPERATION_INFORMATION) { return OB_PREOP_SUCCESS; }

void register_callbacks(const LowMemory& memory) {
    OB_OPERATION_REGISTRATION operation{PsProcessType, OB_OPERATION_HANDLE_CREATE, allow, nullptr};
    OB_CALLBACK_REGISTRATION registration{OB_FLT_REGISTRATION_VERSION, 1, unicode(u"1000"), nullptr, &operation};
    PVOID registered = nullptr;
    if (memory.ok(ObRegisterCallbacks(&registration, &registered))) ObUnRegisterCallbacks(registered);
}

void create_child(const LowMemory& memory) {
    ke::Machine& machine = ke::current_machine();
    ke::Process* process = nullptr;
    const ps::ProcessStart start{"Child", u"\\??\\C:\\child.exe", u"child", machine.system_process, true};
    if (!memory.ok(ps::create_process(machine, start, process))) return;
    PUNICODE_STRING name = nullptr;
    if (memory.ok(SeLocateProcessImageName(ps::as_eprocess(process), &name))) ExFreePool(name);
    OBJECT_ATTRIBUTES attributes = named(nullptr);
    CLIENT_ID client{PsGetProcessId(ps::as_eprocess(process)), nullptr};
    HANDLE handle = nullptr;
    if (memory.ok(ZwOpenProcess(&handle, PROCESS_ALL_ACCESS, &attributes, &client))) ZwClose(handle);
    ob::close_all_handles(*process);
    ob::dereference(process);
}

} // namespace

TEST_CASE("dispatcher objects, queries, callbacks and processes, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        const auto at = reinterpret_cast<std::uintptr_t>(allow);
        REQUIRE(ke::add_code_range(ke::current_machine(), {at, at + 1, "signed", true}));
        HANDLE semaphore = nullptr, mutant = nullptr, timer = nullptr, device = nullptr;
        UNICODE_STRING name = unicode(u"\\BaseNamedObjects\\Low");
        OBJECT_ATTRIBUTES attributes = named(&name, OBJ_INHERIT);
        if (memory.ok(NtCreateSemaphore(&semaphore, SEMAPHORE_ALL_ACCESS, &attributes, 1, 1))) {
            alignas(8) char buffer[128];
            ULONG length = 0;
            (void)memory.ok(ZwQueryObject(semaphore, ObjectNameInformation, buffer, sizeof buffer, &length));
            create_child(memory);
            ZwClose(semaphore);
        }
        if (memory.ok(NtCreateMutant(&mutant, 0x1F0001, nullptr, TRUE))) ZwClose(mutant);
        if (memory.ok(ZwCreateTimer(&timer, TIMER_ALL_ACCESS, nullptr, NotificationTimer))) ZwClose(timer);
        UNICODE_STRING directory = unicode(u"\\ObjectTypes");
        attributes = named(&directory);
        if (memory.ok(ZwOpenDirectoryObject(&device, DIRECTORY_QUERY, &attributes))) {
            alignas(8) static char names[4096];
            ULONG context = 0;
            (void)memory.ok(ZwQueryDirectoryObject(device, names, sizeof names, FALSE, TRUE, &context, nullptr));
            ZwClose(device);
        }
        register_callbacks(memory);
        ke::remove_code_range(ke::current_machine(), {at, at + 1, "signed", true});
    });
    CHECK(made >= 12);
}

TEST_CASE("callback objects, each allocation failing once", "[low]") {
    const unsigned made = for_each_failing_allocation(in_kernel(), [](const LowMemory& memory) {
        UNICODE_STRING name = unicode(u"\\Callback\\Low");
        OBJECT_ATTRIBUTES attributes = named(&name);
        PCALLBACK_OBJECT object = nullptr;
        if (!memory.ok(ExCreateCallback(&object, &attributes, TRUE, TRUE))) return;
        PVOID registration = ExRegisterCallback(
            object, [](PVOID, PVOID, PVOID) {}, nullptr);
        if (memory.got(registration)) ExUnregisterCallback(registration);
        ObDereferenceObject(object);
    });
    CHECK(made >= 4);
}

TEST_CASE("resources wait for memory that is short", "[low]") {
    (void)for_each_failing_allocation(in_kernel(), [](const LowMemory&) {
        ERESOURCE resource;
        CHECK(ExInitializeResourceLite(&resource) == STATUS_SUCCESS);
        ULONG_PTR owners[6] = {};
        for (ULONG_PTR& owner : owners) { // each becomes an owner of its own
            ExEnterCriticalRegionAndAcquireResourceShared(&resource);
            ExSetResourceOwnerPointer(&resource, reinterpret_cast<PVOID>(reinterpret_cast<ULONG_PTR>(&owner) | 3));
            KeLeaveCriticalRegion();
        }
        for (ULONG_PTR& owner : owners)
            ExReleaseResourceForThreadLite(&resource, reinterpret_cast<ULONG_PTR>(&owner) | 3);
        CHECK(ExDeleteResourceLite(&resource) == STATUS_SUCCESS);
    });
}
