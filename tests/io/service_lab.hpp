// A driver that is told of every request, notes what it was shown and answers what the test says.
#pragma once

#include "closure_driver.hpp"

#include "io/services.hpp"

namespace dirql::test {

// What the driver was shown of the last request, and what it answers.
struct ServiceLab : Lab {
    explicit ServiceLab(ULONG flags = 0, PFAST_IO_DISPATCH fast = nullptr) {
        for (unsigned major = 0; major <= IRP_MJ_MAXIMUM_FUNCTION; ++major)
            behaviour[major] = [this](PDEVICE_OBJECT, PIRP irp) { return serve(irp); };
        load("services", [=, this](PDRIVER_OBJECT driver) {
            driver->FastIoDispatch = fast;
            return create_device(driver, u"\\Device\\F", behaviour, flags, &device);
        });
    }
    NTSTATUS serve(PIRP irp) {
        const IO_STACK_LOCATION& location = *IoGetCurrentIrpStackLocation(irp);
        if (location.MajorFunction == IRP_MJ_CREATE) {
            create_options = location.Parameters.Create.Options;
            desired = location.Parameters.Create.SecurityContext->DesiredAccess;
        }
        majors.push_back(location.MajorFunction);
        if (location.MajorFunction == IRP_MJ_CREATE || location.MajorFunction == IRP_MJ_CLEANUP ||
            location.MajorFunction == IRP_MJ_CLOSE)
            return complete(irp, STATUS_SUCCESS, FILE_OPENED);
        seen = location;
        if (look) look(irp);
        if (pends) {
            pended = irp;
            if (cancellable) IoSetCancelRoutine(irp, on_cancel);
            return pend(irp);
        }
        return complete(irp, status, information);
    }
    static VOID NTAPI on_cancel(PDEVICE_OBJECT, PIRP irp) {
        IoReleaseCancelSpinLock(irp->CancelIrql);
        complete(irp, STATUS_CANCELLED);
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    IO_STACK_LOCATION seen{};
    std::vector<unsigned> majors;
    ULONG create_options = 0;
    ACCESS_MASK desired = 0;
    std::function<void(PIRP)> look;
    NTSTATUS status = STATUS_SUCCESS;
    ULONG_PTR information = 0;
    bool pends = false;
    bool cancellable = false;
    PIRP pended = nullptr;
};

inline NTSTATUS lock(HANDLE file, LONGLONG offset, LONGLONG length, BOOLEAN exclusive = FALSE,
                     IO_STATUS_BLOCK* to = nullptr) {
    LARGE_INTEGER at{.QuadPart = offset};
    LARGE_INTEGER count{.QuadPart = length};
    IO_STATUS_BLOCK block;
    return NtLockFile(file, nullptr, nullptr, nullptr, to == nullptr ? &block : to, &at, &count, 42, TRUE, exclusive);
}

} // namespace dirql::test
