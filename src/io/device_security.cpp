#include "io/device_security.hpp"

#include "io/state.hpp"
#include "io/types.hpp"
#include "ke/exports/se.hpp"
#include "ob/capture.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "rtl/sid.hpp"
#include "se/descriptor.hpp"

#include <wdmsec.h>

namespace dirql::io {
namespace {

// "For most device types and characteristics" (Controlling Device Access).
constexpr std::u16string_view open_to_all = u"O:BAG:SYD:(A;;GRGWGX;;;WD)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGX;;;RC)";
// Disks, tapes and file systems: files on them have descriptors of their own, and the way there is all that everybody gets.
constexpr std::u16string_view way_through = u"O:BAG:SYD:(A;;GX;;;WD)(A;;GA;;;SY)(A;;GA;;;BA)(A;;GX;;;RC)";

std::u16string_view default_text(DEVICE_TYPE type, ULONG characteristics) noexcept {
    switch (type) {
    case FILE_DEVICE_DISK_FILE_SYSTEM:
    case FILE_DEVICE_CD_ROM_FILE_SYSTEM:
    case FILE_DEVICE_TAPE_FILE_SYSTEM:
    case FILE_DEVICE_FILE_SYSTEM:
    case FILE_DEVICE_TAPE: return way_through;
    case FILE_DEVICE_DISK:
    case FILE_DEVICE_VIRTUAL_DISK: return (characteristics & FILE_FLOPPY_DISKETTE) != 0 ? open_to_all : way_through;
    default: return open_to_all;
    }
}

// A driver's text gives the list only; whose the device is stays as for any other.
NTSTATUS descriptor_of_driver(const UNICODE_STRING& text, PSECURITY_DESCRIPTOR* result) noexcept {
    PSECURITY_DESCRIPTOR given = nullptr;
    const NTSTATUS status = se::make_descriptor(ob::view(text), rtl::Sddl::device_object, &given);
    if (!NT_SUCCESS(status)) return status;
    rtl::DescriptorParts parts = rtl::parts_of(given);
    parts.owner = rtl::sids::administrators.get();
    parts.group = rtl::sids::local_system.get();
    *result = se::make_descriptor(parts);
    se::free_descriptor(given);
    if (*result == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    se::map_generic_rights(*result, device_type.mapping);
    return STATUS_SUCCESS;
}

void apply_class(const GUID* device_class, NewDevice& wanted) noexcept {
    auto* settings_of = state().device_class_settings;
    if (device_class == nullptr || settings_of == nullptr) return;
    DeviceClassSettings settings{};
    if (!settings_of(*device_class, settings)) return;
    if (settings.descriptor != nullptr) {
        se::free_descriptor(wanted.descriptor);
        wanted.descriptor = settings.descriptor;
    }
    if (settings.type != nullptr) wanted.type = *settings.type;
    if (settings.characteristics != nullptr) wanted.characteristics |= *settings.characteristics;
    if (settings.exclusive != nullptr) wanted.exclusive = *settings.exclusive != FALSE;
}

// What the handle grants by which the request came: the service has written it to the location.
NTSTATUS validate_control_access(PIRP irp, ULONG required) noexcept {
    static_assert(FILE_READ_DATA == FILE_READ_ACCESS && FILE_WRITE_DATA == FILE_WRITE_ACCESS);
    if ((required & ~ULONG{FILE_READ_ACCESS | FILE_WRITE_ACCESS}) != 0) return STATUS_INVALID_PARAMETER;
    const IO_STACK_LOCATION& location = *IoGetCurrentIrpStackLocation(irp);
    if (location.MajorFunction != IRP_MJ_DEVICE_CONTROL && location.MajorFunction != IRP_MJ_FILE_SYSTEM_CONTROL)
        return STATUS_INVALID_PARAMETER;
    if (irp->RequestorMode == KernelMode) return STATUS_SUCCESS;
    return (ob::data_flags_of(required) & ~location.Flags) == 0 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

} // namespace

PSECURITY_DESCRIPTOR default_device_descriptor(DEVICE_TYPE type, ULONG characteristics) noexcept {
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    if (!NT_SUCCESS(se::make_descriptor(default_text(type, characteristics), rtl::Sddl::full, &descriptor)))
        return nullptr;
    se::map_generic_rights(descriptor, device_type.mapping);
    return descriptor;
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

#define DIRQL_SDDL_CONSTANT(Name, Text) \
    extern "C" __attribute__((visibility("default"))) constexpr UNICODE_STRING Name{ \
        sizeof(Text) - sizeof(WCHAR), sizeof(Text), const_cast<PWSTR>(Text)};
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_KERNEL_ONLY, u"D:P")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL, u"D:P(A;;GA;;;SY)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_ALL, u"D:P(A;;GA;;;SY)(A;;GA;;;BA)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_RX, u"D:P(A;;GA;;;SY)(A;;GRGX;;;BA)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R, u"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_R_RES_R,
                    u"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GR;;;WD)(A;;GR;;;RC)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RW_RES_R,
                    u"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGW;;;WD)(A;;GR;;;RC)")
DIRQL_SDDL_CONSTANT(SDDL_DEVOBJ_SYS_ALL_ADM_RWX_WORLD_RWX_RES_RWX,
                    u"D:P(A;;GA;;;SY)(A;;GRGWGX;;;BA)(A;;GRGWGX;;;WD)(A;;GRGWGX;;;RC)")

extern "C" {

// STATUS_INVALID_PARAMETER: no name, or text that is none of the language's subset for devices.
NTSTATUS NTAPI WdmlibIoCreateDeviceSecure(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize,
                                          PUNICODE_STRING DeviceName, DEVICE_TYPE DeviceType,
                                          ULONG DeviceCharacteristics, BOOLEAN Exclusive,
                                          PCUNICODE_STRING DefaultSDDLString, LPCGUID DeviceClassGuid,
                                          PDEVICE_OBJECT* DeviceObject) {
    DIRQL_DOOR(WdmlibIoCreateDeviceSecure);
    *DeviceObject = nullptr;
    if (DefaultSDDLString == nullptr) return STATUS_INVALID_PARAMETER;
    if (DeviceName == nullptr && (DeviceCharacteristics & FILE_AUTOGENERATED_DEVICE_NAME) == 0)
        return STATUS_INVALID_PARAMETER;
    NewDevice wanted{DriverObject, DeviceExtensionSize, DeviceType, DeviceCharacteristics, Exclusive != FALSE, nullptr};
    const NTSTATUS status = descriptor_of_driver(*DefaultSDDLString, &wanted.descriptor);
    if (!NT_SUCCESS(status)) return status;
    apply_class(DeviceClassGuid, wanted);
    return create_device(wanted, DeviceName, DeviceObject);
}

NTSTATUS NTAPI WdmlibRtlInitUnicodeStringEx(PUNICODE_STRING DestinationString, PCWSTR SourceString) {
    DIRQL_DOOR(WdmlibRtlInitUnicodeStringEx);
    return RtlInitUnicodeStringEx(DestinationString, SourceString);
}

NTSTATUS NTAPI IoValidateDeviceIoControlAccess(PIRP Irp, ULONG RequiredAccess) {
    DIRQL_DOOR(IoValidateDeviceIoControlAccess);
    return validate_control_access(Irp, RequiredAccess);
}

NTSTATUS NTAPI WdmlibIoValidateDeviceIoControlAccess(PIRP Irp, ULONG RequiredAccess) {
    DIRQL_DOOR(WdmlibIoValidateDeviceIoControlAccess);
    return validate_control_access(Irp, RequiredAccess);
}
}
