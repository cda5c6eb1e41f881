// Services on a file by its name, which open it for the moment: NtQueryAttributesFile, NtQueryFullAttributesFile, NtDeleteFile.
#include "io/file.hpp"
#include "io/file_information.hpp"
#include "io/services.hpp"
#include "io/types.hpp"
#include "ke/exports/io_file.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

// The file by name, open for as long as this lives: its driver sees a create, and cleanup and close.
class Opened {
public:
    Opened(const OBJECT_ATTRIBUTES* attributes, ACCESS_MASK access, ULONG options) noexcept {
        OpenRequest open{};
        open.options = options;
        open.disposition = FILE_OPEN;
        open.share_access = FILE_SHARE_VALID_FLAGS;
        status_ =
            ob::open_by_name(attributes, &file_type, ke::previous_mode(), access, &open, &handle_, OBJ_KERNEL_HANDLE);
    }
    // The handle is the service's own, whatever mode its caller is of: no thread of the caller's process can close it.
    ~Opened() {
        if (handle_ != nullptr) ob::close(handle_, KernelMode);
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    [[nodiscard]] NTSTATUS status() const noexcept { return status_; }

    template <class T> [[nodiscard]] NTSTATUS query(FILE_INFORMATION_CLASS which, T& information) const noexcept {
        void* body = nullptr;
        NTSTATUS status = ob::reference_by_handle(handle_, 0, &file_type, KernelMode, &body);
        if (!NT_SUCCESS(status)) return status;
        ULONG returned = 0;
        status = query_by_object(static_cast<PFILE_OBJECT>(body), which, &information, sizeof information, &returned);
        ob::dereference(body);
        return status;
    }

private:
    HANDLE handle_ = nullptr;
    NTSTATUS status_;
};

template <class T>
NTSTATUS query_attributes(const OBJECT_ATTRIBUTES* attributes, FILE_INFORMATION_CLASS which, T* result) noexcept {
    const KPROCESSOR_MODE mode = ke::previous_mode();
    NTSTATUS status = ke::probe_out(result, mode);
    if (!NT_SUCCESS(status)) return status;
    T information{};
    {
        const Opened file(attributes, FILE_READ_ATTRIBUTES, FILE_OPEN_REPARSE_POINT);
        status = NT_SUCCESS(file.status()) ? file.query(which, information) : file.status();
    }
    return NT_SUCCESS(status) ? ke::copy_out(result, information, mode) : status;
}

NTSTATUS delete_file(const OBJECT_ATTRIBUTES* attributes) noexcept {
    const Opened file(attributes, DELETE, FILE_DELETE_ON_CLOSE);
    return file.status();
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI NtQueryAttributesFile(POBJECT_ATTRIBUTES ObjectAttributes, PFILE_BASIC_INFORMATION FileInformation) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryAttributesFile);
        return query_attributes(ObjectAttributes, FileBasicInformation, FileInformation);
    });
}

NTSTATUS NTAPI NtQueryFullAttributesFile(POBJECT_ATTRIBUTES ObjectAttributes,
                                         PFILE_NETWORK_OPEN_INFORMATION FileInformation) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtQueryFullAttributesFile);
        return query_attributes(ObjectAttributes, FileNetworkOpenInformation, FileInformation);
    });
}

NTSTATUS NTAPI ZwQueryFullAttributesFile(POBJECT_ATTRIBUTES ObjectAttributes,
                                         PFILE_NETWORK_OPEN_INFORMATION FileInformation) {
    DIRQL_DOOR(ZwQueryFullAttributesFile);
    const ke::KernelModeCaller kernel;
    return NtQueryFullAttributesFile(ObjectAttributes, FileInformation);
}

NTSTATUS NTAPI NtDeleteFile(POBJECT_ATTRIBUTES ObjectAttributes) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtDeleteFile);
        return delete_file(ObjectAttributes);
    });
}

NTSTATUS NTAPI ZwDeleteFile(POBJECT_ATTRIBUTES ObjectAttributes) {
    DIRQL_DOOR(ZwDeleteFile);
    const ke::KernelModeCaller kernel;
    return NtDeleteFile(ObjectAttributes);
}
}
