// Device objects: what io keeps beside each, stacks of devices, and the way a device goes away.
//
// A device's body is DEVICE_OBJECT, the driver's device extension, then DeviceState. IoDeleteDevice takes the device from its
// driver and its name from the namespace at once; the body goes when no handle, attachment or pointer reference is left.
#pragma once

#include <ntifs.h>

namespace dirql::io {

struct DeviceState {
    DEVOBJ_EXTENSION header;    // what DEVICE_OBJECT::DeviceObjectExtension points at
    PDEVICE_OBJECT attached_to; // the device below
    bool delete_pending;
    bool unlinked; // no longer among its driver's devices
    bool shutdown_registered;
    LIST_ENTRY shutdown_entry;
};

[[nodiscard]] inline DeviceState& state_of(PDEVICE_OBJECT device) noexcept {
    return *CONTAINING_RECORD(device->DeviceObjectExtension, DeviceState, header);
}

[[nodiscard]] inline PDEVICE_OBJECT top_of_stack(PDEVICE_OBJECT device) noexcept {
    while (device->AttachedDevice != nullptr) device = device->AttachedDevice;
    return device;
}

// An open file or an attachment holds the device. The last one to let go of a deleted device frees it.
void reference_device(PDEVICE_OBJECT device) noexcept;
void dereference_device(PDEVICE_OBJECT device) noexcept;

// timer.cpp
void delete_timer(PDEVICE_OBJECT device) noexcept;
[[nodiscard]] bool timer_running(PDEVICE_OBJECT device) noexcept;

} // namespace dirql::io
