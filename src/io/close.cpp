// Closing: IRP_MJ_CLEANUP when the last handle goes, IRP_MJ_CLOSE when the last reference goes. And the lock of a synchronous file.
#include "diag/trace.hpp"
#include "ex/pool.hpp"
#include "io/call_driver.hpp"
#include "io/cancel.hpp"
#include "io/file.hpp"
#include "io/irp.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ke/wait_in_mode.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

constexpr LONGLONG a_moment = -500'000; // 50 ms, in units of 100 ns
constexpr int most_moments = 200;

// Closing does not fail for want of memory: as on NT it waits for some. Where none comes in ten seconds nothing can go on.
PIRP allocate_in_time(CCHAR stack_size) noexcept {
    PIRP irp = allocate_irp(stack_size);
    for (int i = 0; irp == nullptr && i < most_moments; ++i) {
        LARGE_INTEGER interval{.QuadPart = a_moment};
        KeDelayExecutionThread(KernelMode, FALSE, &interval);
        irp = allocate_irp(stack_size);
    }
    if (irp == nullptr) ke::bug_check(NO_PAGES_AVAILABLE);
    return irp;
}

PIRP build(PDEVICE_OBJECT top, PFILE_OBJECT file, UCHAR major) noexcept {
    PIRP irp = allocate_in_time(top->StackSize);
    irp->Flags = IRP_CLOSE_OPERATION | IRP_SYNCHRONOUS_API;
    irp->RequestorMode = KernelMode;
    irp->Tail.Overlay.OriginalFileObject = file;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = major;
    next->FileObject = file;
    return irp;
}

// These IRPs belong to no thread and hold no reference to their file: who sends one waits for it here.
void send(PFILE_OBJECT file, UCHAR major, PDEVICE_OBJECT top) noexcept {
    PIRP irp = build(top, file, major);
    KEVENT event;
    KeInitializeEvent(&event, SynchronizationEvent, FALSE);
    IO_STATUS_BLOCK result{};
    irp->UserIosb = &result;
    irp->UserEvent = &event;
    if (call_driver(top, irp) == STATUS_PENDING) ke::wait_for(&event);
}

} // namespace

void clean_up(PFILE_OBJECT file, PDEVICE_OBJECT device) noexcept {
    file->Flags |= FO_CLEANUP_COMPLETE;
    send(file, IRP_MJ_CLEANUP, device);
}

NTSTATUS file_handle_opened(const ob::HandleOpen& open) noexcept {
    static_cast<PFILE_OBJECT>(open.object)->Flags |= FO_HANDLE_CREATED;
    return STATUS_SUCCESS;
}

void file_handle_closed(const ob::HandleClose& close) noexcept {
    auto* file = static_cast<PFILE_OBJECT>(close.object);
    if (close.handles != 1 || (file->Flags & FO_FILE_OPEN) == 0) return;
    const bool locked = is_synchronous(file) && acquire_file_lock(file, KernelMode) == STATUS_SUCCESS;
    clean_up(file, device_for(file));
    if (locked) release_file_lock(file);
}

void destroy_file(void* body) noexcept {
    auto* file = static_cast<PFILE_OBJECT>(body);
    PDEVICE_OBJECT device = file->DeviceObject; // null: the open failed
    if (device != nullptr) {
        const bool needs_cleanup = (file->Flags & FO_CLEANUP_COMPLETE) == 0; // it never had a handle
        if (needs_cleanup) clean_up(file, device_for(file));
        send(file, IRP_MJ_CLOSE, device_for(file));
    }
    if (file->CompletionContext != nullptr) ob::dereference(file->CompletionContext->Port);
    if (file->FileName.Buffer != nullptr) ex::free_pool(file->FileName.Buffer, 0);
    if (device != nullptr) dereference_device(device);
}

NTSTATUS wait_for_file_lock(PFILE_OBJECT file, KPROCESSOR_MODE mode) noexcept {
    file->Waiters = file->Waiters + 1;
    const NTSTATUS status = ke::wait_in_mode(&file->Lock, mode, (file->Flags & FO_ALERTABLE_IO) != 0);
    file->Waiters = file->Waiters - 1;
    return status;
}

// With somebody waiting, the lock passes on without falling free. Where that wait was ended meanwhile, the event stays set and
// the next one to ask has the lock at once.
void release_file_lock(PFILE_OBJECT file) noexcept {
    if (file->Waiters != 0) {
        KeSetEvent(&file->Lock, 0, FALSE);
    } else {
        file->Busy = 0;
    }
}

void cancel_file_requests(PFILE_OBJECT file) noexcept {
    const auto on_file = [](PIRP irp, const void* wanted) { return irp->Tail.Overlay.OriginalFileObject == wanted; };
    cancel_matching(*ke::current_thread(), on_file, file);
}

} // namespace dirql::io
