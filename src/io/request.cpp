#include "io/request.hpp"

#include "ex/pool.hpp"
#include "io/attended.hpp"
#include "io/call_driver.hpp"
#include "io/completion_port.hpp"
#include "io/device.hpp"
#include "io/file.hpp"
#include "io/types.hpp"
#include "ke/irql.hpp"
#include "ke/user_memory.hpp"
#include "ke/wait.hpp"
#include "ke/wait_in_mode.hpp"
#include "mm/mdl.hpp"
#include "ob/event.hpp"
#include "ob/handle_table.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

#include <cstring>

namespace dirql::io {
namespace {

constexpr ULONG buffer_tag = 'BSoI';

NTSTATUS check_status_block(PIO_STATUS_BLOCK block, KPROCESSOR_MODE mode) noexcept {
    return mode == KernelMode ? STATUS_SUCCESS : ke::probe_user(block, sizeof *block, true);
}

} // namespace

// The rest of begin(): `body` is the file, with a reference that the request takes over.
inline NTSTATUS FileRequest::begin_on(void* body, HANDLE event, PIO_STATUS_BLOCK status_block) noexcept {
    file_ = static_cast<PFILE_OBJECT>(body);
    if (mode_ != KernelMode) {
        const NTSTATUS status = check_status_block(status_block, mode_);
        if (!NT_SUCCESS(status)) return status;
    }
    status_block_ = status_block;
    if (event != nullptr) {
        const NTSTATUS status = ob::reference_by_handle(event, EVENT_MODIFY_STATE, &ob::event_type, mode_, &body);
        if (!NT_SUCCESS(status)) return status;
        event_ = static_cast<PKEVENT>(body);
        event_->Header.SignalState = 0;
    }
    device_ = top_of_stack(related_device(file_));
    return STATUS_SUCCESS;
}

NTSTATUS FileRequest::begin(HANDLE file, ACCESS_MASK access, HANDLE event, PIO_STATUS_BLOCK status_block) noexcept {
    ke::Thread& thread = *ke::current_thread();
    mode_ = thread.previous_mode;
    void* body = ob::lookup(*thread.process, file, &file_type, access, mode_, &rights_);
    if (body == nullptr) [[unlikely]]
        return begin_slowly(file, access, event, status_block);
    return begin_on(body, event, status_block);
}

// Handles of the kernel, and those that are not good. Files that were opened below some device are such ones as a rule.
NTSTATUS FileRequest::begin_slowly(HANDLE file, ACCESS_MASK access, HANDLE event,
                                   PIO_STATUS_BLOCK status_block) noexcept {
    void* body = nullptr;
    OBJECT_HANDLE_INFORMATION information{};
    NTSTATUS status = ob::reference_by_handle(file, access, &file_type, mode_, &body, &information);
    if (!NT_SUCCESS(status)) return status;
    rights_ = {{information.GrantedAccess}, 0, ob::data_flags_of(information.GrantedAccess)};
    status = begin_on(body, event, status_block);
    if (NT_SUCCESS(status)) device_ = device_for(file_);
    return status;
}

FileRequest::~FileRequest() {
    if (irp_ != nullptr) { // it was not sent
        if (is_attended(irp_)) free_auxiliary_buffer(irp_);
        if (irp_->AssociatedIrp.SystemBuffer != nullptr) ex::free_pool(irp_->AssociatedIrp.SystemBuffer, 0);
        if (irp_->MdlAddress != nullptr) {
            if ((irp_->MdlAddress->MdlFlags & MDL_PAGES_LOCKED) != 0) mm::unlock_pages(irp_->MdlAddress);
            mm::free_mdl(irp_->MdlAddress);
        }
        free_irp(irp_);
    }
    if (locked_) release_file_lock(file_);
    if (event_ != nullptr) ob::dereference(event_);
    if (file_ != nullptr) ob::dereference(file_);
}

NTSTATUS FileRequest::lock_file() noexcept {
    if (locked_ || !is_synchronous(file_)) return STATUS_SUCCESS;
    if (const NTSTATUS status = acquire_file_lock(file_, mode_); status != STATUS_SUCCESS) return status;
    locked_ = true;
    return STATUS_SUCCESS;
}

NTSTATUS FileRequest::make_irp(UCHAR major) noexcept {
    if (const NTSTATUS status = lock_file(); status != STATUS_SUCCESS) return status;
    file_->Event.Header.SignalState = 0;
    PIRP const irp = allocate_bare_irp(device_->StackSize);
    irp_ = irp;
    if (irp == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    ke::Thread* const thread = ke::current_thread();
    irp->RequestorMode = static_cast<CHAR>(mode_);
    irp->ApcEnvironment = thread->apc_environment;
    irp->Tail.Overlay.OriginalFileObject = file_;
    irp->Tail.Overlay.Thread = ps::as_ethread(thread);
    irp->UserIosb = status_block_;
    irp->UserEvent = event_;
    irp->Flags = IRP_DEFER_IO_COMPLETION;
    PIO_STACK_LOCATION location = next();
    location->MajorFunction = major;
    location->FileObject = file_;
    return STATUS_SUCCESS;
}

NTSTATUS FileRequest::attend(PIO_APC_ROUTINE routine, PVOID context) noexcept {
    if (routine != nullptr && file_->CompletionContext != nullptr && mode_ != KernelMode)
        return STATUS_INVALID_PARAMETER;
    irp_->Overlay.AsynchronousParameters.UserApcRoutine = routine;
    irp_->Overlay.AsynchronousParameters.UserApcContext = context;
    mark_attended(irp_, file_);
    return STATUS_SUCCESS;
}

void FileRequest::set_auxiliary_buffer(void* pool) noexcept {
    mark_attended(irp_, file_);
    prefix_of(irp_)->auxiliary = pool;
}

NTSTATUS FileRequest::finish_fast(const IO_STATUS_BLOCK& result, PVOID apc_context) noexcept {
    if (!NT_SUCCESS(ke::copy_out(status_block_, result, mode_))) return STATUS_ACCESS_VIOLATION;
    if (event_ != nullptr && (file_->Flags & FO_SKIP_SET_FAST_IO) == 0) KeSetEvent(event_, 0, FALSE);
    if (file_->CompletionContext == nullptr || apc_context == nullptr) return result.Status;
    if ((file_->Flags & FO_SKIP_COMPLETION_PORT) != 0 && !NT_ERROR(result.Status)) return result.Status;
    const PIO_COMPLETION_CONTEXT port = file_->CompletionContext;
    const NTSTATUS queued = queue_packet(port->Port, {port->Key, apc_context, result});
    return NT_SUCCESS(queued) ? result.Status : queued;
}

// The drivers' work is done and no APC was needed: the last stage runs here.
void FileRequest::finish_here() noexcept {
    PIRP irp = irp_;
    irp_ = nullptr;
    const KIRQL irql = ke::raise_irql(ke::current_processor(), APC_LEVEL);
    finish_request(irp, file_);
    ke::lower_irql(ke::current_processor(), irql);
}

// A synchronous file's caller waits here. A wait that ends early, because of an alert or since the thread is to end, cancels the
// request, then waits for its end.
NTSTATUS FileRequest::wait_for_file() noexcept {
    const bool alertable = (file_->Flags & FO_ALERTABLE_IO) != 0;
    if (ke::wait_in_mode(&file_->Event, mode_, alertable) != STATUS_SUCCESS) {
        cancel_file_requests(file_);
        ke::wait_for(&file_->Event);
    }
    return file_->FinalStatus;
}

NTSTATUS FileRequest::send() noexcept {
    PIRP irp = irp_;
    const bool synchronous = is_synchronous(file_);
    PFILE_OBJECT file = file_;
    queue_to_thread(irp, thread_of(irp));
    if (synchronous) {
        ob::reference(file); // the lock and the wait outlive the request's own reference
    } else if ((file->Flags & FO_SKIP_SET_EVENT) != 0) [[unlikely]] {
        mark_attended(irp, file);
    }
    event_ = nullptr; // the request's now
    NTSTATUS status = call_driver(device_, irp);
    if (status != STATUS_PENDING) {
        finish_here();
    } else {
        irp_ = nullptr;
        if (synchronous) status = wait_for_file();
    }
    if (!synchronous) file_ = nullptr;
    return status;
}

NTSTATUS FileRequest::make_system_buffer(ULONG size, const void* input, ULONG input_size, void* output,
                                         ULONG output_size) noexcept {
    if (size == 0) return STATUS_SUCCESS;
    void* buffer = ex::allocate_pool(NonPagedPoolNx, size, buffer_tag, ex::Fill::none);
    if (buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    irp_->AssociatedIrp.SystemBuffer = buffer;
    if (input_size != 0 && !NT_SUCCESS(ke::copy_bytes_in(buffer, input, input_size, mode_)))
        return STATUS_ACCESS_VIOLATION;
    if (size > input_size) std::memset(static_cast<std::byte*>(buffer) + input_size, 0, size - input_size);
    irp_->UserBuffer = output;
    irp_->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
    if (output_size != 0) irp_->Flags |= IRP_INPUT_OPERATION;
    prefix_of(irp_)->output_size = output_size;
    return STATUS_SUCCESS;
}

NTSTATUS FileRequest::make_mdl(void* buffer, ULONG size, LOCK_OPERATION operation) noexcept {
    PMDL mdl = mm::allocate_mdl(buffer, size);
    if (mdl == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    irp_->MdlAddress = mdl;
    return mm::lock_pages(mdl, mode_, operation);
}

} // namespace dirql::io
