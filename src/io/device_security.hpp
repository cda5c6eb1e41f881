// Who may open a device.
#pragma once

#include "ob/object_type.hpp"

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

// May the caller of this open have what it asks for? A name below the device is its driver's to judge, unless the device at the top
// of the stack has FILE_DEVICE_SECURE_OPEN (Controlling Device Namespace Access).
[[nodiscard]] NTSTATUS check_open_access(PDEVICE_OBJECT device, ob::ParseRequest& request) noexcept;

// Procedures of the types. A file that is the device itself has the device's descriptor; of others the driver is asked.
PSECURITY_DESCRIPTOR device_descriptor(void* device) noexcept;
PSECURITY_DESCRIPTOR file_descriptor(void* file) noexcept;
NTSTATUS device_security(ob::SecurityRequest& request) noexcept;
NTSTATUS file_security(ob::SecurityRequest& request) noexcept;

// What an administrator wrote for the devices of a class; it comes before what the driver asks for.
struct DeviceClassSettings {
    PSECURITY_DESCRIPTOR descriptor; // null: none. In pool memory; the asker frees it
    const DEVICE_TYPE* type;         // null: none
    const ULONG* characteristics;
    const BOOLEAN* exclusive;
};

} // namespace dirql::io
