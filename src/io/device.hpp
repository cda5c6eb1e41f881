// Device objects: what io keeps beside each, stacks of devices, and the way a device goes away.
//
// A device's body is DEVICE_OBJECT, the driver's device extension, then DeviceState. IoDeleteDevice takes the device from its
// driver and its name from the namespace at once; the body goes when no handle, attachment or pointer reference is left.
#pragma once

#include <ntifs.h>

#include <cstdint>

namespace dirql::io {

// IRP_MJ_SHUTDOWN comes before the file systems are flushed, or after.
enum ShutdownRound : std::uint8_t { before_flush, last_chance };

// What IoStartNextPacket(ByKey) was asked for.
struct NextPacket {
    bool cancelable;
    bool by_key;
    ULONG key;
};

// IoSetStartIoAttributes.
struct StartIoState {
    bool deferred;       // StartIo is not called while it runs
    bool non_cancelable; // what it is called with has no cancel routine
    bool running;        // deferred: a call is under way
    bool next_wanted;    // and the next packet was asked for meanwhile
    NextPacket next;
};

struct DeviceState {
    DEVOBJ_EXTENSION header;    // what DEVICE_OBJECT::DeviceObjectExtension points at
    PDEVICE_OBJECT attached_to; // the device below
    bool delete_pending;
    bool unlinked;          // no longer among its driver's devices
    LIST_ENTRY shutdown[2]; // by ShutdownRound; null links: not registered
    StartIoState start_io;
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

// shutdown.cpp
void unregister_shutdown(PDEVICE_OBJECT device) noexcept;

// timer.cpp
void delete_timer(PDEVICE_OBJECT device) noexcept;
[[nodiscard]] bool timer_running(PDEVICE_OBJECT device) noexcept;

} // namespace dirql::io
