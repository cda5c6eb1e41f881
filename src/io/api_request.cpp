#include "io/api_request.hpp"

#include "io/call_driver.hpp"
#include "io/file.hpp"
#include "ke/user_memory.hpp"
#include "ke/wait.hpp"
#include "ke/wait_in_mode.hpp"
#include "ob/object.hpp"

namespace dirql::io {

NTSTATUS ApiRequest::begin(HANDLE file, ACCESS_MASK access, PIO_STATUS_BLOCK status_block) noexcept {
    return FileRequest::begin(file, access, nullptr, status_block);
}

void ApiRequest::begin_for(PFILE_OBJECT file) noexcept {
    ob::reference(file);
    file_ = file;
    mode_ = KernelMode;
    device_ = device_for(file);
    by_object_ = true;
}

NTSTATUS ApiRequest::make_irp(UCHAR major) noexcept {
    const NTSTATUS status = FileRequest::make_irp(major);
    if (status != STATUS_SUCCESS || (is_synchronous(file_) && !by_object_)) return status;
    KeInitializeEvent(&own_event_, SynchronizationEvent, FALSE);
    irp_->UserEvent = &own_event_;
    irp_->UserIosb = &result_;
    irp_->Flags |= IRP_SYNCHRONOUS_API;
    return status;
}

NTSTATUS ApiRequest::send() noexcept {
    if ((irp_->Flags & IRP_SYNCHRONOUS_API) == 0) return FileRequest::send();
    ob::reference(file_); // the IRP's own goes with its end
    queue_to_thread(irp_, *ke::current_thread());
    NTSTATUS status = call_driver(device_, irp_);
    if (status == STATUS_PENDING) {
        irp_ = nullptr;
        if (ke::wait_in_mode(&own_event_, mode_, false) != STATUS_SUCCESS) { // the thread is to end
            cancel_file_requests(file_);
            ke::wait_for(&own_event_);
        }
        status = result_.Status;
    } else {
        const IO_STATUS_BLOCK result = irp_->IoStatus;
        finish_here();
        if (NT_ERROR(status)) { // and the caller's status block stays as it is
            result_ = result;
            return status;
        }
        status = result_.Status;
    }
    const NTSTATUS written = ke::copy_out_if_wanted(status_block_, result_, mode_);
    return NT_SUCCESS(written) ? status : written;
}

NTSTATUS ApiRequest::answer(NTSTATUS status, ULONG_PTR information) noexcept {
    result_ = {{status}, information};
    const NTSTATUS written = ke::copy_out_if_wanted(status_block_, result_, mode_);
    return NT_SUCCESS(written) ? status : written;
}

} // namespace dirql::io
