// Driver objects: loading, unloading.
//
// Unloading follows the documents: opens fail from the start; the Unload routine runs when no device of the driver has an open
// file or an attachment; a device that Unload leaves behind keeps the image loaded.
#pragma once

#include "ke/machine.hpp"

#include <ntifs.h>

#include <cstddef>
#include <string_view>

namespace dirql::io {

// What io keeps behind each DRIVER_OBJECT.
struct DriverState {
    DRIVER_EXTENSION extension; // what DRIVER_OBJECT::DriverExtension points at
    LIST_ENTRY entry;           // State::drivers
    LIST_ENTRY extensions;      // IoAllocateDriverObjectExtension
    bool unload_pending;
    bool unload_called;
    ULONG work_items; // of the driver or its devices, queued or running; and what else holds the image beyond Unload:
                      // completion routines of IoSetCompletionRoutineEx, threads of IoCreateSystemThread
    UNICODE_STRING hardware_database; // what DRIVER_OBJECT::HardwareDatabase points at, for drivers to read
    KEVENT unloaded;                  // signalled when the Unload routine has returned
    ke::CodeRange code;
};

[[nodiscard]] inline DriverState& state_of(PDRIVER_OBJECT driver) noexcept {
    return *CONTAINING_RECORD(driver->DriverExtension, DriverState, extension);
}

// Of a device or driver object.
[[nodiscard]] inline PDRIVER_OBJECT driver_of(PVOID object) noexcept {
    auto* device = static_cast<PDEVICE_OBJECT>(object);
    return device->Type == IO_TYPE_DEVICE ? device->DriverObject : static_cast<PDRIVER_OBJECT>(object);
}

// Keeps a device or driver object, and the driver's image beyond its Unload routine, until the second is called.
void hold_driver(PVOID object) noexcept;
void release_driver(PVOID object) noexcept;

struct DriverImage {
    std::u16string_view name; // without a path: \Driver\<name>
    PDRIVER_INITIALIZE entry;
    void* base;
    std::size_t size;
    ke::CodeRange code;
};

// Creates the driver object and calls DriverEntry. PASSIVE_LEVEL, on a system thread. On failure the status is DriverEntry's or that
// of the step that failed, and the object is gone again (null), unless DriverEntry left devices behind: they keep object and image.
[[nodiscard]] NTSTATUS load_driver(const DriverImage& image, PDRIVER_OBJECT* driver) noexcept;

// What is left of a driver after an attempt to unload it.
enum class UnloadResult : std::uint8_t {
    unloaded,
    no_unload_routine, // STATUS_INVALID_DEVICE_REQUEST: it stays
    pending,           // a device is still open or attached to: Unload runs when the last one goes
    devices_left,      // Unload left devices behind: the image stays
};
[[nodiscard]] UnloadResult unload_driver(PDRIVER_OBJECT driver) noexcept;

// The last reference to a device of a driver that is to be unloaded went: Unload can run now. It runs in a system thread, and the
// caller waits for it.
void unload_if_possible(PDRIVER_OBJECT driver) noexcept;

} // namespace dirql::io
