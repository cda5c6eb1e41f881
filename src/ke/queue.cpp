#include "ke/queue.hpp"

#include "ke/exports/ke_system.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <utility>

namespace dirql::ke {
namespace {

constexpr UCHAR run_down = 1; // DISPATCHER_HEADER::QueueControlFlags

KQUEUE& queue_of(const DISPATCHER_HEADER& header) noexcept {
    return *CONTAINING_RECORD(const_cast<DISPATCHER_HEADER*>(&header), KQUEUE, Header);
}

LIST_ENTRY* take_first(KQUEUE& queue) noexcept {
    --queue.Header.SignalState;
    LIST_ENTRY* entry = RemoveHeadList(&queue.EntryListHead);
    entry->Flink = nullptr; // as NT leaves it: the entry is in no queue
    return entry;
}

// Entries for those that wait, as long as there are both and the bound on active threads allows.
void release_threads(KQUEUE& queue) noexcept {
    while (queue.Header.SignalState > 0 && queue.CurrentCount < queue.MaximumCount &&
           !IsListEmpty(&queue.Header.WaitListHead)) {
        auto* block = CONTAINING_RECORD(queue.Header.WaitListHead.Blink, KWAIT_BLOCK, WaitListEntry);
        Thread& thread = *thread_of(block->Thread);
        thread.queue_item = take_first(queue);
        end_wait(thread, STATUS_SUCCESS, 0); // which counts it as active
    }
}

void join_queue(KQUEUE& queue, Thread& thread) noexcept {
    leave_queue(thread);
    thread.queue = &queue;
    InsertTailList(&queue.ThreadListHead, &thread.queue_entry);
    detail::queue_thread_goes_on(thread);
}

// A wait would go through garbage links: see check_waitable in wait.cpp.
void check_queue(const KQUEUE& queue, const void* service) noexcept {
    if (queue.Header.Type == object_type::queue && queue.Header.Size == sizeof(KQUEUE) / sizeof(LONG)) return;
    bug_check(
        IRQL_NOT_LESS_OR_EQUAL, parameter(queue.Header.WaitListHead.Blink), DISPATCH_LEVEL, 0, parameter(service),
        {.rule = "a queue was used that was never initialised", .document = "KeInitializeQueue function (ntifs.h)"});
}

} // namespace

namespace detail {

bool queue_satisfies(const DISPATCHER_HEADER& header, const Thread& thread) noexcept {
    const KQUEUE& queue = queue_of(header);
    if ((header.QueueControlFlags & run_down) != 0) return true;
    const ULONG others = queue.CurrentCount - (thread.queue == &queue ? 1 : 0);
    return header.SignalState > 0 && others < queue.MaximumCount;
}

NTSTATUS take_from_queue(DISPATCHER_HEADER& header, Thread& thread) noexcept {
    if ((header.QueueControlFlags & run_down) != 0) return STATUS_ABANDONED;
    thread.queue_item = take_first(queue_of(header));
    return STATUS_SUCCESS;
}

void queue_thread_rests(Thread& thread) noexcept {
    KQUEUE& queue = *thread.queue;
    queue.CurrentCount = queue.CurrentCount - 1;
    release_threads(queue);
}

} // namespace detail

void initialize_queue(KQUEUE& queue, ULONG most_active) noexcept {
    initialize_header(queue.Header, object_type::queue, 0, sizeof(KQUEUE));
    InitializeListHead(&queue.EntryListHead);
    InitializeListHead(&queue.ThreadListHead);
    queue.CurrentCount = 0;
    queue.MaximumCount = most_active != 0 ? most_active : current_machine().processor_count;
}

LONG insert_queue(KQUEUE& queue, LIST_ENTRY& entry, bool at_front) noexcept {
    const LONG before = queue.Header.SignalState++;
    if (at_front) {
        InsertHeadList(&queue.EntryListHead, &entry);
    } else {
        InsertTailList(&queue.EntryListHead, &entry);
    }
    release_threads(queue);
    return before;
}

NTSTATUS remove_queue(KQUEUE& queue, KPROCESSOR_MODE mode, bool alertable, const LARGE_INTEGER* timeout,
                      LIST_ENTRY*& entry) noexcept {
    Thread& self = *current_thread();
    const bool over = (queue.Header.QueueControlFlags & run_down) != 0;
    if (!over && self.queue != &queue) join_queue(queue, self);
    self.queue_item = nullptr;
    const NTSTATUS status = wait_for_queue(queue, mode, alertable, timeout);
    entry = std::exchange(self.queue_item, nullptr);
    return status;
}

LIST_ENTRY* remove_queue_now(KQUEUE& queue) noexcept {
    return queue.Header.SignalState > 0 ? take_first(queue) : nullptr;
}

LIST_ENTRY* run_down_queue(KQUEUE& queue) noexcept {
    queue.Header.QueueControlFlags |= run_down;
    while (!IsListEmpty(&queue.ThreadListHead)) {
        Thread& thread = *CONTAINING_RECORD(RemoveHeadList(&queue.ThreadListHead), Thread, queue_entry);
        thread.queue = nullptr;
    }
    while (!IsListEmpty(&queue.Header.WaitListHead)) {
        auto* block = CONTAINING_RECORD(queue.Header.WaitListHead.Flink, KWAIT_BLOCK, WaitListEntry);
        end_wait(*thread_of(block->Thread), STATUS_ABANDONED, 0);
    }
    queue.CurrentCount = 0;
    queue.Header.SignalState = 0;
    if (IsListEmpty(&queue.EntryListHead)) return nullptr;
    LIST_ENTRY* first = queue.EntryListHead.Flink;
    RemoveEntryList(&queue.EntryListHead);
    InitializeListHead(&queue.EntryListHead);
    return first;
}

void leave_queue(Thread& thread) noexcept {
    if (thread.queue == nullptr) return;
    RemoveEntryList(&thread.queue_entry);
    detail::queue_thread_rests(thread);
    thread.queue = nullptr;
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

VOID NTAPI KeInitializeQueue(PRKQUEUE Queue, ULONG Count) {
    DIRQL_DOOR(KeInitializeQueue);
    initialize_queue(*Queue, Count);
}

LONG NTAPI KeInsertQueue(PRKQUEUE Queue, PLIST_ENTRY Entry) {
    DIRQL_DOOR(KeInsertQueue);
    check_queue(*Queue, reinterpret_cast<const void*>(KeInsertQueue));
    const LONG before = insert_queue(*Queue, *Entry, false);
    reschedule_if_asked();
    return before;
}

LONG NTAPI KeInsertHeadQueue(PRKQUEUE Queue, PLIST_ENTRY Entry) {
    DIRQL_DOOR(KeInsertHeadQueue);
    check_queue(*Queue, reinterpret_cast<const void*>(KeInsertHeadQueue));
    const LONG before = insert_queue(*Queue, *Entry, true);
    reschedule_if_asked();
    return before;
}

// The entry, or a status in its place: STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ABANDONED.
PLIST_ENTRY NTAPI KeRemoveQueue(PRKQUEUE Queue, KPROCESSOR_MODE WaitMode, PLARGE_INTEGER Timeout) {
    DIRQL_DOOR(KeRemoveQueue);
    check_may_wait(Queue, Timeout);
    check_queue(*Queue, reinterpret_cast<const void*>(KeRemoveQueue));
    LIST_ENTRY* entry = nullptr;
    const NTSTATUS status = remove_queue(*Queue, WaitMode, false, Timeout, entry);
    return status == STATUS_SUCCESS ? entry : reinterpret_cast<PLIST_ENTRY>(static_cast<ULONG_PTR>(status));
}

LONG NTAPI KeReadStateQueue(PRKQUEUE Queue) {
    DIRQL_DOOR(KeReadStateQueue);
    return Queue->Header.SignalState;
}

PLIST_ENTRY NTAPI KeRundownQueue(PRKQUEUE Queue) {
    DIRQL_DOOR(KeRundownQueue);
    check_queue(*Queue, reinterpret_cast<const void*>(KeRundownQueue));
    LIST_ENTRY* first = run_down_queue(*Queue);
    reschedule_if_asked();
    return first;
}
}
