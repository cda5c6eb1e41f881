// Routines that run on all processors at once: by an interrupt at IPI_LEVEL, or by a DPC on each.
//
// All start together, and the caller goes on when the last has returned. What they do meanwhile is driver code like any other: it
// has preemption points, so processors that wait for each other in it make progress.
#include "ke/broadcast.hpp"

#include "ke/callout.hpp"
#include "ke/clock.hpp"
#include "ke/dpc.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/irql.hpp"
#include "ke/scheduler.hpp"
#include "ke/spin_lock.hpp"
#include "ke/wait.hpp"

#include <utility>

namespace dirql::ke {
namespace {

// On the caller's stack, which outlives it: the caller waits for all.
struct Broadcast {
    PKIPI_BROADCAST_WORKER routine;
    ULONG_PTR context;
    unsigned arrived;
    unsigned running;
    unsigned processors;
};

ULONG_PTR take_part(Broadcast& broadcast) noexcept {
    ++broadcast.arrived;
    while (broadcast.arrived < broadcast.processors) spin_once();
    const CalloutSite site{CalloutKind::other, reinterpret_cast<const void*>(broadcast.routine)};
    const ULONG_PTR result = callout(site, broadcast.routine, broadcast.context);
    --broadcast.running;
    return result;
}

ULONG_PTR run_everywhere(PKIPI_BROADCAST_WORKER routine, ULONG_PTR context) noexcept {
    Processor* self = current_processor();
    const KIRQL level = raise_irql(self, IPI_LEVEL);
    Machine& machine = *self->machine;
    while (machine.broadcast_owner != nullptr) { // one at a time; this processor takes part in the other's
        spin_once();
        deliver_broadcast(self);
    }
    Broadcast broadcast{routine, context, 0, machine.processor_count, machine.processor_count};
    machine.broadcast_owner = &broadcast;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor* target = machine.processors[i];
        if (target == self) continue;
        target->broadcast = &broadcast;
        request_interrupt(target, IPI_LEVEL);
    }
    const ULONG_PTR result = take_part(broadcast);
    while (broadcast.running != 0) spin_once();
    machine.broadcast_owner = nullptr;
    lower_irql(current_processor(), level);
    return result;
}

// A set of DPCs, one a processor, that KeGenericCallDpc waits for.
struct CallDpcs {
    unsigned running;  // have not signalled that they are done
    unsigned meeting;  // have come to the present meeting
    unsigned meetings; // how many were held
    unsigned processors;
    KDPC dpc[max_processors];
};

} // namespace

void deliver_broadcast(Processor* processor) noexcept {
    processor->pending &= ~(1u << IPI_LEVEL);
    auto* broadcast = static_cast<Broadcast*>(std::exchange(processor->broadcast, nullptr));
    if (broadcast == nullptr) return;
    processor->irql = IPI_LEVEL;
    ++processor->in_interrupt; // work, on an idle processor too
    take_part(*broadcast);
    --processor->in_interrupt; // at IPI_LEVEL the flow stays where it is
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

ULONG_PTR NTAPI KeIpiGenericCall(PKIPI_BROADCAST_WORKER BroadcastFunction, ULONG_PTR Context) {
    DIRQL_DOOR(KeIpiGenericCall);
    return run_everywhere(BroadcastFunction, Context);
}

// The following are ntoskrnl's, and drivers declare them themselves.
VOID NTAPI KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context);
VOID NTAPI KeSignalCallDpcDone(PVOID SystemArgument1);
LOGICAL NTAPI KeSignalCallDpcSynchronize(PVOID SystemArgument2);

VOID NTAPI KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context) {
    DIRQL_DOOR(KeGenericCallDpc);
    Machine& machine = current_machine();
    while (machine.call_dpc_owner != nullptr) { // one at a time
        spin_once();
        reschedule_if_asked();
    }
    CallDpcs calls;
    calls.running = calls.processors = machine.processor_count;
    calls.meeting = calls.meetings = 0;
    machine.call_dpc_owner = &calls;
    const KIRQL level = raise_irql(current_processor(), DISPATCH_LEVEL);
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        initialize_dpc(calls.dpc[i], Routine, Context);
        target_dpc(calls.dpc[i], i);
        calls.dpc[i].Importance = HighImportance;
        insert_dpc(&calls.dpc[i], &calls, &calls);
    }
    lower_irql(current_processor(), level); // its own runs here
    while (calls.running != 0) {
        spin_once();
        reschedule_if_asked();
    }
    machine.call_dpc_owner = nullptr;
}

VOID NTAPI KeSignalCallDpcDone(PVOID SystemArgument1) {
    DIRQL_DOOR(KeSignalCallDpcDone);
    --static_cast<CallDpcs*>(SystemArgument1)->running;
}

// Waits until all have come. TRUE on one of the processors.
LOGICAL NTAPI KeSignalCallDpcSynchronize(PVOID SystemArgument2) {
    DIRQL_DOOR(KeSignalCallDpcSynchronize);
    auto& calls = *static_cast<CallDpcs*>(SystemArgument2);
    const unsigned meeting = calls.meetings;
    if (++calls.meeting == calls.processors) {
        calls.meeting = 0;
        ++calls.meetings;
        return TRUE;
    }
    while (calls.meetings == meeting) spin_once();
    return FALSE;
}
}
