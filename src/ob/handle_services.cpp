// System services for handles of any type.
#include "ke/exports/ob.hpp"
#include "ke/system_service.hpp"
#include "ke/user_memory.hpp"
#include "ob/handle_table.hpp"
#include "ob/services.hpp"

namespace dirql::ob {
namespace {

NTSTATUS make_temporary_by_handle(HANDLE handle) noexcept {
    void* object = nullptr;
    const NTSTATUS status = reference_by_handle(handle, DELETE, nullptr, ke::previous_mode(), &object);
    if (!NT_SUCCESS(status)) return status;
    make_temporary(object);
    dereference(object);
    return STATUS_SUCCESS;
}

} // namespace
} // namespace dirql::ob

using namespace dirql;

extern "C" {

// Destructors of an application's C++ objects close handles, so a stopped machine is a status here, not an exception.
NTSTATUS NTAPI NtClose(HANDLE Handle) {
    return ke::system_service<ke::OnStop::status>([&] {
        DIRQL_DOOR(NtClose);
        return ob::close(Handle, ke::previous_mode());
    });
}

NTSTATUS NTAPI ZwClose(HANDLE Handle) {
    DIRQL_DOOR(ZwClose);
    const ke::KernelModeCaller caller;
    return NtClose(Handle);
}

NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE PreviousMode) {
    DIRQL_DOOR(ObCloseHandle);
    return ob::close(Handle, PreviousMode);
}

NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE Handle) {
    return ke::system_service([&] {
        DIRQL_DOOR(NtMakeTemporaryObject);
        return ob::make_temporary_by_handle(Handle);
    });
}

NTSTATUS NTAPI ZwMakeTemporaryObject(HANDLE Handle) {
    DIRQL_DOOR(ZwMakeTemporaryObject);
    const ke::KernelModeCaller caller;
    return NtMakeTemporaryObject(Handle);
}
}
