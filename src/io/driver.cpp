#include "io/driver.hpp"

#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "ex/work_queue.hpp"
#include "io/device.hpp"
#include "io/irp.hpp"
#include "io/associated.hpp"
#include "io/reinitialize.hpp"
#include "io/state.hpp"
#include "io/types.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"
#include "ps/notify.hpp"

#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG name_tag = 'mNrD';
constexpr char16_t hardware_path[] = u"\\REGISTRY\\MACHINE\\HARDWARE\\DESCRIPTION\\SYSTEM";

// What a driver that sets no routine for a major function gets.
NTSTATUS NTAPI invalid_request(PDEVICE_OBJECT, PIRP irp) {
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    complete_request(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

struct DriverExtension {
    LIST_ENTRY entry;
    PVOID id;
    alignas(16) std::byte data[];
};

// A counted string of `prefix` and `name`, in pool.
bool make_string(UNICODE_STRING& string, std::u16string_view prefix, std::u16string_view name) noexcept {
    const std::size_t bytes = (prefix.size() + name.size()) * sizeof(char16_t);
    auto* buffer = static_cast<char16_t*>(ex::allocate_pool(NonPagedPoolNx, bytes + sizeof(char16_t), name_tag));
    if (buffer == nullptr) return false;
    std::memcpy(buffer, prefix.data(), prefix.size() * sizeof(char16_t));
    std::memcpy(buffer + prefix.size(), name.data(), name.size() * sizeof(char16_t));
    buffer[prefix.size() + name.size()] = 0;
    string = {static_cast<USHORT>(bytes), static_cast<USHORT>(bytes + sizeof(char16_t)),
              reinterpret_cast<PWSTR>(buffer)};
    return true;
}

void free_string(UNICODE_STRING& string) noexcept {
    if (string.Buffer != nullptr) ex::free_pool(string.Buffer, 0);
    string = {};
}

void set_up(PDRIVER_OBJECT driver, const DriverImage& image) noexcept {
    std::memset(static_cast<void*>(driver), 0, sizeof(DRIVER_OBJECT) + sizeof(DriverState));
    auto* state = reinterpret_cast<DriverState*>(driver + 1);
    driver->Type = IO_TYPE_DRIVER;
    driver->Size = sizeof(DRIVER_OBJECT);
    driver->Flags = DRVO_LEGACY_DRIVER;
    driver->DriverStart = image.base;
    driver->DriverSize = static_cast<ULONG>(image.size);
    driver->DriverExtension = &state->extension;
    driver->DriverInit = image.entry;
    driver->HardwareDatabase = &state->hardware_database;
    for (PDRIVER_DISPATCH& routine : driver->MajorFunction) routine = invalid_request;
    state->extension.DriverObject = driver;
    state->code = image.code;
    state->hardware_database = {sizeof hardware_path - sizeof(char16_t), sizeof hardware_path,
                                reinterpret_cast<PWSTR>(const_cast<char16_t*>(hardware_path))};
    InitializeListHead(&state->entry);
    InitializeListHead(&state->extensions);
    KeInitializeEvent(&state->unloaded, NotificationEvent, FALSE);
}

NTSTATUS create_driver_object(const DriverImage& image, PDRIVER_OBJECT* result) noexcept {
    UNICODE_STRING name{};
    if (!make_string(name, u"\\Driver\\", image.name)) return STATUS_INSUFFICIENT_RESOURCES;
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, OBJ_PERMANENT | OBJ_CASE_INSENSITIVE, nullptr, nullptr);
    void* body = nullptr;
    NTSTATUS status =
        ob::create_object(driver_type, &attributes, KernelMode, sizeof(DRIVER_OBJECT) + sizeof(DriverState), &body);
    if (!NT_SUCCESS(status)) {
        free_string(name);
        return status;
    }
    auto* driver = static_cast<PDRIVER_OBJECT>(body);
    set_up(driver, image);
    driver->DriverName = name;
    status = ob::insert_object(driver, 0, nullptr);
    if (NT_SUCCESS(status)) *result = driver;
    return status;
}

void free_extensions(DriverState& state) noexcept {
    while (!IsListEmpty(&state.extensions))
        ex::free_pool(CONTAINING_RECORD(RemoveHeadList(&state.extensions), DriverExtension, entry), 0);
}

// The driver object leaves the namespace; its body goes with the last reference.
void drop_driver(PDRIVER_OBJECT driver) noexcept {
    RemoveEntryList(&state_of(driver).entry);
    InitializeListHead(&state_of(driver).entry);
    forget_reinitialize_routines(driver);
    ObMakeTemporaryObject(driver);
    ob::dereference(driver);
}

NTSTATUS call_driver_entry(PDRIVER_OBJECT driver, UNICODE_STRING& registry_path) noexcept {
    ke::CodeRange& code = state_of(driver).code; // all there is of an image that is linked into the host's program
    const bool linked = driver->DriverSize == 0;
    ps::announce_driver_image(std::u16string_view(driver->DriverExtension->ServiceKeyName.Buffer,
                                                  driver->DriverExtension->ServiceKeyName.Length / sizeof(WCHAR)),
                              linked ? reinterpret_cast<void*>(code.begin) : driver->DriverStart,
                              linked ? code.end - code.begin : driver->DriverSize);
    DIRQL_TRACE(callout_entry, .object = driver, .text = "DriverEntry");
    const NTSTATUS status =
        ke::callout({ke::CalloutKind::driver_entry, reinterpret_cast<const void*>(driver->DriverInit)},
                    driver->DriverInit, driver, &registry_path);
    DIRQL_TRACE(callout_exit, .object = driver, .status = status, .value = 1, .text = "DriverEntry");
    return status;
}

// What I/O managers do for a driver that has just loaded: its devices are ready, unless they are filters of their own making.
void devices_are_ready(PDRIVER_OBJECT driver) noexcept {
    for (PDEVICE_OBJECT device = driver->DeviceObject; device != nullptr; device = device->NextDevice) {
        device->Flags &= ~static_cast<ULONG>(DO_DEVICE_INITIALIZING);
    }
}

// A routine that DriverEntry has set to null is one that it has not set.
void fill_dispatch_table(PDRIVER_OBJECT driver) noexcept {
    for (PDRIVER_DISPATCH& routine : driver->MajorFunction) {
        if (routine == nullptr) routine = invalid_request;
    }
}

bool in_use(PDRIVER_OBJECT driver) noexcept {
    for (PDEVICE_OBJECT device = driver->DeviceObject; device != nullptr; device = device->NextDevice) {
        if (device->ReferenceCount != 0 || device->AttachedDevice != nullptr) return true;
    }
    return false;
}

void call_unload(PDRIVER_OBJECT driver) noexcept {
    DriverState& state = state_of(driver);
    state.unload_called = true;
    DIRQL_TRACE(callout_entry, .object = driver, .text = "Unload");
    ke::callout({ke::CalloutKind::unload, reinterpret_cast<const void*>(driver->DriverUnload)}, driver->DriverUnload,
                driver);
    DIRQL_TRACE(callout_exit, .object = driver, .text = "Unload");
    KeSetEvent(&state.unloaded, 0, FALSE);
}

struct UnloadWork {
    ex::KernelWork work;
    PDRIVER_OBJECT driver;
};

void run_unload(ex::KernelWork& work) { call_unload(CONTAINING_RECORD(&work, UnloadWork, work)->driver); }

// A driver's Unload never runs in a thread of an application that happens to close the last handle.
void call_unload_in_system_thread(PDRIVER_OBJECT driver) noexcept {
    if (ke::current_thread()->is_system != 0) return call_unload(driver);
    DriverState& state = state_of(driver);
    state.unload_called = true;
    UnloadWork unload{{}, driver};
    ex::queue_kernel_work(unload.work, DelayedWorkQueue, run_unload);
    ke::wait_for(&state.unloaded);
}

// I/O work items hold their object, that holds the driver, and that its image: they are allowed to outlast Unload.
void wait_for_work_items(const DriverState& state) noexcept {
    LARGE_INTEGER pause;
    pause.QuadPart = -10'000; // 1 ms
    while (state.work_items != 0) KeDelayExecutionThread(KernelMode, FALSE, &pause);
}

} // namespace

NTSTATUS load_driver(const DriverImage& image, PDRIVER_OBJECT* result) noexcept {
    PDRIVER_OBJECT driver = nullptr;
    NTSTATUS status = create_driver_object(image, &driver);
    if (!NT_SUCCESS(status)) return status;
    InsertTailList(&state().drivers, &state_of(driver).entry);
    UNICODE_STRING registry_path{};
    if (!make_string(state_of(driver).extension.ServiceKeyName, u"", image.name) ||
        !make_string(registry_path, u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\", image.name)) {
        drop_driver(driver);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    DIRQL_TRACE(object_named, .object = driver, .value = sizeof(DRIVER_OBJECT), .name = &driver->DriverName);
    status = call_driver_entry(driver, registry_path);
    free_string(registry_path);
    if (!NT_SUCCESS(status)) {
        *result = driver->DeviceObject != nullptr ? driver : nullptr;
        drop_driver(driver);
        return status;
    }
    fill_dispatch_table(driver);
    devices_are_ready(driver);
    DIRQL_TRACE(driver_loaded, .object = driver, .text = image.code.name);
    *result = driver;
    return status;
}

UnloadResult unload_driver(PDRIVER_OBJECT driver) noexcept {
    if (driver->DriverUnload == nullptr) return UnloadResult::no_unload_routine;
    DriverState& state = state_of(driver);
    state.unload_pending = true;
    driver->Flags |= DRVO_UNLOAD_INVOKED;
    if (!state.unload_called && in_use(driver)) return UnloadResult::pending;
    if (!state.unload_called) {
        call_unload_in_system_thread(driver);
    } else {
        ke::wait_for(&state.unloaded);
    }
    wait_for_work_items(state);
    if (driver->DeviceObject != nullptr) return UnloadResult::devices_left;
    DIRQL_TRACE(driver_unloaded, .object = driver, .text = state.code.name);
    drop_driver(driver);
    return UnloadResult::unloaded;
}

// PASSIVE_LEVEL is needed for Unload; the last close and the last detach are there.
void unload_if_possible(PDRIVER_OBJECT driver) noexcept {
    const DriverState& state = state_of(driver);
    if (!state.unload_pending || state.unload_called || in_use(driver)) return;
    call_unload_in_system_thread(driver);
}

void hold_driver(PVOID object) noexcept {
    ob::reference(object);
    ++state_of(driver_of(object)).work_items;
}

void release_driver(PVOID object) noexcept {
    --state_of(driver_of(object)).work_items;
    ob::dereference(object);
}

void destroy_driver(void* body) noexcept {
    auto* driver = static_cast<PDRIVER_OBJECT>(body);
    free_string(driver->DriverName);
    DriverState& state = *reinterpret_cast<DriverState*>(driver + 1);
    free_string(state.extension.ServiceKeyName);
    free_extensions(state);
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoAllocateDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress,
                                               ULONG DriverObjectExtensionSize, PVOID* DriverObjectExtension) {
    DIRQL_DOOR(IoAllocateDriverObjectExtension);
    *DriverObjectExtension = nullptr;
    if (IoGetDriverObjectExtension(DriverObject, ClientIdentificationAddress) != nullptr)
        return STATUS_OBJECT_NAME_COLLISION;
    auto* extension = static_cast<DriverExtension*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(DriverExtension) + DriverObjectExtensionSize, 'virD'));
    if (extension == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    std::memset(extension->data, 0, DriverObjectExtensionSize);
    extension->id = ClientIdentificationAddress;
    InsertTailList(&state_of(DriverObject).extensions, &extension->entry);
    *DriverObjectExtension = extension->data;
    return STATUS_SUCCESS;
}

PVOID NTAPI IoGetDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress) {
    DIRQL_DOOR(IoGetDriverObjectExtension);
    LIST_ENTRY& list = state_of(DriverObject).extensions;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* extension = CONTAINING_RECORD(e, DriverExtension, entry);
        if (extension->id == ClientIdentificationAddress) return extension->data;
    }
    return nullptr;
}
}
