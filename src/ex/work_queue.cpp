#include "ex/work_queue.hpp"

#include "ex/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/ex.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <bit>
#include <optional>
#include <utility>

namespace dirql::ex {
namespace {

WorkQueues& current_queues() noexcept { return current_state().work; }

void run_kernel_work(PVOID parameter) noexcept {
    auto& work = *static_cast<KernelWork*>(parameter);
    work.routine(work);
}

// Called inside the callout, so that the code of work items comes before the door's own.
void run_driver_routine(PWORKER_THREAD_ROUTINE routine, PVOID parameter, PWORK_QUEUE_ITEM item) noexcept {
    routine(parameter);
    const KIRQL irql = ke::current_processor()->irql;
    if (irql == PASSIVE_LEVEL) [[likely]]
        return;
    ke::bug_check(WORKER_THREAD_RETURNED_AT_BAD_IRQL, ke::parameter(routine), irql, ke::parameter(parameter),
                  ke::parameter(item),
                  {.rule = "a work item's routine returned above PASSIVE_LEVEL",
                   .document = "Bug Check 0xE1: WORKER_THREAD_RETURNED_AT_BAD_IRQL"});
}

// The routine may free the item, so nothing of it is read after the call.
void run_item(Worker& self, PWORK_QUEUE_ITEM item) noexcept {
    const PWORKER_THREAD_ROUTINE routine = item->WorkerRoutine;
    const PVOID parameter = item->Parameter;
    item->List.Flink = nullptr; // it may be queued again from now on
    --current_queues().queued;
    self.routine = reinterpret_cast<const void*>(routine);
    if (routine == run_kernel_work) {
        run_kernel_work(parameter);
    } else {
        ke::callout({ke::CalloutKind::work_item, self.routine}, run_driver_routine, routine, parameter, item);
    }
    self.routine = nullptr;
}

void take_priority(ke::Thread& thread, KPRIORITY priority) noexcept {
    thread.base_priority = static_cast<std::int8_t>(priority);
    ke::set_priority(thread, priority);
}

PWORK_QUEUE_ITEM take_waiting(WorkQueues& queues, KPRIORITY& priority) noexcept {
    if (queues.waiting_summary == 0) return nullptr;
    priority = std::bit_width(queues.waiting_summary) - 1;
    LIST_ENTRY* entry = RemoveHeadList(&queues.waiting[priority]);
    if (IsListEmpty(&queues.waiting[priority])) queues.waiting_summary &= ~(1u << priority);
    return CONTAINING_RECORD(entry, WORK_QUEUE_ITEM, List);
}

void become_idle(WorkQueues& queues, Worker& self) noexcept {
    RemoveEntryList(&self.entry);
    InsertHeadList(&queues.idle, &self.entry); // the one that ran last is woken first
    KeWaitForSingleObject(&self.wake, WrQueue, KernelMode, FALSE, nullptr);
}

[[noreturn]] void worker_loop(Worker& self) noexcept {
    WorkQueues& queues = current_queues();
    for (;;) {
        KPRIORITY priority;
        PWORK_QUEUE_ITEM item = std::exchange(self.item, nullptr);
        if (item == nullptr && (item = take_waiting(queues, priority)) != nullptr)
            take_priority(*self.thread, priority);
        if (item != nullptr) {
            ke::begin_work(ke::current_processor()); // each item has a budget of its own
            run_item(self, item);
        } else {
            become_idle(queues, self);
        }
    }
}

VOID NTAPI worker_thread(PVOID context) { worker_loop(*static_cast<Worker*>(context)); }

ke::Thread* make_plain_thread(ke::Machine& machine, const ke::ThreadStart& start) noexcept {
    auto* thread = machine.allocate<ke::Thread>();
    return thread != nullptr && ke::initialize_thread(machine, *thread, start) ? thread : nullptr;
}

bool hand_to_idle(WorkQueues& queues, WORK_QUEUE_ITEM& item, KPRIORITY priority) noexcept {
    if (IsListEmpty(&queues.idle)) return false;
    auto& worker = *CONTAINING_RECORD(RemoveHeadList(&queues.idle), Worker, entry);
    InsertTailList(&queues.busy, &worker.entry);
    worker.item = &item;
    InitializeListHead(&item.List);
    take_priority(*worker.thread, priority);
    KeSetEvent(&worker.wake, IO_NO_INCREMENT, FALSE);
    return true;
}

// NT has workers from its boot on; where none was needed yet, the first is made as if it had been there. What is left of one
// whose thread could not be made is there for the next.
Worker* make_worker(WorkQueues& queues, KPRIORITY priority) noexcept {
    ke::Machine& machine = ke::current_machine();
    std::optional<ke::Choice::NoFailures> first;
    if (queues.workers == 0) first.emplace(machine.choice);
    if (queues.spare == nullptr) queues.spare = machine.allocate<Worker>();
    Worker* worker = queues.spare;
    if (worker == nullptr) return nullptr;
    KeInitializeEvent(&worker->wake, SynchronizationEvent, FALSE);
    worker->thread =
        queues.make_thread(machine, {"Worker", machine.system_process, priority, worker_thread, worker, nullptr});
    if (worker->thread == nullptr) return nullptr;
    queues.spare = nullptr;
    ++queues.workers;
    return worker;
}

bool hand_to_new(WorkQueues& queues, WORK_QUEUE_ITEM& item, KPRIORITY priority) noexcept {
    if (queues.workers == most_workers) return false;
    Worker* worker = make_worker(queues, priority);
    if (worker == nullptr) return false;
    InsertTailList(&queues.busy, &worker->entry);
    worker->item = &item;
    InitializeListHead(&item.List);
    ke::start_thread(*worker->thread);
    ke::reschedule_if_asked();
    return true;
}

void queue(WORK_QUEUE_ITEM& item, KPRIORITY priority) noexcept {
    WorkQueues& queues = current_queues();
    ++queues.queued;
    if (hand_to_idle(queues, item, priority) || hand_to_new(queues, item, priority)) return;
    InsertTailList(&queues.waiting[priority], &item.List);
    queues.waiting_summary |= 1u << priority;
}

[[noreturn]] void invalid(ULONG_PTR position, const WORK_QUEUE_ITEM& item, WORK_QUEUE_TYPE type,
                          const char* rule) noexcept {
    ke::bug_check(WORKER_INVALID, position, ke::parameter(&item), static_cast<ULONG>(type), 0,
                  {.rule = rule, .document = "Bug Check 0xE4: WORKER_INVALID"});
}

KPRIORITY check_item(const WORK_QUEUE_ITEM& item, WORK_QUEUE_TYPE type) noexcept {
    const KPRIORITY priority = priority_of(type);
    if (priority < 0) invalid(6, item, type, "a work item was queued to a queue that there is not");
    if (item.List.Flink != nullptr)
        invalid(1, item, type, "a work item was queued that is queued already, or was never initialised");
    if (item.WorkerRoutine == nullptr) invalid(7, item, type, "a work item was queued without a routine");
    return priority;
}

// Visits items that were not begun; stops at the first that `found` holds for.
template <class Predicate> const WORK_QUEUE_ITEM* find_item(Predicate found) noexcept {
    WorkQueues& queues = current_queues();
    if (queues.queued == 0) return nullptr;
    for (LIST_ENTRY* e = queues.busy.Flink; e != &queues.busy; e = e->Flink) {
        const WORK_QUEUE_ITEM* item = CONTAINING_RECORD(e, Worker, entry)->item;
        if (item != nullptr && found(*item)) return item;
    }
    for (LIST_ENTRY& list : queues.waiting) {
        for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
            const WORK_QUEUE_ITEM* item = CONTAINING_RECORD(e, WORK_QUEUE_ITEM, List);
            if (found(*item)) return item;
        }
    }
    return nullptr;
}

} // namespace

void initialize_work_queues(WorkQueues& queues) noexcept {
    for (LIST_ENTRY& list : queues.waiting) InitializeListHead(&list);
    InitializeListHead(&queues.idle);
    InitializeListHead(&queues.busy);
    queues.make_thread = make_plain_thread;
}

KPRIORITY priority_of(WORK_QUEUE_TYPE type) noexcept {
    static constexpr KPRIORITY priorities[MaximumWorkQueue] = {13, 12, 15, 8, 7, 18, 14};
    const auto number = static_cast<ULONG>(type); // beyond the enumerators for custom priorities
    if (number - CustomPriorityWorkQueue < MAXIMUM_PRIORITY)
        return static_cast<KPRIORITY>(number - CustomPriorityWorkQueue);
    return number < MaximumWorkQueue ? priorities[number] : -1;
}

void queue_work_item(WORK_QUEUE_ITEM& item, WORK_QUEUE_TYPE type) noexcept { queue(item, check_item(item, type)); }

void queue_kernel_work(KernelWork& work, WORK_QUEUE_TYPE type, void (*routine)(KernelWork&)) noexcept {
    work.routine = routine;
    work.item.WorkerRoutine = run_kernel_work;
    work.item.Parameter = &work;
    queue_work_item(work.item, type);
}

bool is_queued(const WORK_QUEUE_ITEM& item) noexcept { return item.List.Flink != nullptr; }

const WORK_QUEUE_ITEM* find_queued_item(std::uintptr_t begin, std::size_t bytes) noexcept {
    return find_item(
        [=](const WORK_QUEUE_ITEM& item) { return reinterpret_cast<std::uintptr_t>(&item) - begin < bytes; });
}

const void* find_running_routine(const ke::CodeRange& image) noexcept {
    WorkQueues& queues = current_queues();
    for (LIST_ENTRY* e = queues.busy.Flink; e != &queues.busy; e = e->Flink) {
        const void* routine = CONTAINING_RECORD(e, Worker, entry)->routine;
        if (reinterpret_cast<std::uintptr_t>(routine) - image.begin < image.end - image.begin) return routine;
    }
    return nullptr;
}

const WORK_QUEUE_ITEM* find_item_of_code(const ke::CodeRange& image) noexcept {
    const auto in_image = [&](auto pointer) {
        return reinterpret_cast<std::uintptr_t>(pointer) - image.begin < image.end - image.begin;
    };
    return find_item([=](const WORK_QUEUE_ITEM& item) { return in_image(item.WorkerRoutine) || in_image(&item); });
}

bool is_worker_thread(const ke::Thread& thread) noexcept { return thread.start_routine == worker_thread; }

} // namespace dirql::ex

using namespace dirql;

extern "C" {

VOID NTAPI ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType) {
    DIRQL_DOOR(ExQueueWorkItem);
    ex::queue_work_item(*WorkItem, QueueType);
}
}
