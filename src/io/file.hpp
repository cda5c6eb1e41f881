// File objects: open instances of devices.
#pragma once

#include "io/device.hpp"
#include "ke/machine.hpp"
#include "ob/object_type.hpp"

#include <ntifs.h>

namespace dirql::io {

// What io keeps behind each file object's body; FILE_OBJECT::FileObjectExtension points at it.
struct FileExtension {
    IO_COMPLETION_CONTEXT completion; // of the port: FILE_OBJECT::CompletionContext points here while the file has one
    PDEVICE_OBJECT top; // whom requests go to, by IoCreateFileSpecifyDeviceObjectHint; null: the stack's top
    IO_PRIORITY_HINT priority_hint;
    bool ignores_sharing;
    bool attaching; // IoAttachDevice: an exclusive device may be open already
};
struct FileBody {
    FILE_OBJECT file;
    FileExtension extension;
};
[[nodiscard]] inline FileExtension& extension_of(PFILE_OBJECT file) noexcept {
    return *static_cast<FileExtension*>(const_cast<void*>(file->FileObjectExtension));
}

// Below the filters: the device the file was opened on, or the one its volume is mounted with.
[[nodiscard]] inline PDEVICE_OBJECT related_device(PFILE_OBJECT file) noexcept {
    return file->Vpb != nullptr && file->Vpb->DeviceObject != nullptr ? file->Vpb->DeviceObject : file->DeviceObject;
}

// Whom a request on the file is sent to.
[[nodiscard]] inline PDEVICE_OBJECT device_for(PFILE_OBJECT file) noexcept {
    PDEVICE_OBJECT const top = file->FileObjectExtension == nullptr ? nullptr : extension_of(file).top;
    return top != nullptr ? top : top_of_stack(related_device(file));
}

[[nodiscard]] inline bool is_synchronous(PFILE_OBJECT file) noexcept { return (file->Flags & FO_SYNCHRONOUS_IO) != 0; }

// Requests on a synchronous file are one at a time. `mode`: whose request it is.
// STATUS_USER_APC or STATUS_ALERTED when an alertable file's wait ended early, the former also when an application's thread is to end.
[[nodiscard, gnu::cold]] NTSTATUS wait_for_file_lock(PFILE_OBJECT file, KPROCESSOR_MODE mode) noexcept;
[[nodiscard]] inline NTSTATUS acquire_file_lock(PFILE_OBJECT file, KPROCESSOR_MODE mode) noexcept {
    const ULONG taken = file->Busy; // volatile: by way of a register, not of the stack
    file->Busy = 1;
    return taken == 0 ? STATUS_SUCCESS : wait_for_file_lock(file, mode);
}
void release_file_lock(PFILE_OBJECT file) noexcept;
// Cancels the current thread's requests on this file.
void cancel_file_requests(PFILE_OBJECT file) noexcept;

// What an open of a device asks for: the namespace hands it to the device's parse procedure.
struct OpenRequest {
    ULONG options;     // FILE_OPEN_..., create options, in the low 24 bits
    ULONG disposition; // FILE_OPEN, FILE_CREATE ...
    USHORT attributes;
    USHORT share_access;
    PVOID ea_buffer; // a kernel copy
    ULONG ea_length;
    PLARGE_INTEGER allocation_size;
    PFILE_OBJECT related;   // the open file that the name is relative to
    IO_STATUS_BLOCK result; // what IRP_MJ_CREATE left
    // What NtCreateFile does not ask for:
    CREATE_FILE_TYPE type; // of what is created
    PVOID parameters;      // of a pipe or mailslot, a kernel copy
    PDEVICE_OBJECT hint;   // below whatever is attached to it; null: the stack's top
    UCHAR location_flags;  // SL_...
    bool ignores_sharing;
    bool attaching; // IoAttachDevice: an exclusive device may be open already
};

// A new file object of this device, which it holds, with a copy of the name. Nothing was sent yet.
NTSTATUS create_file_object(PDEVICE_OBJECT device, const OpenRequest& open, const UNICODE_STRING& name,
                            ULONG attributes, PFILE_OBJECT* result) noexcept;
// Cleanup, to this device or one that is below it.
void clean_up(PFILE_OBJECT file, PDEVICE_OBJECT device) noexcept;

// The device type's parse procedure: IRP_MJ_CREATE. Success: *result is the file, referenced.
NTSTATUS open_file(ob::ParseRequest& request, void** result) noexcept;
// A file opened relative to another one.
NTSTATUS open_relative_file(ob::ParseRequest& request, void** result) noexcept;
// The file type's open, close and delete procedures: a file that had handles gets IRP_MJ_CLEANUP with the last of them, one that
// never had any with its last reference; IRP_MJ_CLOSE follows.
NTSTATUS file_handle_opened(const ob::HandleOpen& open) noexcept;
void file_handle_closed(const ob::HandleClose& close) noexcept;
void destroy_file(void* body) noexcept;
void destroy_device(void* body) noexcept;
void destroy_driver(void* body) noexcept;

// Sends an IRP that the caller waits for in place, at PASSIVE_LEVEL, and returns its final status. The IRP is one of
// build_file_irp's, with its own location filled in.
NTSTATUS send_and_wait(PDEVICE_OBJECT device, PIRP irp, PKEVENT event, IO_STATUS_BLOCK& result) noexcept;

} // namespace dirql::io
