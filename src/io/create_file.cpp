// IoCreateFile and its like: what drivers call to open files, with more to say than ZwCreateFile lets them.
#include "io/file_create.hpp"

#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                            PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                            ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength,
                            CREATE_FILE_TYPE CreateFileType, PVOID InternalParameters, ULONG Options) {
    DIRQL_DOOR(IoCreateFile);
    return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, Disposition, CreateOptions, EaBuffer, EaLength, CreateFileType, InternalParameters,
                        Options});
}

NTSTATUS NTAPI IoCreateFileEx(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                              PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                              ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions, PVOID EaBuffer, ULONG EaLength,
                              CREATE_FILE_TYPE CreateFileType, PVOID InternalParameters, ULONG Options,
                              PIO_DRIVER_CREATE_CONTEXT DriverContext) {
    DIRQL_DOOR(IoCreateFileEx);
    if (DriverContext != nullptr && static_cast<std::size_t>(DriverContext->Size) < sizeof(IO_DRIVER_CREATE_CONTEXT))
        return STATUS_INVALID_PARAMETER;
    auto* const hint =
        DriverContext == nullptr ? nullptr : static_cast<PDEVICE_OBJECT>(DriverContext->DeviceObjectHint);
    return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, Disposition, CreateOptions, EaBuffer, EaLength, CreateFileType, InternalParameters,
                        Options, hint});
}

NTSTATUS NTAPI IoCreateFileSpecifyDeviceObjectHint(PHANDLE FileHandle, ACCESS_MASK DesiredAccess,
                                                   POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                                                   PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
                                                   ULONG ShareAccess, ULONG Disposition, ULONG CreateOptions,
                                                   PVOID EaBuffer, ULONG EaLength, CREATE_FILE_TYPE CreateFileType,
                                                   PVOID InternalParameters, ULONG Options, PVOID DeviceObject) {
    DIRQL_DOOR(IoCreateFileSpecifyDeviceObjectHint);
    return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, AllocationSize, FileAttributes,
                        ShareAccess, Disposition, CreateOptions, EaBuffer, EaLength, CreateFileType, InternalParameters,
                        Options | IO_NO_PARAMETER_CHECKING, static_cast<PDEVICE_OBJECT>(DeviceObject)});
}

NTSTATUS NTAPI NtCreateNamedPipeFile(PHANDLE FileHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                     PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG CreateDisposition,
                                     ULONG CreateOptions, ULONG NamedPipeType, ULONG ReadMode, ULONG CompletionMode,
                                     ULONG MaximumInstances, ULONG InboundQuota, ULONG OutboundQuota,
                                     PLARGE_INTEGER DefaultTimeout) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateNamedPipeFile);
        NAMED_PIPE_CREATE_PARAMETERS parameters{NamedPipeType, ReadMode, CompletionMode, MaximumInstances, InboundQuota,
                                                OutboundQuota, {},       FALSE};
        if (DefaultTimeout != nullptr) {
            parameters.TimeoutSpecified = TRUE;
            if (!NT_SUCCESS(ke::copy_in(parameters.DefaultTimeout, DefaultTimeout, ke::previous_mode())))
                return STATUS_ACCESS_VIOLATION;
        }
        return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, nullptr, 0, ShareAccess,
                            CreateDisposition, CreateOptions, nullptr, 0, CreateFileTypeNamedPipe, &parameters});
    });
}

NTSTATUS NTAPI NtCreateMailslotFile(PHANDLE FileHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PIO_STATUS_BLOCK IoStatusBlock, ULONG CreateOptions, ULONG MailslotQuota,
                                    ULONG MaximumMessageSize, PLARGE_INTEGER ReadTimeout) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtCreateMailslotFile);
        MAILSLOT_CREATE_PARAMETERS parameters{MailslotQuota, MaximumMessageSize, {}, FALSE};
        if (ReadTimeout != nullptr) {
            parameters.TimeoutSpecified = TRUE;
            if (!NT_SUCCESS(ke::copy_in(parameters.ReadTimeout, ReadTimeout, ke::previous_mode())))
                return STATUS_ACCESS_VIOLATION;
        }
        return create_file({FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, nullptr, 0,
                            FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_CREATE, CreateOptions, nullptr, 0,
                            CreateFileTypeMailslot, &parameters});
    });
}
}
