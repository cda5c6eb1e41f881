#include "closure_driver.hpp"

namespace dirql::test {
namespace {

struct Extension {
    Behaviour* behaviour;
    PDEVICE_OBJECT lower;
};

Extension& extension_of(PDEVICE_OBJECT device) { return *static_cast<Extension*>(device->DeviceExtension); }

NTSTATUS NTAPI dispatch(PDEVICE_OBJECT device, PIRP irp) {
    const UCHAR major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
    return (*extension_of(device).behaviour)[major](device, irp);
}

NTSTATUS NTAPI call_completion(PDEVICE_OBJECT device, PIRP irp, PVOID context) {
    return (*static_cast<Completion*>(context))(device, irp);
}

// DriverEntry is a plain function: it takes the closure of the load under way.
thread_local Lab::Entry* loading = nullptr;

NTSTATUS NTAPI driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    for (PDRIVER_DISPATCH& routine : driver->MajorFunction) routine = dispatch;
    driver->DriverUnload = delete_all_devices;
    return (*loading)(driver);
}

} // namespace

Behaviour::Behaviour() {
    dispatch_.fill([](PDEVICE_OBJECT, PIRP irp) { return complete(irp, STATUS_INVALID_DEVICE_REQUEST); });
    for (const unsigned major : {IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE}) {
        dispatch_[major] = [](PDEVICE_OBJECT, PIRP irp) { return complete(irp, STATUS_SUCCESS); };
    }
}

NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information) {
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

NTSTATUS pend(PIRP irp) {
    IoMarkIrpPending(irp);
    return STATUS_PENDING;
}

NTSTATUS create_device(PDRIVER_OBJECT driver, const char16_t* name, Behaviour& behaviour, ULONG flags,
                       PDEVICE_OBJECT* result, BOOLEAN exclusive) {
    UNICODE_STRING string = name == nullptr ? UNICODE_STRING{} : unicode(name);
    PDEVICE_OBJECT device = nullptr;
    const NTSTATUS status = IoCreateDevice(driver, sizeof(Extension), name == nullptr ? nullptr : &string,
                                           FILE_DEVICE_UNKNOWN, 0, exclusive, &device);
    if (!NT_SUCCESS(status)) return status;
    extension_of(device) = {&behaviour, nullptr};
    device->Flags |= flags;
    if (result != nullptr) *result = device;
    return status;
}

// IoGetLowerDeviceObject would not tell of a lower device that is to be deleted or unloaded as well.
VOID NTAPI delete_all_devices(PDRIVER_OBJECT driver) {
    while (PDEVICE_OBJECT device = driver->DeviceObject) {
        PDEVICE_OBJECT base = IoGetDeviceAttachmentBaseRef(device);
        PDEVICE_OBJECT lower = base;
        while (lower != device && lower->AttachedDevice != device) lower = lower->AttachedDevice;
        if (lower != device) IoDetachDevice(lower);
        ObDereferenceObject(base);
        IoDeleteDevice(device);
    }
}

NTSTATUS skip_to(PDEVICE_OBJECT lower, PIRP irp) {
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(lower, irp);
}

void set_completion(PIRP irp, Completion& completion, bool on_success, bool on_error, bool on_cancel) {
    IoSetCompletionRoutine(irp, call_completion, &completion, on_success, on_error, on_cancel);
}

NTSTATUS copy_to(PDEVICE_OBJECT lower, PIRP irp, Completion& completion, bool on_success, bool on_error,
                 bool on_cancel) {
    IoCopyCurrentIrpStackLocationToNext(irp);
    set_completion(irp, completion, on_success, on_error, on_cancel);
    return IoCallDriver(lower, irp);
}

Lab::Lab(MachineOptions options) : machine(std::move(options)) {}
Lab::Lab(Host& host, MachineOptions options) : machine(host, std::move(options)) {}

Result<Driver> Lab::try_load(std::string_view name, Entry entry) {
    loading = &entry;
    return machine.load(name, reinterpret_cast<void*>(driver_entry));
}

Driver Lab::load(std::string_view name, Entry entry) { return try_load(name, std::move(entry)).value(); }

Outcome Lab::run(const std::function<void(Process&)>& body) {
    const Outcome outcome = machine.run(body);
    INFO(outcome.report);
    CHECK(outcome.finished());
    return outcome;
}

} // namespace dirql::test
