// IoCheckFunctionAccess: would a handle with these rights be good for this request? For servers that do I/O on others' behalf.
#include "io/information_classes.hpp"
#include "ke/exports/io_file.hpp"

namespace dirql::io {
namespace {

struct Asked {
    UCHAR major;
    ULONG code;         // of a control request
    const void* first;  // FILE_INFORMATION_CLASS of a request for a file's information, SECURITY_INFORMATION
    const void* second; // FS_INFORMATION_CLASS of one for a volume's
};

FILE_INFORMATION_CLASS file_class(const Asked& asked) noexcept {
    return *static_cast<const FILE_INFORMATION_CLASS*>(asked.first);
}
FS_INFORMATION_CLASS volume_class(const Asked& asked) noexcept {
    return *static_cast<const FS_INFORMATION_CLASS*>(asked.second);
}

ACCESS_MASK security_access(const Asked& asked) noexcept {
    const SECURITY_INFORMATION parts = *static_cast<const SECURITY_INFORMATION*>(asked.first);
    const bool query = asked.major == IRP_MJ_QUERY_SECURITY;
    ACCESS_MASK needed = 0;
    if ((parts & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION)) != 0)
        needed |= query ? READ_CONTROL : WRITE_OWNER;
    if ((parts & DACL_SECURITY_INFORMATION) != 0) needed |= query ? READ_CONTROL : WRITE_DAC;
    if ((parts & SACL_SECURITY_INFORMATION) != 0) needed |= ACCESS_SYSTEM_SECURITY;
    return needed;
}

constexpr ACCESS_MASK appends = FILE_WRITE_DATA | FILE_APPEND_DATA;

// One of these rights is needed, whichever.
ACCESS_MASK any_of(const Asked& asked) noexcept {
    switch (asked.major) {
    case IRP_MJ_WRITE:
    case IRP_MJ_FLUSH_BUFFERS: return appends;
    case IRP_MJ_LOCK_CONTROL: return FILE_READ_DATA | FILE_WRITE_DATA;
    default: return 0;
    }
}

// All of these.
ACCESS_MASK all_of(const Asked& asked) noexcept {
    switch (asked.major) {
    case IRP_MJ_READ: return FILE_READ_DATA;
    case IRP_MJ_QUERY_INFORMATION: return query_rule(file_class(asked)).access;
    case IRP_MJ_SET_INFORMATION: return set_rule(file_class(asked)).access;
    case IRP_MJ_QUERY_EA: return FILE_READ_EA;
    case IRP_MJ_SET_EA: return FILE_WRITE_EA;
    case IRP_MJ_QUERY_VOLUME_INFORMATION: return volume_query_rule(volume_class(asked)).access;
    case IRP_MJ_SET_VOLUME_INFORMATION: return volume_set_rule(volume_class(asked)).access;
    case IRP_MJ_DIRECTORY_CONTROL: return FILE_LIST_DIRECTORY;
    case IRP_MJ_FILE_SYSTEM_CONTROL:
    case IRP_MJ_DEVICE_CONTROL:
    case IRP_MJ_INTERNAL_DEVICE_CONTROL: return asked.code >> 14 & 3; // FILE_READ_ACCESS, FILE_WRITE_ACCESS
    case IRP_MJ_QUERY_SECURITY:
    case IRP_MJ_SET_SECURITY: return security_access(asked);
    default: return 0;
    }
}

} // namespace
} // namespace dirql::io

using namespace dirql::io;

extern "C" NTSTATUS NTAPI IoCheckFunctionAccess(ACCESS_MASK GrantedAccess, UCHAR MajorFunction, UCHAR MinorFunction,
                                                ULONG IoControlCode, PVOID Argument1, PVOID Argument2) {
    DIRQL_DOOR(IoCheckFunctionAccess);
    UNREFERENCED_PARAMETER(MinorFunction);
    const Asked asked{MajorFunction, IoControlCode, Argument1, Argument2};
    const ACCESS_MASK any = any_of(asked);
    const bool good = (all_of(asked) & ~GrantedAccess) == 0 && (any == 0 || (any & GrantedAccess) != 0);
    return good ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}
