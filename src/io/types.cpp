#include "io/types.hpp"

#include "io/device_security.hpp"
#include "io/file.hpp"

namespace dirql::io {

const ob::ObjectType device_type{
    .name = u"Device",
    .index = ob::TypeIndex::device,
    .mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS},
    .valid_access = FILE_ALL_ACCESS,
    .case_insensitive = true,
    .destroy = destroy_device,
    .parse = open_file,
    .descriptor = device_descriptor,
    .security = device_security,
};

const ob::ObjectType driver_type{
    .name = u"Driver",
    .index = ob::TypeIndex::driver,
    .mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS},
    .valid_access = FILE_ALL_ACCESS,
    .case_insensitive = true,
    .destroy = destroy_driver,
};

// Waiting for a file waits for its event. The last reference sends IRP_MJ_CLOSE, which is for PASSIVE_LEVEL.
const ob::ObjectType file_type{
    .name = u"File",
    .index = ob::TypeIndex::file,
    .mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS},
    .valid_access = FILE_ALL_ACCESS,
    .wait_offset = offsetof(FILE_OBJECT, Event),
    .delete_at_passive = true,
    .case_insensitive = true,
    .open = file_handle_opened,
    .close = file_handle_closed,
    .destroy = destroy_file,
    .parse = open_relative_file,
    .descriptor = file_descriptor,
    .security = file_security,
};

} // namespace dirql::io

DIRQL_OBJECT_TYPE_EXPORT(IoDeviceObjectType, dirql::io::device_type)
DIRQL_OBJECT_TYPE_EXPORT(IoDriverObjectType, dirql::io::driver_type)
DIRQL_OBJECT_TYPE_EXPORT(IoFileObjectType, dirql::io::file_type)
