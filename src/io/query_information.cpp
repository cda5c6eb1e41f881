// NtQueryInformationFile, and what answers of it the I/O manager has itself.
#include "io/api_request.hpp"
#include "io/fast_io.hpp"
#include "io/file.hpp"
#include "io/file_information.hpp"
#include "io/information_classes.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

#include <cstring>

namespace dirql::io {

NTSTATUS check_buffer(const ClassRule& rule, KPROCESSOR_MODE mode, const void* buffer, ULONG length,
                      bool write) noexcept {
    if (mode == KernelMode) return rule.least == 0 ? STATUS_SUCCESS : check_class(rule, length);
    if (const NTSTATUS status = check_class(rule, length); !NT_SUCCESS(status)) return status;
    return ke::probe_user(buffer, length, write, rule.alignment);
}

ULONG mode_of(PFILE_OBJECT file) noexcept {
    const auto option = [file](ULONG flag, ULONG bit) { return (file->Flags & flag) != 0 ? bit : 0; };
    const ULONG synchronous =
        (file->Flags & FO_ALERTABLE_IO) != 0 ? FILE_SYNCHRONOUS_IO_ALERT : FILE_SYNCHRONOUS_IO_NONALERT;
    return option(FO_WRITE_THROUGH, FILE_WRITE_THROUGH) | option(FO_SEQUENTIAL_ONLY, FILE_SEQUENTIAL_ONLY) |
           option(FO_NO_INTERMEDIATE_BUFFERING, FILE_NO_INTERMEDIATE_BUFFERING) |
           option(FO_SYNCHRONOUS_IO, synchronous) | option(FO_DELETE_ON_CLOSE, FILE_DELETE_ON_CLOSE);
}

ULONG notification_modes_of(PFILE_OBJECT file) noexcept {
    const auto option = [file](ULONG flag, ULONG bit) { return (file->Flags & flag) != 0 ? bit : 0; };
    return option(FO_SKIP_COMPLETION_PORT, FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) |
           option(FO_SKIP_SET_EVENT, FILE_SKIP_SET_EVENT_ON_HANDLE) |
           option(FO_SKIP_SET_FAST_IO, FILE_SKIP_SET_USER_EVENT_ON_FAST_IO);
}

namespace {

struct Query {
    PVOID buffer;
    ULONG length;
    FILE_INFORMATION_CLASS which;
};

template <class T> NTSTATUS answer_with(ApiRequest& request, const Query& query, const T& value) noexcept {
    const NTSTATUS status = ke::copy_out(static_cast<T*>(query.buffer), value, request.mode());
    if (!NT_SUCCESS(status)) return status;
    return request.answer(STATUS_SUCCESS, sizeof value);
}

// A position belongs to those who transfer; an asynchronous file has none of its own, and its driver is asked.
NTSTATUS query_position(ApiRequest& request, const Query& query) noexcept {
    if (request.mode() != KernelMode && (request.granted() & (FILE_READ_DATA | FILE_WRITE_DATA)) == 0)
        return STATUS_ACCESS_DENIED;
    return answer_with(request, query, FILE_POSITION_INFORMATION{request.file()->CurrentByteOffset});
}

// True: *status is the answer.
bool answered_here(ApiRequest& request, const Query& query, NTSTATUS* status) noexcept {
    PFILE_OBJECT file = request.file();
    switch (query.which) {
    case FilePositionInformation:
        if (!is_synchronous(file)) return false;
        *status = query_position(request, query);
        return true;
    case FileAccessInformation:
        *status = answer_with(request, query, FILE_ACCESS_INFORMATION{request.granted()});
        return true;
    case FileModeInformation: *status = answer_with(request, query, FILE_MODE_INFORMATION{mode_of(file)}); return true;
    case FileAlignmentInformation:
        *status = answer_with(request, query, FILE_ALIGNMENT_INFORMATION{request.device()->AlignmentRequirement});
        return true;
    case FileIoCompletionNotificationInformation:
        *status = answer_with(request, query, FILE_IO_COMPLETION_NOTIFICATION_INFORMATION{notification_modes_of(file)});
        return true;
    case FileIoPriorityHintInformation:
        *status = answer_with(request, query, FILE_IO_PRIORITY_HINT_INFORMATION{extension_of(file).priority_hint});
        return true;
    case FileIsRemoteDeviceInformation: {
        const bool remote = (file->DeviceObject->Characteristics & FILE_REMOTE_DEVICE) != 0;
        *status = answer_with(request, query, FILE_IS_REMOTE_DEVICE_INFORMATION{remote});
        return true;
    }
    default: return false;
    }
}

// One of the three kinds of information that a driver may give by fast I/O.
template <auto Member, class Information>
bool answered_fast(ApiRequest& request, const Query& query, NTSTATUS* status) noexcept {
    const auto routine = fast_routine_of<Member>(request.device());
    if (routine == nullptr) return false;
    Information information{}; // kernel memory: the driver need not guard itself
    IO_STATUS_BLOCK result{};
    const auto wait = static_cast<BOOLEAN>(is_synchronous(request.file()));
    if (!call_fast_io(request.device(), routine, request.file(), wait, &information, &result, request.device()))
        return false;
    *status = result.Status;
    if (NT_ERROR(result.Status)) return true;
    const std::size_t bytes = result.Information < sizeof information ? result.Information : sizeof information;
    *status = ke::copy_bytes_out(query.buffer, &information, bytes, request.mode());
    if (NT_SUCCESS(*status)) *status = request.answer(result.Status, result.Information);
    return true;
}

bool answered_fast(ApiRequest& request, const Query& query, NTSTATUS* status) noexcept {
    using Fast = FAST_IO_DISPATCH;
    switch (query.which) {
    case FileBasicInformation:
        return answered_fast<&Fast::FastIoQueryBasicInfo, FILE_BASIC_INFORMATION>(request, query, status);
    case FileStandardInformation:
        return answered_fast<&Fast::FastIoQueryStandardInfo, FILE_STANDARD_INFORMATION>(request, query, status);
    case FileNetworkOpenInformation:
        return answered_fast<&Fast::FastIoQueryNetworkOpenInfo, FILE_NETWORK_OPEN_INFORMATION>(request, query, status);
    default: return false;
    }
}

// The part of FileAllInformation that the I/O manager knows; the driver adds its own, and counts on from there.
void begin_all_information(ApiRequest& request) noexcept {
    auto* all = static_cast<PFILE_ALL_INFORMATION>(request.irp()->AssociatedIrp.SystemBuffer);
    all->AccessInformation.AccessFlags = request.granted();
    all->ModeInformation.Mode = mode_of(request.file());
    all->AlignmentInformation.AlignmentRequirement = request.device()->AlignmentRequirement;
    request.irp()->IoStatus.Information =
        sizeof all->AccessInformation + sizeof all->ModeInformation + sizeof all->AlignmentInformation;
}

NTSTATUS ask_driver(ApiRequest& request, const Query& query) noexcept {
    NTSTATUS status = request.make_irp(IRP_MJ_QUERY_INFORMATION);
    if (status != STATUS_SUCCESS) return status;
    request.next()->Parameters.QueryFile.Length = query.length;
    request.next()->Parameters.QueryFile.FileInformationClass = query.which;
    if (status = request.make_output(query.buffer, query.length); !NT_SUCCESS(status)) return status;
    if (query.which == FileAllInformation) begin_all_information(request);
    return request.send();
}

NTSTATUS query_information(HANDLE file, PIO_STATUS_BLOCK status_block, const Query& query) noexcept {
    const ClassRule rule = query_rule(query.which);
    NTSTATUS status = check_buffer(rule, ke::current_thread()->previous_mode, query.buffer, query.length, true);
    if (!NT_SUCCESS(status)) return status;
    ApiRequest request;
    status = request.begin(file, rule.access, status_block);
    if (!NT_SUCCESS(status)) return status;
    if (status = request.lock_file(); status != STATUS_SUCCESS) return status;
    if (answered_here(request, query, &status) || answered_fast(request, query, &status)) return status;
    return ask_driver(request, query);
}

} // namespace

NTSTATUS query_by_object(PFILE_OBJECT file, FILE_INFORMATION_CLASS which, PVOID buffer, ULONG length,
                         PULONG returned) noexcept {
    if (const NTSTATUS status = check_buffer(query_rule(which), KernelMode, buffer, length, true); !NT_SUCCESS(status))
        return status;
    const Query query{buffer, length, which};
    ApiRequest request;
    request.begin_for(file);
    NTSTATUS status = request.lock_file();
    if (status != STATUS_SUCCESS) return status;
    if (which == FileAccessInformation || !answered_here(request, query, &status)) status = ask_driver(request, query);
    *returned = static_cast<ULONG>(request.result().Information);
    return status;
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                      ULONG Length, FILE_INFORMATION_CLASS FileInformationClass) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryInformationFile);
        return query_information(FileHandle, IoStatusBlock, {FileInformation, Length, FileInformationClass});
    });
}

NTSTATUS NTAPI ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation,
                                      ULONG Length, FILE_INFORMATION_CLASS FileInformationClass) {
    DIRQL_DOOR(ZwQueryInformationFile);
    const ke::KernelModeCaller kernel;
    return NtQueryInformationFile(FileHandle, IoStatusBlock, FileInformation, Length, FileInformationClass);
}

NTSTATUS NTAPI IoQueryFileInformation(PFILE_OBJECT FileObject, FILE_INFORMATION_CLASS FileInformationClass,
                                      ULONG Length, PVOID FileInformation, PULONG ReturnedLength) {
    DIRQL_DOOR(IoQueryFileInformation);
    return query_by_object(FileObject, FileInformationClass, FileInformation, Length, ReturnedLength);
}
}
