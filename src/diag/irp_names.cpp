// The functions of IRPs, device types, control codes, IRQLs.
#include "diag/names.hpp"

#include <array>
#include <span>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

struct Function {
    std::uint8_t value;
    std::string_view name;
};

#define FUNCTION(Name) \
    { Name, #Name }

constexpr Function majors[] = {
    FUNCTION(IRP_MJ_CREATE),
    FUNCTION(IRP_MJ_CREATE_NAMED_PIPE),
    FUNCTION(IRP_MJ_CLOSE),
    FUNCTION(IRP_MJ_READ),
    FUNCTION(IRP_MJ_WRITE),
    FUNCTION(IRP_MJ_QUERY_INFORMATION),
    FUNCTION(IRP_MJ_SET_INFORMATION),
    FUNCTION(IRP_MJ_QUERY_EA),
    FUNCTION(IRP_MJ_SET_EA),
    FUNCTION(IRP_MJ_FLUSH_BUFFERS),
    FUNCTION(IRP_MJ_QUERY_VOLUME_INFORMATION),
    FUNCTION(IRP_MJ_SET_VOLUME_INFORMATION),
    FUNCTION(IRP_MJ_DIRECTORY_CONTROL),
    FUNCTION(IRP_MJ_FILE_SYSTEM_CONTROL),
    FUNCTION(IRP_MJ_DEVICE_CONTROL),
    FUNCTION(IRP_MJ_INTERNAL_DEVICE_CONTROL),
    FUNCTION(IRP_MJ_SHUTDOWN),
    FUNCTION(IRP_MJ_LOCK_CONTROL),
    FUNCTION(IRP_MJ_CLEANUP),
    FUNCTION(IRP_MJ_CREATE_MAILSLOT),
    FUNCTION(IRP_MJ_QUERY_SECURITY),
    FUNCTION(IRP_MJ_SET_SECURITY),
    FUNCTION(IRP_MJ_POWER),
    FUNCTION(IRP_MJ_SYSTEM_CONTROL),
    FUNCTION(IRP_MJ_DEVICE_CHANGE),
    FUNCTION(IRP_MJ_QUERY_QUOTA),
    FUNCTION(IRP_MJ_SET_QUOTA),
    FUNCTION(IRP_MJ_PNP),
};

constexpr Function internal_control_minors[] = {
    FUNCTION(IRP_MN_SCSI_CLASS),
};

constexpr Function directory_minors[] = {
    FUNCTION(IRP_MN_QUERY_DIRECTORY),
    FUNCTION(IRP_MN_NOTIFY_CHANGE_DIRECTORY),
    FUNCTION(IRP_MN_NOTIFY_CHANGE_DIRECTORY_EX),
};

constexpr Function file_system_control_minors[] = {
    FUNCTION(IRP_MN_USER_FS_REQUEST),  FUNCTION(IRP_MN_MOUNT_VOLUME), FUNCTION(IRP_MN_VERIFY_VOLUME),
    FUNCTION(IRP_MN_LOAD_FILE_SYSTEM), FUNCTION(IRP_MN_TRACK_LINK),
};

constexpr Function lock_minors[] = {
    FUNCTION(IRP_MN_LOCK),
    FUNCTION(IRP_MN_UNLOCK_SINGLE),
    FUNCTION(IRP_MN_UNLOCK_ALL),
    FUNCTION(IRP_MN_UNLOCK_ALL_BY_KEY),
};

constexpr Function flush_minors[] = {
    FUNCTION(IRP_MN_FLUSH_AND_PURGE),
    FUNCTION(IRP_MN_FLUSH_DATA_ONLY),
    FUNCTION(IRP_MN_FLUSH_NO_SYNC),
    FUNCTION(IRP_MN_FLUSH_DATA_SYNC_ONLY),
};

constexpr Function read_write_minors[] = {
    FUNCTION(IRP_MN_DPC),
    FUNCTION(IRP_MN_MDL),
    FUNCTION(IRP_MN_COMPLETE),
    FUNCTION(IRP_MN_COMPRESSED),
    FUNCTION(IRP_MN_MDL_DPC),
    FUNCTION(IRP_MN_COMPLETE_MDL),
    FUNCTION(IRP_MN_COMPLETE_MDL_DPC),
};

constexpr Function pnp_minors[] = {
    FUNCTION(IRP_MN_START_DEVICE),
    FUNCTION(IRP_MN_QUERY_REMOVE_DEVICE),
    FUNCTION(IRP_MN_REMOVE_DEVICE),
    FUNCTION(IRP_MN_CANCEL_REMOVE_DEVICE),
    FUNCTION(IRP_MN_STOP_DEVICE),
    FUNCTION(IRP_MN_QUERY_STOP_DEVICE),
    FUNCTION(IRP_MN_CANCEL_STOP_DEVICE),
    FUNCTION(IRP_MN_QUERY_DEVICE_RELATIONS),
    FUNCTION(IRP_MN_QUERY_INTERFACE),
    FUNCTION(IRP_MN_QUERY_CAPABILITIES),
    FUNCTION(IRP_MN_QUERY_RESOURCES),
    FUNCTION(IRP_MN_QUERY_RESOURCE_REQUIREMENTS),
    FUNCTION(IRP_MN_QUERY_DEVICE_TEXT),
    FUNCTION(IRP_MN_FILTER_RESOURCE_REQUIREMENTS),
    FUNCTION(IRP_MN_READ_CONFIG),
    FUNCTION(IRP_MN_WRITE_CONFIG),
    FUNCTION(IRP_MN_EJECT),
    FUNCTION(IRP_MN_SET_LOCK),
    FUNCTION(IRP_MN_QUERY_ID),
    FUNCTION(IRP_MN_QUERY_PNP_DEVICE_STATE),
    FUNCTION(IRP_MN_QUERY_BUS_INFORMATION),
    FUNCTION(IRP_MN_DEVICE_USAGE_NOTIFICATION),
    FUNCTION(IRP_MN_SURPRISE_REMOVAL),
    FUNCTION(IRP_MN_DEVICE_ENUMERATED),
    FUNCTION(IRP_MN_QUERY_LEGACY_BUS_INFORMATION),
};

constexpr Function power_minors[] = {
    FUNCTION(IRP_MN_WAIT_WAKE),
    FUNCTION(IRP_MN_POWER_SEQUENCE),
    FUNCTION(IRP_MN_SET_POWER),
    FUNCTION(IRP_MN_QUERY_POWER),
};

constexpr Function system_control_minors[] = {
    FUNCTION(IRP_MN_QUERY_ALL_DATA),
    FUNCTION(IRP_MN_QUERY_SINGLE_INSTANCE),
    FUNCTION(IRP_MN_CHANGE_SINGLE_INSTANCE),
    FUNCTION(IRP_MN_CHANGE_SINGLE_ITEM),
    FUNCTION(IRP_MN_ENABLE_EVENTS),
    FUNCTION(IRP_MN_DISABLE_EVENTS),
    FUNCTION(IRP_MN_ENABLE_COLLECTION),
    FUNCTION(IRP_MN_DISABLE_COLLECTION),
    FUNCTION(IRP_MN_REGINFO),
    FUNCTION(IRP_MN_EXECUTE_METHOD),
    FUNCTION(IRP_MN_REGINFO_EX),
};

#undef FUNCTION

struct Minors {
    std::uint8_t major;
    std::span<const Function> functions;
};

constexpr Minors minors[] = {
    {IRP_MJ_READ, read_write_minors},
    {IRP_MJ_WRITE, read_write_minors},
    {IRP_MJ_FLUSH_BUFFERS, flush_minors},
    {IRP_MJ_DIRECTORY_CONTROL, directory_minors},
    {IRP_MJ_FILE_SYSTEM_CONTROL, file_system_control_minors},
    {IRP_MJ_INTERNAL_DEVICE_CONTROL, internal_control_minors},
    {IRP_MJ_LOCK_CONTROL, lock_minors},
    {IRP_MJ_POWER, power_minors},
    {IRP_MJ_SYSTEM_CONTROL, system_control_minors},
    {IRP_MJ_PNP, pnp_minors},
};

struct DeviceType {
    std::uint32_t value;
    std::string_view name;
};

#define TYPE(Name) \
    { Name, #Name }
constexpr DeviceType device_types[] = {
    TYPE(FILE_DEVICE_BEEP),
    TYPE(FILE_DEVICE_CD_ROM),
    TYPE(FILE_DEVICE_CD_ROM_FILE_SYSTEM),
    TYPE(FILE_DEVICE_CONTROLLER),
    TYPE(FILE_DEVICE_DATALINK),
    TYPE(FILE_DEVICE_DFS),
    TYPE(FILE_DEVICE_DISK),
    TYPE(FILE_DEVICE_DISK_FILE_SYSTEM),
    TYPE(FILE_DEVICE_FILE_SYSTEM),
    TYPE(FILE_DEVICE_INPORT_PORT),
    TYPE(FILE_DEVICE_KEYBOARD),
    TYPE(FILE_DEVICE_MAILSLOT),
    TYPE(FILE_DEVICE_MIDI_IN),
    TYPE(FILE_DEVICE_MIDI_OUT),
    TYPE(FILE_DEVICE_MOUSE),
    TYPE(FILE_DEVICE_MULTI_UNC_PROVIDER),
    TYPE(FILE_DEVICE_NAMED_PIPE),
    TYPE(FILE_DEVICE_NETWORK),
    TYPE(FILE_DEVICE_NETWORK_BROWSER),
    TYPE(FILE_DEVICE_NETWORK_FILE_SYSTEM),
    TYPE(FILE_DEVICE_NULL),
    TYPE(FILE_DEVICE_PARALLEL_PORT),
    TYPE(FILE_DEVICE_PHYSICAL_NETCARD),
    TYPE(FILE_DEVICE_PRINTER),
    TYPE(FILE_DEVICE_SCANNER),
    TYPE(FILE_DEVICE_SERIAL_MOUSE_PORT),
    TYPE(FILE_DEVICE_SERIAL_PORT),
    TYPE(FILE_DEVICE_SCREEN),
    TYPE(FILE_DEVICE_SOUND),
    TYPE(FILE_DEVICE_STREAMS),
    TYPE(FILE_DEVICE_TAPE),
    TYPE(FILE_DEVICE_TAPE_FILE_SYSTEM),
    TYPE(FILE_DEVICE_TRANSPORT),
    TYPE(FILE_DEVICE_UNKNOWN),
    TYPE(FILE_DEVICE_VIDEO),
    TYPE(FILE_DEVICE_VIRTUAL_DISK),
    TYPE(FILE_DEVICE_WAVE_IN),
    TYPE(FILE_DEVICE_WAVE_OUT),
    TYPE(FILE_DEVICE_8042_PORT),
    TYPE(FILE_DEVICE_NETWORK_REDIRECTOR),
    TYPE(FILE_DEVICE_BATTERY),
    TYPE(FILE_DEVICE_BUS_EXTENDER),
    TYPE(FILE_DEVICE_MODEM),
    TYPE(FILE_DEVICE_VDM),
    TYPE(FILE_DEVICE_MASS_STORAGE),
    TYPE(FILE_DEVICE_SMB),
    TYPE(FILE_DEVICE_KS),
    TYPE(FILE_DEVICE_CHANGER),
    TYPE(FILE_DEVICE_SMARTCARD),
    TYPE(FILE_DEVICE_ACPI),
    TYPE(FILE_DEVICE_DVD),
    TYPE(FILE_DEVICE_FULLSCREEN_VIDEO),
    TYPE(FILE_DEVICE_DFS_FILE_SYSTEM),
    TYPE(FILE_DEVICE_DFS_VOLUME),
    TYPE(FILE_DEVICE_SERENUM),
    TYPE(FILE_DEVICE_TERMSRV),
    TYPE(FILE_DEVICE_KSEC),
    TYPE(FILE_DEVICE_FIPS),
    TYPE(FILE_DEVICE_INFINIBAND),
    TYPE(FILE_DEVICE_VMBUS),
    TYPE(FILE_DEVICE_CRYPT_PROVIDER),
    TYPE(FILE_DEVICE_WPD),
    TYPE(FILE_DEVICE_BLUETOOTH),
    TYPE(FILE_DEVICE_MT_COMPOSITE),
    TYPE(FILE_DEVICE_MT_TRANSPORT),
    TYPE(FILE_DEVICE_BIOMETRIC),
    TYPE(FILE_DEVICE_PMI),
    TYPE(FILE_DEVICE_EHSTOR),
    TYPE(FILE_DEVICE_DEVAPI),
    TYPE(FILE_DEVICE_GPIO),
    TYPE(FILE_DEVICE_USBEX),
    TYPE(FILE_DEVICE_CONSOLE),
    TYPE(FILE_DEVICE_NFP),
    TYPE(FILE_DEVICE_SYSENV),
    TYPE(FILE_DEVICE_VIRTUAL_BLOCK),
    TYPE(FILE_DEVICE_POINT_OF_SERVICE),
    TYPE(FILE_DEVICE_STORAGE_REPLICATION),
    TYPE(FILE_DEVICE_TRUST_ENV),
    TYPE(FILE_DEVICE_UCM),
    TYPE(FILE_DEVICE_UCMTCPCI),
    TYPE(FILE_DEVICE_PERSISTENT_MEMORY),
    TYPE(FILE_DEVICE_NVDIMM),
    TYPE(FILE_DEVICE_HOLOGRAPHIC),
    TYPE(FILE_DEVICE_SDFXHCI),
    TYPE(FILE_DEVICE_UCMUCSI),
    TYPE(FILE_DEVICE_PRM),
    TYPE(FILE_DEVICE_EVENT_COLLECTOR),
    TYPE(FILE_DEVICE_USB4),
    TYPE(FILE_DEVICE_SOUNDWIRE),
};
#undef TYPE

template <class Table, class Value> std::string_view look_up(const Table& table, Value value) noexcept {
    for (const auto& entry : table) {
        if (entry.value == value) return entry.name;
    }
    return {};
}

constexpr std::string_view methods[] = {"METHOD_BUFFERED", "METHOD_IN_DIRECT", "METHOD_OUT_DIRECT", "METHOD_NEITHER"};
constexpr std::string_view accesses[] = {"FILE_ANY_ACCESS", "FILE_READ_ACCESS", "FILE_WRITE_ACCESS",
                                         "FILE_READ_ACCESS | FILE_WRITE_ACCESS"};

// By DISPATCHER_HEADER::Type, which for these is NT's KOBJECTS.
constexpr std::string_view dispatcher_types[] = {"a notification event",
                                                 "a synchronization event",
                                                 "a mutex",
                                                 "a process",
                                                 "a queue",
                                                 "a semaphore",
                                                 "a thread",
                                                 "a gate",
                                                 "a notification timer",
                                                 "a synchronization timer"};

} // namespace

std::string_view major_name(std::uint8_t major) noexcept { return look_up(majors, major); }

std::string_view minor_name(std::uint8_t major, std::uint8_t minor) noexcept {
    for (const Minors& known : minors) {
        if (known.major == major) return look_up(known.functions, minor);
    }
    return {};
}

std::string_view device_type_name(std::uint32_t type) noexcept { return look_up(device_types, type); }

std::string_view dispatcher_type_name(std::uint8_t type) noexcept {
    return type < std::size(dispatcher_types) ? dispatcher_types[type]
                                              : std::string_view{"something that is no dispatcher object"};
}

std::string irql_text(std::uint8_t irql) {
    switch (irql) {
    case PASSIVE_LEVEL: return "PASSIVE_LEVEL";
    case APC_LEVEL: return "APC_LEVEL";
    case DISPATCH_LEVEL: return "DISPATCH_LEVEL";
    case CLOCK_LEVEL: return "CLOCK_LEVEL";
    case IPI_LEVEL: return "IPI_LEVEL";
    case HIGH_LEVEL: return "HIGH_LEVEL";
    default: return irql < CLOCK_LEVEL ? fmt::format("DIRQL {}", irql) : fmt::format("IRQL {}", irql);
    }
}

std::string function_text(std::uint8_t major, std::uint8_t minor) {
    const std::string_view known = major_name(major);
    const std::string name = known.empty() ? fmt::format("IRP_MJ_0x{:02X}", major) : std::string(known);
    const std::string_view detail = minor_name(major, minor);
    if (!detail.empty()) return fmt::format("{}/{}", name, detail);
    return minor == 0 ? name : fmt::format("{}/0x{:02X}", name, minor);
}

std::string control_code_text(std::uint32_t value) {
    const ControlCode code(value);
    const std::string_view known = device_type_name(code.device_type);
    const std::string type = known.empty() ? fmt::format("device type 0x{:X}", code.device_type) : std::string(known);
    return fmt::format("{}, function 0x{:X}, {}, {}", type, code.function, methods[code.method], accesses[code.access]);
}

} // namespace dirql::diag
