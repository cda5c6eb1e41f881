#include "ke/dpc.hpp"

#include "diag/trace.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/floating_point.hpp"
#include "ke/irql.hpp"
#include "ke/machine.hpp"
#include "ke/scheduler.hpp"
#include "ke/timer.hpp"
#include "ke/wait.hpp"

#include <algorithm>
#include <utility>

namespace dirql::ke {
namespace {

enum : UCHAR { dpc_object = 0x13, threaded_dpc_object = 0x18 }; // KOBJECTS
constexpr USHORT targeted = 0x40; // KDPC::Number of a DPC with a target: 0x40 + processor (MAXIMUM_PROC_PER_GROUP)

// KDPC::DpcData is the processor whose queue holds the DPC, null when it is in none.
Processor* queued_on(const KDPC& dpc) noexcept { return static_cast<Processor*>(dpc.DpcData); }

void initialize(PKDPC dpc, UCHAR type, PKDEFERRED_ROUTINE routine, void* context) noexcept {
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
    explicit DpcQueue(Processor* p) noexcept : DpcQueue(p->dpc_queue) {}
    explicit DpcQueue(LIST_ENTRY& list) noexcept
        : first(reinterpret_cast<SINGLE_LIST_ENTRY**>(&list.Flink)),
          last(reinterpret_cast<SINGLE_LIST_ENTRY**>(&list.Blink)) {}
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

// What is called. The routine may free the object or queue it again: nothing of it is read after this.
struct Deferred {
    explicit Deferred(KDPC& from) noexcept
        : dpc(&from), routine(from.DeferredRoutine), context(from.DeferredContext), argument1(from.SystemArgument1),
          argument2(from.SystemArgument2) {
        from.DpcData = nullptr;
    }
    void call(Processor& processor) const noexcept {
        callout_dpc(processor, routine, dpc, context, argument1, argument2);
    }
    PKDPC dpc;
    PKDEFERRED_ROUTINE routine;
    void* context;
    void* argument1;
    void* argument2;
};

void run_one_dpc(Processor* processor) noexcept {
    const Deferred deferred(*DpcQueue(processor).pop());
    --processor->dpc_depth;
    processor->running_dpc = deferred.dpc;
    deferred.call(*processor);
    processor->running_dpc = nullptr;
}

// A processor's threaded DPCs.
struct ThreadedDpcs {
    LIST_ENTRY queue; // as Processor::dpc_queue
    KEVENT any;
    Thread* thread;
    bool running;
};

ThreadedDpcs* threaded_on(const Processor& processor) noexcept {
    auto* threaded = static_cast<ThreadedDpcs*>(processor.threaded_dpcs);
    return threaded != nullptr && threaded->thread != nullptr ? threaded : nullptr;
}

void run_threaded_dpcs(void* context) {
    auto& own = *static_cast<ThreadedDpcs*>(static_cast<Processor*>(context)->threaded_dpcs);
    for (;;) {
        wait_for(&own.any);
        while (own.queue.Flink != nullptr) {
            const Deferred deferred(*DpcQueue(own.queue).pop());
            own.running = true;
            begin_work(current_processor());
            deferred.call(*current_processor());
            own.running = false;
        }
    }
}

// Kept to its processor, and above all but real-time threads of its own priority.
Thread* make_dpc_thread(Machine& machine, Processor& processor) noexcept {
    if (machine.hooks.make_system_thread == nullptr) return nullptr;
    const auto routine = reinterpret_cast<PKSTART_ROUTINE>(run_threaded_dpcs);
    Thread* thread = machine.hooks.make_system_thread(
        machine, {"Threaded DPCs", machine.system_process, HIGH_PRIORITY, routine, &processor, nullptr});
    if (thread != nullptr) thread->affinity = std::uint64_t{1} << processor.number;
    return thread;
}

// With the first threaded DPC of the machine. Where the IRQL or memory forbids threads, such DPCs run as ordinary ones, as where they
// are disabled.
void make_dpc_threads(Machine& machine) noexcept {
    if (current_processor()->irql > DISPATCH_LEVEL || machine.host_stands_in) return;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor& processor = *machine.processors[i];
        if (threaded_on(processor) != nullptr) continue;
        if (processor.threaded_dpcs == nullptr) {
            auto* own = machine.allocate<ThreadedDpcs>();
            if (own == nullptr) return;
            initialize_header(own->any.Header, object_type::event_synchronization, 0, sizeof(KEVENT));
            processor.threaded_dpcs = own;
        }
        static_cast<ThreadedDpcs*>(processor.threaded_dpcs)->thread = make_dpc_thread(machine, processor);
    }
}

bool runs_in_thread(const KDPC& dpc, const Processor& target) noexcept {
    return dpc.Type == threaded_dpc_object && threaded_on(target) != nullptr;
}

void queue_threaded(KDPC& dpc, Processor& target) noexcept {
    ThreadedDpcs& own = *threaded_on(target);
    if (dpc.Importance == HighImportance) {
        DpcQueue(own.queue).push_front(&dpc);
    } else {
        DpcQueue(own.queue).push_back(&dpc);
    }
    own.any.Header.SignalState = 1;
    wake_waiters(own.any.Header, 0);
}

const KDPC* find_in(const LIST_ENTRY& queue, bool (*matches)(const KDPC&, const void*), const void* data) noexcept {
    for (auto* entry = reinterpret_cast<SINGLE_LIST_ENTRY*>(queue.Flink); entry != nullptr; entry = entry->Next) {
        const KDPC* dpc = CONTAINING_RECORD(entry, KDPC, DpcListEntry);
        if (matches(*dpc, data)) return dpc;
    }
    return nullptr;
}

bool remove_dpc(KDPC& dpc) noexcept {
    Processor* target = queued_on(dpc);
    if (target == nullptr) return false;
    ThreadedDpcs* threaded = threaded_on(*target);
    if (threaded == nullptr || !DpcQueue(threaded->queue).remove(&dpc)) {
        if (!DpcQueue(target).remove(&dpc)) return false;
        --target->dpc_depth;
    }
    dpc.DpcData = nullptr;
    return true;
}

bool dpcs_left(const Processor& processor) noexcept {
    if (processor.dpc_queue.Flink != nullptr || processor.in_dpc != 0) return true;
    const ThreadedDpcs* threaded = threaded_on(processor);
    return threaded != nullptr && threaded->thread != current_thread() &&
           (threaded->queue.Flink != nullptr || threaded->running);
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

bool cancel_dpc(KDPC& dpc) noexcept { return remove_dpc(dpc); }

bool threaded_dpcs_queued(const Processor& processor) noexcept {
    const ThreadedDpcs* threaded = threaded_on(processor);
    return threaded != nullptr && threaded->queue.Flink != nullptr;
}

const KDPC* find_queued_dpc(const Machine& machine, bool (*matches)(const KDPC&, const void*),
                            const void* data) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        const Processor& processor = *machine.processors[i];
        const KDPC* dpc = find_in(processor.dpc_queue, matches, data);
        const ThreadedDpcs* threaded = threaded_on(processor);
        if (dpc == nullptr && threaded != nullptr) dpc = find_in(threaded->queue, matches, data);
        if (dpc != nullptr) return dpc;
    }
    return nullptr;
}

void initialize_dpc(KDPC& dpc, PKDEFERRED_ROUTINE routine, void* context) noexcept {
    initialize(&dpc, dpc_object, routine, context);
}

bool target_dpc(KDPC& dpc, unsigned processor) noexcept {
    const Processor* here = current_processor(); // none: host code, before there is a machine
    if (here != nullptr && processor >= here->machine->processor_count) return false;
    dpc.Number = static_cast<USHORT>(targeted + processor);
    return true;
}

void retire_dpcs(Processor* processor) noexcept {
    if (processor->dpc_queue.Flink == nullptr && processor->machine->next_timer > processor->now) return;
    if (processor->in_dpc != 0) return; // the drain under way goes on with it
    processor->in_dpc = 1;
    const PausedBudget budget(processor);
    begin_work(processor); // all that runs in one go shares one allotment: DPCs that queue each other end, too
    update_horizon(processor);
    Thread& interrupted = *processor->current;
    const unsigned saves_open = interrupted.saves_open;
    const Side side = std::exchange(interrupted.side, Side::kernel);
    {
        SehChainCut cut;
        call_on_stack(processor->dpc_stack_low, processor->dpc_stack_top, drain, processor);
    }
    refuse_open_saves(interrupted, saves_open);
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
    if (runs_in_thread(*dpc, *target)) {
        queue_threaded(*dpc, *target);
        update_horizon(here);
        return true;
    }
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
    initialize_dpc(*Dpc, DeferredRoutine, DeferredContext);
}

VOID NTAPI KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext) {
    DIRQL_DOOR(KeInitializeThreadedDpc);
    initialize(Dpc, threaded_dpc_object, DeferredRoutine, DeferredContext);
    if (current_processor() != nullptr) make_dpc_threads(current_machine());
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
    return remove_dpc(*Dpc);
}

VOID NTAPI KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance) {
    DIRQL_DOOR(KeSetImportanceDpc);
    Dpc->Importance = static_cast<UCHAR>(Importance);
}

// A number that no processor has changes nothing.
VOID NTAPI KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number) {
    DIRQL_DOOR(KeSetTargetProcessorDpc);
    target_dpc(*Dpc, static_cast<UCHAR>(Number));
}

NTSTATUS NTAPI KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber) {
    DIRQL_DOOR(KeSetTargetProcessorDpcEx);
    const bool valid = ProcNumber->Group == 0 && ProcNumber->Reserved == 0 && target_dpc(*Dpc, ProcNumber->Number);
    return valid ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

// In clock intervals. One DPC and all that run in one go share one allotment, see begin_work().
NTSTATUS NTAPI KeQueryDpcWatchdogInformation(PKDPC_WATCHDOG_INFORMATION WatchdogInformation) {
    DIRQL_DOOR(KeQueryDpcWatchdogInformation);
    const Processor& processor = *current_processor();
    if (processor.irql < DISPATCH_LEVEL) return STATUS_UNSUCCESSFUL;
    const std::uint64_t limit = processor.machine->options.callout_budget;
    const std::uint64_t used = std::min(limit, processor.now - processor.work_began);
    const auto most = static_cast<ULONG>(limit / clock_interval_ns);
    const auto left = static_cast<ULONG>((limit - used) / clock_interval_ns);
    *WatchdogInformation = {most, left, most, left, 0};
    return STATUS_SUCCESS;
}

// When others wait for this processor, or half of the allotment is used up.
ULONG NTAPI KeShouldYieldProcessor(VOID) {
    DIRQL_DOOR(KeShouldYieldProcessor);
    const Processor& processor = *current_processor();
    return processor.reschedule != Reschedule::none || (processor.pending >> DISPATCH_LEVEL & 1) != 0 ||
           processor.dpc_queue.Flink != nullptr ||
           processor.now - processor.work_began >= processor.machine->options.callout_budget / 2;
}

// Returns when every DPC queued on every processor before the call has run.
VOID NTAPI KeFlushQueuedDpcs(VOID) {
    DIRQL_DOOR(KeFlushQueuedDpcs);
    Machine& machine = current_machine();
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        Processor* target = machine.processors[i];
        while (dpcs_left(*target)) {
            if (target->dpc_queue.Flink != nullptr) request_interrupt(target, DISPATCH_LEVEL);
            charge(current_processor(), cost::spin);
            yield_to_executor();
            lower_irql(current_processor(), PASSIVE_LEVEL);
        }
    }
}
}
