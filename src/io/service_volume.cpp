// NtQueryVolumeInformationFile and NtSetVolumeInformationFile.
#include "io/api_request.hpp"
#include "io/file.hpp"
#include "io/file_information.hpp"
#include "io/services.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"

namespace dirql::io {
namespace {

// What kind of device it is, the I/O manager knows itself; only a redirector speaks for the devices behind it.
bool knows_device(const ApiRequest& request, FS_INFORMATION_CLASS which) noexcept {
    return which == FileFsDeviceInformation &&
           request.file()->DeviceObject->DeviceType != FILE_DEVICE_NETWORK_FILE_SYSTEM;
}

NTSTATUS tell_device(ApiRequest& request, void* buffer) noexcept {
    const PDEVICE_OBJECT device = request.file()->DeviceObject;
    FILE_FS_DEVICE_INFORMATION information{device->DeviceType, device->Characteristics};
    if (device->Vpb != nullptr && (device->Vpb->Flags & VPB_MOUNTED) != 0)
        information.Characteristics |= FILE_DEVICE_IS_MOUNTED;
    const NTSTATUS status = ke::copy_out(static_cast<FILE_FS_DEVICE_INFORMATION*>(buffer), information, request.mode());
    if (!NT_SUCCESS(status)) return status;
    return request.answer(STATUS_SUCCESS, sizeof information);
}

NTSTATUS query_in(ApiRequest& request, PVOID buffer, ULONG length, FS_INFORMATION_CLASS which) noexcept {
    NTSTATUS status = request.lock_file();
    if (status != STATUS_SUCCESS) return status;
    if (knows_device(request, which)) return tell_device(request, buffer);
    if (status = request.make_irp(IRP_MJ_QUERY_VOLUME_INFORMATION); status != STATUS_SUCCESS) return status;
    request.next()->Parameters.QueryVolume.Length = length;
    request.next()->Parameters.QueryVolume.FsInformationClass = which;
    if (status = request.make_output(buffer, length); !NT_SUCCESS(status)) return status;
    return request.send();
}

NTSTATUS query_volume(HANDLE file, PIO_STATUS_BLOCK block, PVOID buffer, ULONG length,
                      FS_INFORMATION_CLASS which) noexcept {
    const ClassRule rule = volume_query_rule(which);
    NTSTATUS status = check_buffer(rule, ke::current_thread()->previous_mode, buffer, length, true);
    if (!NT_SUCCESS(status)) return status;
    ApiRequest request;
    status = request.begin(file, rule.access, block);
    return NT_SUCCESS(status) ? query_in(request, buffer, length, which) : status;
}

NTSTATUS set_volume(HANDLE file, PIO_STATUS_BLOCK block, PVOID buffer, ULONG length,
                    FS_INFORMATION_CLASS which) noexcept {
    const ClassRule rule = volume_set_rule(which);
    NTSTATUS status = check_buffer(rule, ke::current_thread()->previous_mode, buffer, length, false);
    if (!NT_SUCCESS(status)) return status;
    ApiRequest request;
    if (status = request.begin(file, rule.access, block); !NT_SUCCESS(status)) return status;
    if (status = request.make_irp(IRP_MJ_SET_VOLUME_INFORMATION); status != STATUS_SUCCESS) return status;
    request.next()->Parameters.SetVolume.Length = length;
    request.next()->Parameters.SetVolume.FsInformationClass = which;
    if (status = request.make_input(buffer, length); !NT_SUCCESS(status)) return status;
    return request.send();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                            ULONG Length, FS_INFORMATION_CLASS FsInformationClass) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryVolumeInformationFile);
        return query_volume(FileHandle, IoStatusBlock, FsInformation, Length, FsInformationClass);
    });
}

NTSTATUS NTAPI ZwQueryVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                            ULONG Length, FS_INFORMATION_CLASS FsInformationClass) {
    DIRQL_DOOR(ZwQueryVolumeInformationFile);
    const ke::KernelModeCaller kernel;
    return NtQueryVolumeInformationFile(FileHandle, IoStatusBlock, FsInformation, Length, FsInformationClass);
}

NTSTATUS NTAPI NtSetVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                          ULONG Length, FS_INFORMATION_CLASS FsInformationClass) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtSetVolumeInformationFile);
        return set_volume(FileHandle, IoStatusBlock, FsInformation, Length, FsInformationClass);
    });
}

NTSTATUS NTAPI ZwSetVolumeInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FsInformation,
                                          ULONG Length, FS_INFORMATION_CLASS FsInformationClass) {
    DIRQL_DOOR(ZwSetVolumeInformationFile);
    const ke::KernelModeCaller kernel;
    return NtSetVolumeInformationFile(FileHandle, IoStatusBlock, FsInformation, Length, FsInformationClass);
}

NTSTATUS NTAPI IoQueryVolumeInformation(PFILE_OBJECT FileObject, FS_INFORMATION_CLASS FsInformationClass, ULONG Length,
                                        PVOID FsInformation, PULONG ReturnedLength) {
    DIRQL_DOOR(IoQueryVolumeInformation);
    const NTSTATUS checked =
        check_buffer(volume_query_rule(FsInformationClass), KernelMode, FsInformation, Length, true);
    if (!NT_SUCCESS(checked)) return checked;
    ApiRequest request;
    request.begin_for(FileObject);
    const NTSTATUS status = query_in(request, FsInformation, Length, FsInformationClass);
    *ReturnedLength = static_cast<ULONG>(request.result().Information);
    return status;
}
}
