// Who may open a device.
#pragma once

#include <ntifs.h>

namespace dirql::io {

// The descriptor of a device for which its driver asked for none, by type and characteristics. Null when memory is short.
[[nodiscard]] PSECURITY_DESCRIPTOR default_device_descriptor(DEVICE_TYPE type, ULONG characteristics) noexcept;

struct NewDevice {
    PDRIVER_OBJECT driver;
    ULONG extension_size;
    DEVICE_TYPE type;
    ULONG characteristics;
    bool exclusive;
    PSECURITY_DESCRIPTOR
        descriptor; // null: the default one. Else the device's from now on, whatever becomes of the call
};

// IoCreateDevice.
[[nodiscard]] NTSTATUS create_device(const NewDevice& wanted, PUNICODE_STRING name, PDEVICE_OBJECT* result) noexcept;

// What an administrator wrote for the devices of a class; it comes before what the driver asks for.
struct DeviceClassSettings {
    PSECURITY_DESCRIPTOR descriptor; // null: none. In pool memory; the asker frees it
    const DEVICE_TYPE* type;         // null: none
    const ULONG* characteristics;
    const BOOLEAN* exclusive;
};

} // namespace dirql::io
