#include "low_memory_machine.hpp"

#include "catch.hpp"
#include "ke/system_service.hpp"

#include <dirql/dirql.hpp>

namespace dirql::test {
namespace {

PDRIVER_OBJECT the_driver;
PDEVICE_OBJECT the_device;

NTSTATUS finish(PIRP irp, NTSTATUS status, ULONG_PTR information) {
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

NTSTATUS NTAPI succeed(PDEVICE_OBJECT, PIRP irp) { return finish(irp, STATUS_SUCCESS, 0); }
NTSTATUS NTAPI refuse(PDEVICE_OBJECT, PIRP irp) { return finish(irp, STATUS_INVALID_DEVICE_REQUEST, 0); }

// The name \again stands for the device.
NTSTATUS NTAPI open(PDEVICE_OBJECT, PIRP irp) {
    UNICODE_STRING& name = IoGetCurrentIrpStackLocation(irp)->FileObject->FileName;
    const UNICODE_STRING again = unicode(u"\\again");
    if (!RtlEqualUnicodeString(&name, &again, TRUE)) return finish(irp, STATUS_SUCCESS, 0);
    const UNICODE_STRING meant = unicode(u"\\Device\\Low");
    auto* buffer = static_cast<PWCH>(ExAllocatePool2(POOL_FLAG_PAGED, meant.Length, low_tag));
    if (buffer == nullptr) return finish(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    ExFreePool(name.Buffer);
    name = {0, meant.Length, buffer};
    RtlCopyUnicodeString(&name, &meant);
    return finish(irp, STATUS_REPARSE, IO_REPARSE);
}

// The requester waits.
NTSTATUS NTAPI succeed_later(PDEVICE_OBJECT, PIRP irp) {
    IoMarkIrpPending(irp);
    (void)finish(irp, STATUS_SUCCESS, 8);
    return STATUS_PENDING;
}

NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    the_driver = driver;
    for (PDRIVER_DISPATCH& routine : driver->MajorFunction) routine = succeed;
    driver->MajorFunction[IRP_MJ_CREATE] = open;
    driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_WRITE] =
        driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = driver->MajorFunction[IRP_MJ_FILE_SYSTEM_CONTROL] =
            succeed_later;
    driver->MajorFunction[IRP_MJ_QUERY_SECURITY] = driver->MajorFunction[IRP_MJ_SET_SECURITY] = refuse;
    UNICODE_STRING name = unicode(u"\\Device\\Low");
    return IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &the_device);
}

Host& host() {
    static Host shared;
    return shared;
}

template <class Run> FreshMachine machine_for(ULONG flags, Run run) {
    return [flags, run](const std::function<void()>& work) {
        Machine machine(host());
        REQUIRE(machine.load("low", reinterpret_cast<void*>(driver_entry)).has_value());
        the_device->Flags |= flags;
        const Outcome outcome = run(machine, work);
        if (!outcome.finished()) UNSCOPED_INFO(outcome.report);
        return outcome.finished();
    };
}

} // namespace

PDRIVER_OBJECT low_driver() { return the_driver; }
PDEVICE_OBJECT low_device() { return the_device; }

UNICODE_STRING unicode(std::u16string_view text) {
    const auto bytes = static_cast<USHORT>(text.size() * sizeof(char16_t));
    return {bytes, bytes, reinterpret_cast<PWCH>(const_cast<char16_t*>(text.data()))};
}

OBJECT_ATTRIBUTES named(PUNICODE_STRING name, ULONG attributes) {
    OBJECT_ATTRIBUTES result;
    InitializeObjectAttributes(&result, name, attributes, nullptr, nullptr);
    return result;
}

FreshMachine in_kernel(ULONG flags) {
    return machine_for(flags,
                       [](Machine& machine, const std::function<void()>& work) { return machine.run_in_kernel(work); });
}

FreshMachine in_application(ULONG flags) {
    return machine_for(flags, [](Machine& machine, const std::function<void()>& work) {
        return machine.run([&](Process&) { work(); });
    });
}

FreshMachine in_service(ULONG flags) {
    return machine_for(flags, [](Machine& machine, const std::function<void()>& work) {
        return machine.run([&](Process&) {
            (void)ke::system_service([&] {
                work();
                return STATUS_SUCCESS;
            });
        });
    });
}

HANDLE open_low(const LowMemory& memory, ULONG attributes, std::u16string_view name, ULONG options) {
    UNICODE_STRING text = unicode(name);
    OBJECT_ATTRIBUTES object = named(&text, attributes);
    IO_STATUS_BLOCK block{};
    HANDLE file = nullptr;
    const auto create = (attributes & OBJ_KERNEL_HANDLE) == 0 ? NtCreateFile : ZwCreateFile;
    return memory.ok(create(&file, GENERIC_READ | GENERIC_WRITE | READ_CONTROL | WRITE_DAC | SYNCHRONIZE, &object,
                            &block, nullptr, 0, FILE_SHARE_READ, FILE_OPEN, options, nullptr, 0))
               ? file
               : nullptr;
}

} // namespace dirql::test
