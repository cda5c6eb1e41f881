// A driver that notes the information requests it gets.
#pragma once

#include "closure_driver.hpp"

#include "io/services.hpp"

#include <cstring>

namespace dirql::test {

// What an information request looked like to the driver.
struct InformationSeen {
    unsigned calls = 0;
    UCHAR major = 0;
    int which = 0;
    ULONG length = 0;
    ULONG flags = 0;
    PVOID user_event = nullptr;
    std::string content;
    PFILE_OBJECT file = nullptr;
    PFILE_OBJECT target = nullptr;
    HANDLE delete_handle = nullptr;
    bool replace = false;
};

struct InformationLab : Lab {
    InformationLab() {
        behaviour[IRP_MJ_CREATE] = [this](PDEVICE_OBJECT, PIRP irp) {
            PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
            if ((location->Flags & SL_OPEN_TARGET_DIRECTORY) != 0) ++targets_opened;
            last_open = location->FileObject;
            return test::complete(irp, STATUS_SUCCESS, FILE_OPENED);
        };
        behaviour[IRP_MJ_QUERY_INFORMATION] =
            behaviour[IRP_MJ_SET_INFORMATION] = [this](PDEVICE_OBJECT, PIRP irp) { return serve(irp); };
        behaviour[IRP_MJ_WRITE] = [this](PDEVICE_OBJECT, PIRP irp) { // ends what is pended
            test::complete(std::exchange(pended, nullptr), end, NT_SUCCESS(end) ? pended_bytes : 0);
            return test::complete(irp, STATUS_SUCCESS);
        };
        load("info", [this](PDRIVER_OBJECT driver) {
            const NTSTATUS created = create_device(driver, u"\\Device\\Info", behaviour, 0, &device);
            if (NT_SUCCESS(created)) device->AlignmentRequirement = FILE_QUAD_ALIGNMENT;
            return NT_SUCCESS(created) ? create_device(driver, u"\\Device\\Other", behaviour) : created;
        });
    }
    NTSTATUS serve(PIRP irp) {
        PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
        ++seen.calls;
        seen.major = location->MajorFunction;
        seen.which = location->Parameters.SetFile.FileInformationClass;
        seen.length = location->Parameters.SetFile.Length;
        seen.flags = irp->Flags;
        seen.user_event = irp->UserEvent;
        seen.file = location->FileObject;
        char* buffer = static_cast<char*>(irp->AssociatedIrp.SystemBuffer);
        if (location->MajorFunction == IRP_MJ_SET_INFORMATION) {
            seen.content.assign(buffer, seen.length);
            seen.target = location->Parameters.SetFile.FileObject;
            seen.delete_handle = location->Parameters.SetFile.DeleteHandle;
            seen.replace = location->Parameters.SetFile.ReplaceIfExists != FALSE;
        } else if (NT_SUCCESS(status)) {
            std::memset(buffer, 0x5A, information);
        }
        const ULONG_PTR bytes = irp->IoStatus.Information + information;
        if (!pending) return test::complete(irp, status, bytes);
        pended = irp;
        pended_bytes = bytes;
        return pend(irp);
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    PFILE_OBJECT last_open = nullptr;
    unsigned targets_opened = 0;
    InformationSeen seen;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG information = 0;
    bool pending = false;
    PIRP pended = nullptr;
    NTSTATUS end = STATUS_SUCCESS;
    ULONG_PTR pended_bytes = 0;
};

template <class T> struct Answer {
    NTSTATUS status;
    IO_STATUS_BLOCK block{{STATUS_UNSUCCESSFUL}, 77};
    T value{};
    Answer(HANDLE file, FILE_INFORMATION_CLASS which) {
        status = NtQueryInformationFile(file, &block, &value, sizeof value, which);
    }
};

template <class T> NTSTATUS set(HANDLE file, T value, FILE_INFORMATION_CLASS which) {
    IO_STATUS_BLOCK block{};
    return NtSetInformationFile(file, &block, &value, sizeof value, which);
}

inline NTSTATUS set_position(HANDLE file, LONGLONG position) {
    FILE_POSITION_INFORMATION information;
    information.CurrentByteOffset.QuadPart = position;
    return set(file, information, FilePositionInformation);
}

} // namespace dirql::test
