// Cancel-safe queues: the driver keeps the IRPs and the lock, these routines keep the protocol with IoCancelIrp.
//
// An IRP in the queue has our cancel routine. Whoever exchanges it for null first owns the IRP: the one who removes it, or the
// one who cancels it. A canceller that has won finds the IRP still in the queue and takes it out under the queue's lock; until
// then a removal passes it over. IRP::Tail.Overlay.DriverContext[3] leads from the IRP to the queue, through the insertion's
// context where it has one: both begin with a type.
#include "io/cancel.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"
#include "io/state.hpp"

namespace dirql::io {
namespace {

void*& link_of(PIRP irp) noexcept { return irp->Tail.Overlay.DriverContext[3]; }

ULONG type_of(const void* link) noexcept { return *static_cast<const ULONG*>(link); }

// The context of an insertion, or null.
PIO_CSQ_IRP_CONTEXT context_of(PIRP irp) noexcept {
    void* link = link_of(irp);
    return link != nullptr && type_of(link) == IO_TYPE_CSQ_IRP_CONTEXT ? static_cast<PIO_CSQ_IRP_CONTEXT>(link)
                                                                       : nullptr;
}

template <class Routine> const void* address(Routine routine) noexcept {
    return reinterpret_cast<const void*>(routine);
}

// IO_CSQ has one field for both forms of the insertion; its Type says which one is there.
template <class To, class From> To routine_cast(From routine) noexcept {
    return reinterpret_cast<To>(reinterpret_cast<void*>(routine));
}

// The lock routines change the IRQL and what is held: their callouts cannot be held against before and after.
template <class Routine, class... Arguments> void call_lock_routine(Routine routine, Arguments... arguments) noexcept {
    const ke::CalloutSite site{ke::CalloutKind::other, address(routine)};
    ke::trace_callout_entry(site);
    routine(arguments...);
    ke::leave_callout(ke::current_processor());
    ke::trace_callout_exit(site, nullptr);
}

// The driver's lock, held while this lives.
class QueueLock {
public:
    explicit QueueLock(PIO_CSQ csq) noexcept : csq_(csq), irql_(PASSIVE_LEVEL) {
        csq_->ReservePointer = nullptr;
        call_lock_routine(csq_->CsqAcquireLock, csq_, &irql_);
    }
    ~QueueLock() { call_lock_routine(csq_->CsqReleaseLock, csq_, irql_); }
    QueueLock(const QueueLock&) = delete;
    QueueLock& operator=(const QueueLock&) = delete;

private:
    PIO_CSQ csq_;
    KIRQL irql_;
};

NTSTATUS call_insert(PIO_CSQ csq, PIRP irp, PVOID insert_context) noexcept {
    if (csq->Type == IO_TYPE_CSQ_EX) {
        const auto insert = routine_cast<PIO_CSQ_INSERT_IRP_EX>(csq->CsqInsertIrp);
        return ke::callout({ke::CalloutKind::other, address(insert), nullptr, irp}, insert, csq, irp, insert_context);
    }
    const PIO_CSQ_INSERT_IRP insert = csq->CsqInsertIrp;
    ke::callout({ke::CalloutKind::other, address(insert), nullptr, irp}, insert, csq, irp);
    return STATUS_SUCCESS;
}

PIRP call_peek(PIO_CSQ csq, PIRP after, PVOID peek_context) noexcept {
    const PIO_CSQ_PEEK_NEXT_IRP peek = csq->CsqPeekNextIrp;
    return ke::callout({ke::CalloutKind::other, address(peek), nullptr, after}, peek, csq, after, peek_context);
}

// Out of the queue, and out of touch with it. The lock is held, and the cancel routine was ours to take away.
void take_out(PIO_CSQ csq, PIRP irp) noexcept {
    const PIO_CSQ_REMOVE_IRP remove = csq->CsqRemoveIrp;
    ke::callout({ke::CalloutKind::other, address(remove), nullptr, irp}, remove, csq, irp);
    if (PIO_CSQ_IRP_CONTEXT context = context_of(irp)) context->Irp = nullptr;
    link_of(irp) = nullptr;
}

void complete_cancelled(PIO_CSQ csq, PIRP irp) noexcept {
    const PIO_CSQ_COMPLETE_CANCELED_IRP complete = csq->CsqCompleteCanceledIrp;
    ke::callout({ke::CalloutKind::other, address(complete), nullptr, irp}, complete, csq, irp);
}

// Called with the cancel spin lock, which comes before the queue's own in nobody's order: it is released first.
void NTAPI cancel_queued(PDEVICE_OBJECT, PIRP irp) {
    ke::release_spin_lock(&state().cancel_lock);
    ke::lower_irql(ke::current_processor(), irp->CancelIrql);
    PIO_CSQ_IRP_CONTEXT context = context_of(irp);
    PIO_CSQ csq = context != nullptr ? context->Csq : static_cast<PIO_CSQ>(link_of(irp));
    {
        const QueueLock lock(csq);
        take_out(csq, irp);
    }
    complete_cancelled(csq, irp);
}

// The IRP's cancel routine is set and somebody has cancelled it, perhaps before it was set. True: the IRP is ours to complete.
bool take_back_if_cancelled(PIRP irp) noexcept {
    return irp->Cancel != FALSE && IoSetCancelRoutine(irp, nullptr) != nullptr;
}

enum class Inserted : std::uint8_t { queued, refused, cancelled };

struct Insertion {
    PIO_CSQ_IRP_CONTEXT context;
    PVOID insert_context;
};

// Under the queue's lock. One that is cancelled already is not inserted; one that is cancelled meanwhile is taken out again.
Inserted insert_locked(PIO_CSQ csq, PIRP irp, const Insertion& insertion, NTSTATUS& status) noexcept {
    if (irp->Cancel != FALSE) {
        IoMarkIrpPending(irp);
        if (insertion.context != nullptr) insertion.context->Irp = nullptr;
        link_of(irp) = nullptr;
        return Inserted::cancelled;
    }
    status = call_insert(csq, irp, insertion.insert_context);
    if (!NT_SUCCESS(status)) return Inserted::refused;
    IoMarkIrpPending(irp);
    (void)IoSetCancelRoutine(irp, cancel_queued);
    if (!take_back_if_cancelled(irp)) return Inserted::queued; // or its canceller waits for the lock
    take_out(csq, irp);
    return Inserted::cancelled;
}

NTSTATUS insert(PIO_CSQ csq, PIRP irp, const Insertion& insertion) noexcept {
    if (PIO_CSQ_IRP_CONTEXT context = insertion.context) {
        *context = {IO_TYPE_CSQ_IRP_CONTEXT, irp, csq};
        link_of(irp) = context;
    } else {
        link_of(irp) = csq;
    }
    NTSTATUS status = STATUS_SUCCESS;
    Inserted inserted;
    {
        const QueueLock lock(csq);
        inserted = insert_locked(csq, irp, insertion, status);
    }
    if (inserted == Inserted::cancelled) complete_cancelled(csq, irp);
    return status;
}

PIRP remove(PIO_CSQ csq, PIO_CSQ_IRP_CONTEXT context) noexcept {
    const QueueLock lock(csq);
    PIRP irp = context->Irp;
    if (irp == nullptr || IoSetCancelRoutine(irp, nullptr) == nullptr) return nullptr; // cancelled, or about to be
    take_out(csq, irp);
    return irp;
}

PIRP remove_next(PIO_CSQ csq, PVOID peek_context) noexcept {
    const QueueLock lock(csq);
    PIRP irp = call_peek(csq, nullptr, peek_context);
    while (irp != nullptr && IoSetCancelRoutine(irp, nullptr) == nullptr) irp = call_peek(csq, irp, peek_context);
    if (irp != nullptr) take_out(csq, irp);
    return irp;
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                               PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                               PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                               PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp) {
    DIRQL_DOOR(IoCsqInitialize);
    *Csq = {IO_TYPE_CSQ,    CsqInsertIrp,   CsqRemoveIrp,           CsqPeekNextIrp,
            CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp, nullptr};
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                                 PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock,
                                 PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                                 PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp) {
    DIRQL_DOOR(IoCsqInitializeEx);
    *Csq = {IO_TYPE_CSQ_EX,         routine_cast<PIO_CSQ_INSERT_IRP>(CsqInsertIrp),
            CsqRemoveIrp,           CsqPeekNextIrp,
            CsqAcquireLock,         CsqReleaseLock,
            CsqCompleteCanceledIrp, nullptr};
    return STATUS_SUCCESS;
}

VOID NTAPI IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context) {
    DIRQL_DOOR(IoCsqInsertIrp);
    (void)insert(Csq, Irp, {Context, nullptr});
}

NTSTATUS NTAPI IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext) {
    DIRQL_DOOR(IoCsqInsertIrpEx);
    return insert(Csq, Irp, {Context, InsertContext});
}

PIRP NTAPI IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context) {
    DIRQL_DOOR(IoCsqRemoveIrp);
    return remove(Csq, Context);
}

PIRP NTAPI IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext) {
    DIRQL_DOOR(IoCsqRemoveNextIrp);
    return remove_next(Csq, PeekContext);
}
}
