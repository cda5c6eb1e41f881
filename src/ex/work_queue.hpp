// System worker threads, and the work that is queued to them.
//
// One pool of threads serves all queues. An item goes to an idle worker, to a new one, or, when all workers there may
// be are busy, to a list by priority. A worker takes its item's priority while it runs it. So an item that waits for
// another never keeps that one from running, up to the limit of threads; no order among items is promised, on NT as
// here.
//
// An idle worker waits with the reason WrQueue, as on NT: a stall report takes such a thread for idle, not for stuck.
#pragma once

#include "ke/machine.hpp"

#include <ntifs.h>

namespace dirql::ex {

inline constexpr unsigned most_workers = 64;

struct Worker {
    LIST_ENTRY entry; // WorkQueues::idle or ::busy
    KEVENT wake;
    ke::Thread* thread;
    PWORK_QUEUE_ITEM item; // assigned, not yet begun
    const void* routine;   // under way
};

struct WorkQueues {
    LIST_ENTRY waiting[MAXIMUM_PRIORITY]; // WORK_QUEUE_ITEMs
    std::uint32_t waiting_summary;        // bit n: waiting[n] is not empty
    unsigned queued;                      // items not yet begun, waiting or assigned
    LIST_ENTRY idle;                      // Workers
    LIST_ENTRY busy;
    unsigned workers;
    Worker* spare; // without a thread
    // Makes the thread object of a worker, initialised but not started; null when memory is short. ps puts its own
    // here, so that workers are objects like all threads.
    ke::Thread* (*make_thread)(ke::Machine& machine, const ke::ThreadStart& start);
};

void initialize_work_queues(WorkQueues& queues) noexcept;

// The priority that items of a queue run at; -1 for a type that there is not.
[[nodiscard]] KPRIORITY priority_of(WORK_QUEUE_TYPE type) noexcept;

// Queues an item whose routine is a driver's: it is called through the callout door. IRQL <= DISPATCH_LEVEL.
void queue_work_item(WORK_QUEUE_ITEM& item, WORK_QUEUE_TYPE type) noexcept;

// The kernel's own work. The routine calls drivers, if it does, through the callout door itself. After it was begun the
// structure is the routine's: it may be queued anew or freed.
struct KernelWork {
    WORK_QUEUE_ITEM item;
    void (*routine)(KernelWork& work);
};
void queue_kernel_work(KernelWork& work, WORK_QUEUE_TYPE type, void (*routine)(KernelWork& work)) noexcept;
// Queued and not yet begun. The item was initialised.
[[nodiscard]] bool is_queued(const WORK_QUEUE_ITEM& item) noexcept;

// An item not yet begun that lies in this memory, or null.
[[nodiscard]] const WORK_QUEUE_ITEM* find_queued_item(std::uintptr_t begin, std::size_t bytes) noexcept;
// An item not yet begun whose routine or memory belongs to this image, or null.
[[nodiscard]] const WORK_QUEUE_ITEM* find_item_of_code(const ke::CodeRange& image) noexcept;

// The routine of a work item under way that belongs to this image, or null. The item itself may be gone.
[[nodiscard]] const void* find_running_routine(const ke::CodeRange& image) noexcept;

// For ps: a worker must not end itself (bug check 0xE9).
[[nodiscard]] bool is_worker_thread(const ke::Thread& thread) noexcept;

} // namespace dirql::ex
