#include "io/left_requests.hpp"

#include "ex/pool.hpp"
#include "io/attended.hpp"
#include "io/cancel.hpp"
#include "io/file.hpp"
#include "io/irp.hpp"
#include "ke/apc.hpp"
#include "mm/mdl.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

bool any_request(PIRP, const void*) noexcept { return true; }

bool takes_apcs(const ke::Thread& thread) noexcept {
    return thread.apc_queue_shut == 0 && thread.state != ke::ThreadState::terminated;
}

// Any thread that can reach the issuer's memory will do: the current one, where it is of the process, spares a switch.
ke::Thread* stand_in(ke::Process& process) noexcept {
    const ke::Processor& processor = *ke::current_processor();
    ke::Thread& self = *processor.current;
    if (&self != processor.idle_thread && &ps::process_of(self) == &process && takes_apcs(self)) return &self;
    for (LIST_ENTRY* e = process.threads.Flink; e != &process.threads; e = e->Flink) {
        auto* thread = CONTAINING_RECORD(e, ke::Thread, process_entry);
        if (takes_apcs(*thread)) return thread;
    }
    return nullptr;
}

// One of the thread's requests is over.
void let_go(ke::Thread& thread) noexcept {
    if (!thread.io.left_requests || !IsListEmpty(&thread.irp_list)) return;
    thread.io.left_requests = false;
    RemoveEntryList(&thread.process_entry);
    thread.process_entry.Flink = nullptr;
    ob::dereference(&thread);
}

void drop_left(PIRP irp, ke::Thread& thread, PFILE_OBJECT file) noexcept {
    dequeue_from_thread(irp);
    drop_request(irp, file);
    let_go(thread);
}

void NTAPI left_apc(PKAPC apc, ke::NormalRoutine*, PVOID*, PVOID* argument1, PVOID* argument2) {
    ke::Thread& thread = *static_cast<ke::Thread*>(*argument2);
    finish_request(CONTAINING_RECORD(apc, IRP, Tail.Apc), static_cast<PFILE_OBJECT>(*argument1));
    let_go(thread);
}

void NTAPI left_rundown_apc(PKAPC apc) {
    drop_left(CONTAINING_RECORD(apc, IRP, Tail.Apc), *static_cast<ke::Thread*>(apc->SystemArgument2),
              static_cast<PFILE_OBJECT>(apc->SystemArgument1));
}

ke::Thread* first_with_requests(LIST_ENTRY& threads) noexcept {
    for (LIST_ENTRY* e = threads.Flink; e != &threads; e = e->Flink) {
        auto* thread = CONTAINING_RECORD(e, ke::Thread, process_entry);
        if (!IsListEmpty(&thread->irp_list)) return thread;
    }
    return nullptr;
}
ke::Thread* first_with_requests(ke::Process& process) noexcept {
    ke::Thread* thread = first_with_requests(process.threads);
    return thread != nullptr ? thread : first_with_requests(process.ended_threads);
}

} // namespace

bool outlives_thread(PIRP irp) noexcept {
    PFILE_OBJECT file = irp->Tail.Overlay.OriginalFileObject;
    return file != nullptr && (file->Flags & (FO_SYNCHRONOUS_IO | FO_QUEUE_IRP_TO_THREAD)) == 0 &&
           file->CompletionContext != nullptr && (irp->Flags & IRP_SYNCHRONOUS_API) == 0 &&
           irp->Overlay.AsynchronousParameters.UserApcRoutine == nullptr;
}

// From its rundown on no APC reaches it. Until it is reaped, its requests end without it being in the list.
bool keep_ended_thread(ke::Thread& thread) noexcept {
    if (IsListEmpty(&thread.irp_list)) return false;
    InsertTailList(&ps::process_of(thread).ended_threads, &thread.process_entry);
    thread.io.left_requests = true;
    return true;
}

// Threads that are not reaped yet may have some as well.
void end_left_requests(ke::Process& process) noexcept {
    if (first_with_requests(process) == nullptr) return;
    cancel_matching(process, any_request, nullptr);
    wait_patiently(
        [](const void* ending) {
            return first_with_requests(*const_cast<ke::Process*>(static_cast<const ke::Process*>(ending))) == nullptr;
        },
        &process);
    while (ke::Thread* thread = first_with_requests(process)) {
        ob::reference(thread);
        while (!IsListEmpty(&thread->irp_list))
            abandon_request(CONTAINING_RECORD(thread->irp_list.Flink, IRP, ThreadListEntry));
        let_go(*thread);
        ob::dereference(thread);
    }
}

void finish_left_request(PIRP irp, ke::Thread& thread, PFILE_OBJECT file, CCHAR boost) noexcept {
    ke::Thread* const other = stand_in(ps::process_of(thread));
    if (other != nullptr) {
        KAPC& apc = irp->Tail.Apc;
        ke::initialize_apc(apc, *other, left_apc, left_rundown_apc, nullptr, KernelMode, nullptr);
        if (ke::insert_apc(apc, file, &thread, boost)) return;
    }
    drop_left(irp, thread, file);
}

void drop_request(PIRP irp, PFILE_OBJECT file) noexcept {
    if ((irp->Flags & IRP_DEALLOCATE_BUFFER) != 0) ex::free_pool(irp->AssociatedIrp.SystemBuffer, 0);
    while (PMDL mdl = irp->MdlAddress) {
        irp->MdlAddress = mdl->Next;
        mm::free_mdl(mdl);
    }
    if (file != nullptr && irp->UserEvent != nullptr) release_event(irp, file);
    if (file != nullptr) ob::dereference(file);
    free_irp(irp);
}

void abandon_request(PIRP irp) noexcept {
    dequeue_from_thread(irp);
    irp->Tail.Overlay.Thread = nullptr;
}

} // namespace dirql::io
