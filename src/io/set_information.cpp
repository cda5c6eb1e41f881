// NtSetInformationFile, and what of it is the I/O manager's own business.
#include "io/api_request.hpp"
#include "io/completion_port.hpp"
#include "io/file.hpp"
#include "io/file_create.hpp"
#include "io/file_information.hpp"
#include "io/services.hpp"
#include "io/types.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

struct Set {
    const void* buffer;
    ULONG length;
    FILE_INFORMATION_CLASS which;
    HANDLE handle; // of the file; null: set by object
};

template <class T> NTSTATUS read(const ApiRequest& request, const Set& set, T& value) noexcept {
    return ke::copy_in(value, static_cast<const T*>(set.buffer), request.mode());
}

// Unbuffered, a position is where a sector begins, as far as the device's alignment says.
NTSTATUS set_position(ApiRequest& request, const Set& set) noexcept {
    if (request.mode() != KernelMode && (request.granted() & (FILE_READ_DATA | FILE_WRITE_DATA)) == 0)
        return STATUS_ACCESS_DENIED;
    FILE_POSITION_INFORMATION position;
    if (const NTSTATUS status = read(request, set, position); !NT_SUCCESS(status)) return status;
    PFILE_OBJECT file = request.file();
    const bool unbuffered = (file->Flags & FO_NO_INTERMEDIATE_BUFFERING) != 0;
    const ULONG unaligned = position.CurrentByteOffset.LowPart & request.device()->AlignmentRequirement;
    if (position.CurrentByteOffset.QuadPart < 0 || (unbuffered && unaligned != 0)) return STATUS_INVALID_PARAMETER;
    file->CurrentByteOffset = position.CurrentByteOffset;
    return STATUS_SUCCESS;
}

// A file stays synchronous or asynchronous; whether its waits are alertable may change.
NTSTATUS set_mode(ApiRequest& request, const Set& set) noexcept {
    FILE_MODE_INFORMATION mode;
    if (const NTSTATUS status = read(request, set, mode); !NT_SUCCESS(status)) return status;
    constexpr ULONG synchronous = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT;
    PFILE_OBJECT file = request.file();
    const ULONG asked = mode.Mode & synchronous;
    if ((mode.Mode & ~ULONG{FILE_VALID_SET_FLAGS}) != 0 || asked == synchronous || is_synchronous(file) != (asked != 0))
        return STATUS_INVALID_PARAMETER;
    ULONG flags = file->Flags & ~ULONG{FO_WRITE_THROUGH | FO_SEQUENTIAL_ONLY | FO_ALERTABLE_IO};
    if ((file->Flags & FO_NO_INTERMEDIATE_BUFFERING) == 0 && (mode.Mode & FILE_WRITE_THROUGH) != 0)
        flags |= FO_WRITE_THROUGH;
    if ((file->Flags & FO_NO_INTERMEDIATE_BUFFERING) != 0) flags |= file->Flags & FO_WRITE_THROUGH;
    if ((mode.Mode & FILE_SEQUENTIAL_ONLY) != 0) flags |= FO_SEQUENTIAL_ONLY;
    if (asked == FILE_SYNCHRONOUS_IO_ALERT) flags |= FO_ALERTABLE_IO;
    file->Flags = flags;
    return STATUS_SUCCESS;
}

// A synchronous file's requests end in their services: it has no port. One port for good, but for FileReplaceCompletionInformation.
NTSTATUS set_port(ApiRequest& request, const Set& set) noexcept {
    FILE_COMPLETION_INFORMATION information;
    if (const NTSTATUS status = read(request, set, information); !NT_SUCCESS(status)) return status;
    PFILE_OBJECT file = request.file();
    const bool replaces = set.which == FileReplaceCompletionInformation;
    if (is_synchronous(file) || (file->CompletionContext != nullptr && !replaces)) return STATUS_INVALID_PARAMETER;
    void* port = nullptr;
    if (information.Port != nullptr || !replaces) {
        const NTSTATUS status = ob::reference_by_handle(information.Port, IO_COMPLETION_MODIFY_STATE,
                                                        &io_completion_type, request.mode(), &port);
        if (!NT_SUCCESS(status)) return status;
    }
    void* const former = file->CompletionContext != nullptr ? file->CompletionContext->Port : nullptr;
    IO_COMPLETION_CONTEXT& context = extension_of(file).completion;
    context = {port, information.Key, 0};
    file->CompletionContext = port != nullptr ? &context : nullptr;
    if (former != nullptr) ob::dereference(former);
    return STATUS_SUCCESS;
}

// What is set stays: a mode is not taken back.
NTSTATUS set_notification_modes(ApiRequest& request, const Set& set) noexcept {
    FILE_IO_COMPLETION_NOTIFICATION_INFORMATION modes;
    if (const NTSTATUS status = read(request, set, modes); !NT_SUCCESS(status)) return status;
    constexpr ULONG known =
        FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE | FILE_SKIP_SET_USER_EVENT_ON_FAST_IO;
    if ((modes.Flags & ~known) != 0) return STATUS_INVALID_PARAMETER;
    PFILE_OBJECT file = request.file();
    if ((modes.Flags & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) != 0) file->Flags |= FO_SKIP_COMPLETION_PORT;
    if ((modes.Flags & FILE_SKIP_SET_EVENT_ON_HANDLE) != 0) file->Flags |= FO_SKIP_SET_EVENT;
    if ((modes.Flags & FILE_SKIP_SET_USER_EVENT_ON_FAST_IO) != 0) file->Flags |= FO_SKIP_SET_FAST_IO;
    return STATUS_SUCCESS;
}

// The two highest are the kernel's.
NTSTATUS set_priority_hint(ApiRequest& request, const Set& set) noexcept {
    FILE_IO_PRIORITY_HINT_INFORMATION hint;
    if (const NTSTATUS status = read(request, set, hint); !NT_SUCCESS(status)) return status;
    const auto most = request.mode() == KernelMode ? IoPriorityCritical : IoPriorityNormal;
    if (hint.PriorityHint < IoPriorityVeryLow || hint.PriorityHint > most) return STATUS_INVALID_PARAMETER;
    extension_of(request.file()).priority_hint = hint.PriorityHint;
    return STATUS_SUCCESS;
}

using Setter = NTSTATUS (*)(ApiRequest&, const Set&) noexcept;

Setter own_setter(PFILE_OBJECT file, FILE_INFORMATION_CLASS which) noexcept {
    switch (which) {
    case FilePositionInformation: return is_synchronous(file) ? set_position : nullptr;
    case FileModeInformation: return set_mode;
    case FileCompletionInformation:
    case FileReplaceCompletionInformation: return set_port;
    case FileIoCompletionNotificationInformation: return set_notification_modes;
    case FileIoPriorityHintInformation: return set_priority_hint;
    default: return nullptr;
    }
}

// The directory that a renamed file or a new link is to lie in: opened for the driver, for as long as the request lasts.
class TargetDirectory {
public:
    ~TargetDirectory() {
        if (file_ != nullptr) ob::dereference(file_);
        if (handle_ != nullptr) ob::close(handle_, KernelMode);
    }
    TargetDirectory() = default;
    TargetDirectory(const TargetDirectory&) = delete;
    TargetDirectory& operator=(const TargetDirectory&) = delete;

    // A simple name stays in the directory of the file. STATUS_NOT_SAME_DEVICE.
    [[nodiscard]] NTSTATUS open(PFILE_OBJECT file, const FILE_RENAME_INFORMATION& rename) noexcept {
        if (rename.FileName[0] != u'\\' && rename.RootDirectory == nullptr) return STATUS_SUCCESS;
        const auto length = static_cast<USHORT>(rename.FileNameLength);
        UNICODE_STRING name{length, length, const_cast<PWSTR>(rename.FileName)};
        OBJECT_ATTRIBUTES attributes;
        const ULONG sensitive = (file->Flags & FO_OPENED_CASE_SENSITIVE) != 0 ? 0 : OBJ_CASE_INSENSITIVE;
        InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE | sensitive, rename.RootDirectory, nullptr);
        IO_STATUS_BLOCK block;
        const CreateRequest create{.handle = &handle_,
                                   .access = FILE_WRITE_DATA | SYNCHRONIZE,
                                   .attributes = &attributes,
                                   .status_block = &block,
                                   .allocation_size = nullptr,
                                   .file_attributes = 0,
                                   .share_access = FILE_SHARE_READ | FILE_SHARE_WRITE,
                                   .disposition = FILE_OPEN,
                                   .options = FILE_OPEN_FOR_BACKUP_INTENT,
                                   .ea_buffer = nullptr,
                                   .ea_length = 0,
                                   .io_options =
                                       IO_FORCE_ACCESS_CHECK | IO_OPEN_TARGET_DIRECTORY | IO_NO_PARAMETER_CHECKING};
        NTSTATUS status = create_file(create);
        if (!NT_SUCCESS(status)) return status;
        void* body = nullptr;
        status = ob::reference_by_handle(handle_, FILE_WRITE_DATA, &file_type, KernelMode, &body);
        if (!NT_SUCCESS(status)) return status;
        file_ = static_cast<PFILE_OBJECT>(body);
        return device_for(file_) == device_for(file) ? STATUS_SUCCESS : STATUS_NOT_SAME_DEVICE;
    }
    [[nodiscard]] PFILE_OBJECT file() const noexcept { return file_; }

private:
    HANDLE handle_ = nullptr;
    PFILE_OBJECT file_ = nullptr;
};

bool names_target(FILE_INFORMATION_CLASS which) noexcept {
    return which == FileRenameInformation || which == FileRenameInformationEx || which == FileLinkInformation ||
           which == FileLinkInformationEx;
}

// What the driver is told besides the buffer, which lies in the system buffer by now.
NTSTATUS fill_parameters(ApiRequest& request, const Set& set, TargetDirectory& target) noexcept {
    auto& parameters = request.next()->Parameters.SetFile;
    const void* buffer = request.irp()->AssociatedIrp.SystemBuffer;
    if (set.which == FileDispositionInformation) {
        const auto* disposition = static_cast<const FILE_DISPOSITION_INFORMATION*>(buffer);
        if (disposition->DeleteFile) parameters.DeleteHandle = set.handle;
        return STATUS_SUCCESS;
    }
    if (!names_target(set.which)) return STATUS_SUCCESS;
    const auto& rename = *static_cast<const FILE_RENAME_INFORMATION*>(buffer);
    const ULONG room = set.length - offsetof(FILE_RENAME_INFORMATION, FileName);
    if (rename.FileNameLength == 0 || rename.FileNameLength % sizeof(WCHAR) != 0 || rename.FileNameLength > room ||
        rename.FileNameLength > MAXUSHORT - sizeof(WCHAR))
        return STATUS_INVALID_PARAMETER;
    parameters.ReplaceIfExists = rename.ReplaceIfExists;
    const NTSTATUS status = target.open(request.file(), rename);
    parameters.FileObject = target.file();
    return status;
}

NTSTATUS tell_driver(ApiRequest& request, const Set& set) noexcept {
    NTSTATUS status = request.make_irp(IRP_MJ_SET_INFORMATION);
    if (status != STATUS_SUCCESS) return status;
    request.next()->Parameters.SetFile.Length = set.length;
    request.next()->Parameters.SetFile.FileInformationClass = set.which;
    if (status = request.make_input(set.buffer, set.length); !NT_SUCCESS(status)) return status;
    TargetDirectory target;
    if (status = fill_parameters(request, set, target); !NT_SUCCESS(status)) return status;
    return request.send();
}

NTSTATUS set_in(ApiRequest& request, const Set& set) noexcept {
    if (const NTSTATUS status = request.lock_file(); status != STATUS_SUCCESS) return status;
    const Setter setter = own_setter(request.file(), set.which);
    if (setter == nullptr) return tell_driver(request, set);
    const NTSTATUS status = setter(request, set);
    return NT_SUCCESS(status) ? request.answer(status, 0) : status;
}

NTSTATUS set_information(HANDLE file, PIO_STATUS_BLOCK status_block, const Set& set) noexcept {
    const ClassRule rule = set_rule(set.which);
    NTSTATUS status = check_buffer(rule, ke::current_thread()->previous_mode, set.buffer, set.length, false);
    if (!NT_SUCCESS(status)) return status;
    ApiRequest request;
    status = request.begin(file, rule.access, status_block);
    return NT_SUCCESS(status) ? set_in(request, set) : status;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                    ULONG Length, FILE_INFORMATION_CLASS FileInformationClass) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetInformationFile);
        return set_information(FileHandle, IoStatusBlock, {FileInformation, Length, FileInformationClass, FileHandle});
    });
}

NTSTATUS NTAPI ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                    ULONG Length, FILE_INFORMATION_CLASS FileInformationClass) {
    DIRQL_DOOR(ZwSetInformationFile);
    const ke::KernelModeCaller kernel;
    return NtSetInformationFile(FileHandle, IoStatusBlock, FileInformation, Length, FileInformationClass);
}

NTSTATUS NTAPI IoSetInformation(PFILE_OBJECT FileObject, FILE_INFORMATION_CLASS FileInformationClass, ULONG Length,
                                PVOID FileInformation) {
    DIRQL_DOOR(IoSetInformation);
    const NTSTATUS status = check_buffer(set_rule(FileInformationClass), KernelMode, FileInformation, Length, false);
    if (!NT_SUCCESS(status)) return status;
    ApiRequest request;
    request.begin_for(FileObject);
    return set_in(request, {FileInformation, Length, FileInformationClass, nullptr});
}
}
