// File objects that no open has made, and what drivers may ask of file objects they are given.
#include "io/file.hpp"
#include "io/types.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

// A file object of the file system's own. Raises STATUS_INSUFFICIENT_RESOURCES.
PFILE_OBJECT create_stream_file(PFILE_OBJECT related, PDEVICE_OBJECT device) {
    const OpenRequest nothing{};
    PFILE_OBJECT file = nullptr;
    const NTSTATUS status = create_file_object(related == nullptr ? device : related->DeviceObject, nothing, {},
                                               OBJ_CASE_INSENSITIVE, &file);
    if (!NT_SUCCESS(status)) ke::raise_status(status);
    file->Flags |= FO_STREAM_FILE | FO_FILE_OPEN;
    if (related != nullptr) file->Vpb = related->Vpb;
    return file;
}

// What a handle that is made and closed at once does.
void clean_up_stream_file(PFILE_OBJECT file) {
    file->Flags |= FO_HANDLE_CREATED;
    clean_up(file, device_for(file));
}

[[noreturn, gnu::cold]] void cancelled_too_late(PFILE_OBJECT file, PDEVICE_OBJECT device) noexcept {
    ke::bug_check(INVALID_CANCEL_OF_FILE_OPEN, ke::parameter(file), ke::parameter(device), 0, 0,
                  {.rule = "an open was cancelled for whose file a handle exists already",
                   .document = "IoCancelFileOpen function (ntddk.h)",
                   .device = device});
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

PFILE_OBJECT NTAPI IoCreateStreamFileObject(PFILE_OBJECT FileObject, PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoCreateStreamFileObject);
    PFILE_OBJECT file = create_stream_file(FileObject, DeviceObject);
    clean_up_stream_file(file);
    return file;
}

PFILE_OBJECT NTAPI IoCreateStreamFileObjectEx(PFILE_OBJECT FileObject, PDEVICE_OBJECT DeviceObject,
                                              PHANDLE FileObjectHandle) {
    DIRQL_DOOR(IoCreateStreamFileObjectEx);
    PFILE_OBJECT file = create_stream_file(FileObject, DeviceObject);
    if (FileObjectHandle == nullptr) {
        clean_up_stream_file(file);
        return file;
    }
    ke::Process& system = *ke::current_machine().system_process;
    const NTSTATUS status =
        ob::create_handle(system, file, FILE_READ_DATA, OBJ_KERNEL_HANDLE, ob::OpenReason::create, FileObjectHandle);
    if (!NT_SUCCESS(status)) {
        ob::dereference(file);
        ke::raise_status(status);
    }
    return file;
}

// No cleanup is sent for it, ever.
PFILE_OBJECT NTAPI IoCreateStreamFileObjectLite(PFILE_OBJECT FileObject, PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoCreateStreamFileObjectLite);
    PFILE_OBJECT file = create_stream_file(FileObject, DeviceObject);
    file->Flags |= FO_HANDLE_CREATED | FO_CLEANUP_COMPLETE;
    return file;
}

// The drivers below see their file cleaned up now and closed with its last reference; the open itself is the caller's to fail.
VOID NTAPI IoCancelFileOpen(PDEVICE_OBJECT DeviceObject, PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoCancelFileOpen);
    if ((FileObject->Flags & FO_HANDLE_CREATED) != 0) cancelled_too_late(FileObject, DeviceObject);
    FileObject->Event.Header.SignalState = 0;
    FileObject->Flags |= FO_FILE_OPEN_CANCELLED;
    clean_up(FileObject, DeviceObject);
}

NTSTATUS NTAPI IoSetFileOrigin(PFILE_OBJECT FileObject, BOOLEAN Remote) {
    DIRQL_DOOR(IoSetFileOrigin);
    const bool is_remote = (FileObject->Flags & FO_REMOTE_ORIGIN) != 0;
    if (is_remote == (Remote != FALSE)) return STATUS_INVALID_PARAMETER_MIX;
    FileObject->Flags ^= FO_REMOTE_ORIGIN;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI IoIsFileOriginRemote(PFILE_OBJECT FileObject) {
    DIRQL_DOOR(IoIsFileOriginRemote);
    return (FileObject->Flags & FO_REMOTE_ORIGIN) != 0;
}

PGENERIC_MAPPING NTAPI IoGetFileObjectGenericMapping(VOID) {
    DIRQL_DOOR(IoGetFileObjectGenericMapping);
    return const_cast<PGENERIC_MAPPING>(&file_type.mapping); // the same for all machines: not to be written to
}

NTSTATUS NTAPI IoCheckDesiredAccess(PACCESS_MASK DesiredAccess, ACCESS_MASK GrantedAccess) {
    DIRQL_DOOR(IoCheckDesiredAccess);
    *DesiredAccess = ob::map_generic(file_type, *DesiredAccess);
    return (*DesiredAccess & ~GrantedAccess) == 0 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}
}
