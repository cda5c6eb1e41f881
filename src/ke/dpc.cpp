#include "ke/dpc.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/machine.hpp"
#include "ke/scheduler.hpp"
#include "ke/timer.hpp"

#include <utility>

namespace dirql::ke {
namespace {

enum : UCHAR { dpc_object = 0x13, threaded_dpc_object = 0x18 }; // KOBJECTS
constexpr USHORT targeted = 0x40; // KDPC::Number of a DPC with a target: 0x40 + processor (MAXIMUM_PROC_PER_GROUP)

// KDPC::DpcData is the processor whose queue holds the DPC, null when it is in none.
Processor* queued_on(const KDPC& dpc) noexcept { return static_cast<Processor*>(dpc.DpcData); }

void initialize_dpc(PKDPC dpc, UCHAR type, PKDEFERRED_ROUTINE routine, void* context) noexcept {
    dpc->Type = type;
    dpc->Importance = MediumImportance;
    dpc->Number = 0;
    dpc->DpcData = nullptr;
    dpc->ProcessorHistory = 0;
    dpc->DeferredRoutine = routine;
    dpc->DeferredContext = context;
}

// KDPC::DpcListEntry is singly linked as in NT's public layout; the queue's tail is kept in the processor's list head.
struct DpcQueue {
    explicit DpcQueue(Processor* p) noexcept
        : first(reinterpret_cast<SINGLE_LIST_ENTRY**>(&p->dpc_queue.Flink)),
          last(reinterpret_cast<SINGLE_LIST_ENTRY**>(&p->dpc_queue.Blink)) {}
    SINGLE_LIST_ENTRY** first;
    SINGLE_LIST_ENTRY** last;

    void push_back(PKDPC dpc) noexcept {
        dpc->DpcListEntry.Next = nullptr;
        (*first == nullptr ? *first : (*last)->Next) = &dpc->DpcListEntry;
        *last = &dpc->DpcListEntry;
    }
    void push_front(PKDPC dpc) noexcept {
        dpc->DpcListEntry.Next = *first;
        if (*first == nullptr) *last = &dpc->DpcListEntry;
        *first = &dpc->DpcListEntry;
    }
    PKDPC pop() noexcept {
        SINGLE_LIST_ENTRY* entry = *first;
        *first = entry->Next;
        return CONTAINING_RECORD(entry, KDPC, DpcListEntry);
    }
    bool remove(PKDPC dpc) noexcept {
        SINGLE_LIST_ENTRY* previous = nullptr;
        for (SINGLE_LIST_ENTRY* entry = *first; entry != nullptr; previous = entry, entry = entry->Next) {
            if (entry != &dpc->DpcListEntry) continue;
            (previous == nullptr ? *first : previous->Next) = entry->Next;
            if (*last == entry) *last = previous;
            return true;
        }
        return false;
    }
};

void run_one_dpc(Processor* processor) noexcept {
    PKDPC dpc = DpcQueue(processor).pop();
    --processor->dpc_depth;
    // The routine may free or queue the object again: nothing of it is read after this.
    const PKDEFERRED_ROUTINE routine = dpc->DeferredRoutine;
    void* const context = dpc->DeferredContext;
    void* const argument1 = dpc->SystemArgument1;
    void* const argument2 = dpc->SystemArgument2;
    dpc->DpcData = nullptr;
    processor->running_dpc = dpc;
    callout_dpc(*processor, routine, dpc, context, argument1, argument2);
    processor->running_dpc = nullptr;
}

void drain(void* data) noexcept {
    auto* processor = static_cast<Processor*>(data);
    do {
        if (processor->machine->next_timer <= processor->now) expire_timers(processor);
        if (processor->dpc_queue.Flink != nullptr) run_one_dpc(processor);
    } while (processor->dpc_queue.Flink != nullptr || processor->machine->next_timer <= processor->now);
}

constexpr std::uint32_t most_deferred = 4; // a longer queue is processed at once

// Does this DPC start the processing of its queue? The others wait for the end of a turn, for an idle moment, or for one that does.
bool starts_processing(const KDPC& dpc, const Processor& target, const Processor& here) noexcept {
    if (target.dpc_depth > most_deferred) return true;
    switch (dpc.Importance) {
    case LowImportance: return false;
    case MediumImportance: return &target == &here;
    default: return true;
    }
}

} // namespace

void retire_dpcs(Processor* processor) noexcept {
    if (processor->dpc_queue.Flink == nullptr && processor->machine->next_timer > processor->now) return;
    if (processor->in_dpc != 0) return; // the drain under way goes on with it
    processor->in_dpc = 1;
    const PausedBudget budget(processor);
    begin_work(processor); // all that runs in one go shares one allotment: DPCs that queue each other end, too
    update_horizon(processor);
    Thread& interrupted = *processor->current;
    const Side side = std::exchange(interrupted.side, Side::kernel);
    {
        SehChainCut cut;
        call_on_stack(processor->dpc_stack_low, processor->dpc_stack_top, drain, processor);
    }
    interrupted.side = side;
    processor->in_dpc = 0;
    budget.back_on(processor);
    update_horizon(processor);
}

bool insert_dpc(PKDPC dpc, void* argument1, void* argument2) noexcept {
    if (dpc->DpcData != nullptr) return false;
    Processor* here = current_processor();
    Machine& machine = *here->machine;
    Processor* target = here;
    if (dpc->Number >= targeted && static_cast<unsigned>(dpc->Number - targeted) < machine.processor_count)
        target = machine.processors[dpc->Number - targeted];
    DIRQL_TRACE_ON(here, dpc_queued, .object = dpc, .routine = reinterpret_cast<const void*>(dpc->DeferredRoutine),
                   .value = target->number);
    dpc->DpcData = target;
    dpc->SystemArgument1 = argument1;
    dpc->SystemArgument2 = argument2;
    if (dpc->Importance == HighImportance) {
        DpcQueue(target).push_front(dpc);
    } else {
        DpcQueue(target).push_back(dpc);
    }
    ++target->dpc_depth;
    if (starts_processing(*dpc, *target, *here)) request_interrupt(target, DISPATCH_LEVEL);
    update_horizon(here);
    return true;
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext) {
    DIRQL_DOOR(KeInitializeDpc);
    initialize_dpc(Dpc, dpc_object, DeferredRoutine, DeferredContext);
}

VOID NTAPI KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext) {
    DIRQL_DOOR(KeInitializeThreadedDpc);
    initialize_dpc(Dpc, threaded_dpc_object, DeferredRoutine, DeferredContext);
}

BOOLEAN NTAPI KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2) {
    DIRQL_DOOR(KeInsertQueueDpc);
    if (!insert_dpc(Dpc, SystemArgument1, SystemArgument2)) return FALSE;
    // Below DISPATCH_LEVEL the software interrupt is taken at once.
    Processor* processor = current_processor();
    lower_irql(processor, processor->irql);
    return TRUE;
}

BOOLEAN NTAPI KeRemoveQueueDpc(PRKDPC Dpc) {
    DIRQL_DOOR(KeRemoveQueueDpc);
    Processor* target = queued_on(*Dpc);
    if (target == nullptr || !DpcQueue(target).remove(Dpc)) return FALSE;
    --target->dpc_depth;
    Dpc->DpcData = nullptr;
    return TRUE;
}

VOID NTAPI KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance) {
    DIRQL_DOOR(KeSetImportanceDpc);
    Dpc->Importance = static_cast<UCHAR>(Importance);
}

VOID NTAPI KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number) {
    DIRQL_DOOR(KeSetTargetProcessorDpc);
    Dpc->Number = static_cast<USHORT>(targeted + Number);
}

// Returns when every DPC queued on every processor before the call has run.
VOID NTAPI KeFlushQueuedDpcs(VOID) {
    DIRQL_DOOR(KeFlushQueuedDpcs);
    Machine& machine = current_machine();
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor* target = machine.processors[i];
        while (target->dpc_queue.Flink != nullptr || target->in_dpc != 0) {
            if (target->dpc_queue.Flink != nullptr) request_interrupt(target, DISPATCH_LEVEL);
            charge(current_processor(), cost::spin);
            yield_to_executor();
            lower_irql(current_processor(), PASSIVE_LEVEL);
        }
    }
}
}
