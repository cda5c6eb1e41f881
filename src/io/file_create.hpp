// What NtCreateFile and all that open files otherwise have in common.
#pragma once

#include <ntifs.h>

namespace dirql::io {

struct CreateRequest {
    PHANDLE handle;
    ACCESS_MASK access;
    POBJECT_ATTRIBUTES attributes;
    PIO_STATUS_BLOCK status_block;
    PLARGE_INTEGER allocation_size;
    ULONG file_attributes;
    ULONG share_access;
    ULONG disposition;
    ULONG options;
    PVOID ea_buffer;
    ULONG ea_length;
    // What NtCreateFile does not ask for.
    CREATE_FILE_TYPE type = CreateFileTypeNone;
    PVOID parameters = nullptr; // NAMED_PIPE_CREATE_PARAMETERS, MAILSLOT_CREATE_PARAMETERS; kernel memory
    ULONG io_options = 0;       // IO_... of IoCreateFile
    PDEVICE_OBJECT hint = nullptr;
};

// Opens by the rules of the caller's previous mode, or of KernelMode with IO_NO_PARAMETER_CHECKING. PASSIVE_LEVEL.
NTSTATUS create_file(const CreateRequest& create) noexcept;

} // namespace dirql::io
