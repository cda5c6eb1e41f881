// Cancelling IRPs: the system's cancel spin lock, cancel routines, and what a thread leaves behind when it ends.
#include "io/cancel.hpp"

#include "diag/trace.hpp"
#include "io/irp.hpp"
#include "io/left_requests.hpp"
#include "io/system_thread.hpp"
#include "io/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ob/object.hpp"

namespace dirql::io {
namespace {

KIRQL acquire_cancel_lock() noexcept {
    const KIRQL irql = ke::raise_irql(ke::current_processor(), DISPATCH_LEVEL);
    ke::acquire_spin_lock(&state().cancel_lock);
    return irql;
}

void release_cancel_lock(KIRQL irql) noexcept {
    ke::release_spin_lock(&state().cancel_lock);
    ke::lower_irql(ke::current_processor(), irql);
}

// A cancelled IRP may sit in a driver that does not notice for as long as this.
constexpr LONGLONG rundown_patience = LONGLONG{5} * 60 * 10'000'000; // five minutes, as on NT
constexpr LONGLONG rundown_look = LONGLONG{100} * 10'000;            // a look each 100 ms

// The cancel lock is held; `irql` is the level before it was taken.
bool cancel_locked(PIRP irp, KIRQL irql) noexcept {
    irp->Cancel = TRUE;
    DIRQL_TRACE(irp_cancel, .irp = irp);
    const PDRIVER_CANCEL routine = IoSetCancelRoutine(irp, nullptr);
    if (routine == nullptr) {
        release_cancel_lock(irql);
        return false;
    }
    if (irp->CurrentLocation > irp->StackCount + 1) {
        ke::bug_check(CANCEL_STATE_IN_COMPLETED_IRP, ke::parameter(irp), reinterpret_cast<std::uint64_t>(routine), 0, 0,
                      {.rule = "an IRP that is already completed was cancelled",
                       .document = "IoCancelIrp function (wdm.h)",
                       .irp = irp});
    }
    irp->CancelIrql = irql;
    call_cancel_routine(routine, irp);
    return true;
}

// How things must stand when a cancel routine has returned: the IRP may be gone by then.
struct AfterCancel {
    PDRIVER_CANCEL routine;
    PDEVICE_OBJECT device;
    KIRQL irql;
    unsigned held;
    std::uint32_t regions;
};

[[noreturn, gnu::cold]] void cancel_violation(const AfterCancel& expected) noexcept {
    const ke::Processor& processor = *ke::current_processor();
    const auto stop = [&](std::uint32_t code, std::uint64_t was, std::uint64_t is, const char* rule,
                          const char* document) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, reinterpret_cast<std::uint64_t>(expected.routine), was,
                      is, {.rule = rule, .document = document, .device = expected.device});
    };
    if (processor.held.count > expected.held) {
        stop(0x00040009, expected.held, processor.held.count,
             "a cancel routine returned with a spin lock held: the cancel spin lock, or one that it had acquired",
             "SpinLock rule (wdm)");
    }
    if (processor.held.count < expected.held) {
        stop(0x0004000A, expected.held, processor.held.count,
             "a cancel routine released a spin lock that its caller holds", "SpinlockRelease rule (wdm)");
    }
    if (processor.irql != expected.irql) {
        stop(0x0002001D, expected.irql, processor.irql,
             "a cancel routine returned at another IRQL than the one in the IRP's CancelIrql",
             "DRIVER_CANCEL callback function (wdm.h)");
    }
    const std::uint32_t regions = ke::CalloutState::regions_of(*processor.current);
    const bool guarded = (regions ^ expected.regions) > 0xFFFF; // the special APCs' count is the upper half
    stop(guarded ? 0x0004000E : 0x00040003, expected.regions, regions,
         guarded
             ? "a cancel routine returned inside a guarded region that it had entered, or left one of its caller's"
             : "a cancel routine returned inside a critical region that it had entered, or left one of its caller's",
         guarded ? "GuardedRegions rule (wdm)" : "CriticalRegions rule (wdm)");
    __builtin_unreachable();
}

// The first request in the list that matches and, where asked, is not yet cancelled.
PIRP find_matching(ke::Thread& thread, Matcher matches, const void* context, bool uncancelled) noexcept {
    for (LIST_ENTRY* e = thread.irp_list.Flink; e != &thread.irp_list; e = e->Flink) {
        PIRP irp = CONTAINING_RECORD(e, IRP, ThreadListEntry);
        if (!(uncancelled && irp->Cancel) && matches(irp, context)) return irp;
    }
    return nullptr;
}

ke::Thread* find_issuer(LIST_ENTRY& threads, Matcher matches, const void* context, bool uncancelled) noexcept {
    for (LIST_ENTRY* e = threads.Flink; e != &threads; e = e->Flink) {
        auto* thread = CONTAINING_RECORD(e, ke::Thread, process_entry);
        if (find_matching(*thread, matches, context, uncancelled) != nullptr) return thread;
    }
    return nullptr;
}
ke::Thread* find_issuer(ke::Process& process, Matcher matches, const void* context, bool uncancelled) noexcept {
    ke::Thread* thread = find_issuer(process.threads, matches, context, uncancelled);
    return thread != nullptr ? thread : find_issuer(process.ended_threads, matches, context, uncancelled);
}

} // namespace

// That the routine releases the lock is no change that it must undo.
void call_cancel_routine(PDRIVER_CANCEL routine, PIRP irp) noexcept {
    ke::Processor* processor = ke::current_processor();
    PDEVICE_OBJECT device = irp->Tail.Overlay.CurrentStackLocation->DeviceObject;
    const KIRQL irql = irp->CancelIrql;
    const unsigned held = processor->held.count;
    const std::uint32_t regions = ke::CalloutState::regions_of(*processor->current);
    const ke::CalloutSite site{ke::CalloutKind::cancel, reinterpret_cast<const void*>(routine), device, irp};
    ke::trace_callout_entry(site);
    routine(device, irp);
    processor = ke::current_processor();
    if (processor->held.count + 1 != held || processor->irql != irql ||
        regions != ke::CalloutState::regions_of(*processor->current)) [[unlikely]]
        cancel_violation({routine, device, irql, held - 1, regions});
    ke::leave_callout(processor);
    ke::trace_callout_exit(site, nullptr);
}

bool cancel_irp(PIRP irp) noexcept { return cancel_locked(irp, acquire_cancel_lock()); }

// The list changes under the walk: each cancel may complete, and anything may happen at its preemption points. So a request is
// looked for when the lock has been taken: while it was waited for, the request may have ended.
bool cancel_matching(ke::Thread& thread, Matcher matches, const void* context) noexcept {
    const bool found = find_matching(thread, matches, context, false) != nullptr;
    for (;;) {
        const KIRQL irql = acquire_cancel_lock();
        PIRP irp = find_matching(thread, matches, context, true);
        if (irp == nullptr) {
            release_cancel_lock(irql);
            return found;
        }
        cancel_locked(irp, irql);
    }
}

// Threads come and go meanwhile as well.
bool cancel_matching(ke::Process& process, Matcher matches, const void* context) noexcept {
    const bool found = find_issuer(process, matches, context, false) != nullptr;
    while (ke::Thread* thread = find_issuer(process, matches, context, true)) {
        ob::reference(thread);
        cancel_matching(*thread, matches, context);
        ob::dereference(thread);
    }
    return found;
}

bool has_matching(ke::Thread& thread, Matcher matches, const void* context) noexcept {
    return find_matching(thread, matches, context, false) != nullptr;
}

void cancel_process_io(ke::Process& process) noexcept {
    cancel_matching(
        process, [](PIRP, const void*) { return true; }, nullptr);
}

void wait_patiently(bool (*over)(const void*), const void* context) noexcept {
    LARGE_INTEGER pause;
    pause.QuadPart = -rundown_look;
    for (LONGLONG waited = 0; !over(context) && waited < rundown_patience; waited += rundown_look) {
        KeDelayExecutionThread(KernelMode, FALSE, &pause);
    }
}

void cancel_thread_io(ke::Thread& thread) noexcept {
    const Matcher ends_with_it = [](PIRP irp, const void*) { return !outlives_thread(irp); };
    cancel_matching(thread, ends_with_it, nullptr);
    wait_patiently(
        [](const void* ending) {
            return !has_matching(
                *const_cast<ke::Thread*>(static_cast<const ke::Thread*>(ending)),
                [](PIRP irp, const void*) { return !outlives_thread(irp); }, nullptr);
        },
        &thread);
    while (PIRP irp = find_matching(thread, ends_with_it, nullptr, false)) abandon_request(irp);
    end_system_thread(thread);
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

VOID NTAPI IoAcquireCancelSpinLock(PKIRQL Irql) {
    DIRQL_DOOR(IoAcquireCancelSpinLock);
    *Irql = acquire_cancel_lock();
}

VOID NTAPI IoReleaseCancelSpinLock(KIRQL Irql) {
    DIRQL_DOOR(IoReleaseCancelSpinLock);
    release_cancel_lock(Irql);
}

BOOLEAN NTAPI IoCancelIrp(PIRP Irp) {
    DIRQL_DOOR(IoCancelIrp);
    return cancel_irp(Irp);
}
}
