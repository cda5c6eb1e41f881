// Device queues: a busy flag and the entries that wait for it to fall.
#include "ke/exports/ke.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"

using namespace dirql::ke;

namespace {

constexpr CSHORT device_queue_object = 0x14; // KOBJECTS

// The queue's lock, at DISPATCH_LEVEL.
class QueueLock {
public:
    explicit QueueLock(PKDEVICE_QUEUE queue) noexcept
        : lock_(&queue->Lock), irql_(raise_irql(current_processor(), DISPATCH_LEVEL)) {
        acquire_spin_lock(lock_);
    }
    ~QueueLock() {
        release_spin_lock(lock_);
        lower_irql(current_processor(), irql_);
    }
    QueueLock(const QueueLock&) = delete;
    QueueLock& operator=(const QueueLock&) = delete;

private:
    PKSPIN_LOCK lock_;
    KIRQL irql_;
};

PKDEVICE_QUEUE_ENTRY entry_of(PLIST_ENTRY link) noexcept {
    return CONTAINING_RECORD(link, KDEVICE_QUEUE_ENTRY, DeviceListEntry);
}

PKDEVICE_QUEUE_ENTRY take(PLIST_ENTRY link) noexcept {
    RemoveEntryList(link);
    PKDEVICE_QUEUE_ENTRY entry = entry_of(link);
    entry->Inserted = FALSE;
    return entry;
}

// An idle queue becomes busy instead of holding the entry.
bool becomes_busy(PKDEVICE_QUEUE queue, PKDEVICE_QUEUE_ENTRY entry) noexcept {
    entry->Inserted = queue->Busy;
    if (queue->Busy) return false;
    queue->Busy = TRUE;
    return true;
}

} // namespace

extern "C" {

VOID NTAPI KeInitializeDeviceQueue(PKDEVICE_QUEUE DeviceQueue) {
    DIRQL_DOOR(KeInitializeDeviceQueue);
    DeviceQueue->Type = device_queue_object;
    DeviceQueue->Size = sizeof(KDEVICE_QUEUE);
    InitializeListHead(&DeviceQueue->DeviceListHead);
    DeviceQueue->Lock = 0;
    DeviceQueue->Busy = FALSE;
}

BOOLEAN NTAPI KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry) {
    DIRQL_DOOR(KeInsertDeviceQueue);
    const QueueLock lock(DeviceQueue);
    if (becomes_busy(DeviceQueue, DeviceQueueEntry)) return FALSE;
    InsertTailList(&DeviceQueue->DeviceListHead, &DeviceQueueEntry->DeviceListEntry);
    return TRUE;
}

// Ascending keys; behind entries of the same key.
BOOLEAN NTAPI KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry,
                                       ULONG SortKey) {
    DIRQL_DOOR(KeInsertByKeyDeviceQueue);
    const QueueLock lock(DeviceQueue);
    DeviceQueueEntry->SortKey = SortKey;
    if (becomes_busy(DeviceQueue, DeviceQueueEntry)) return FALSE;
    PLIST_ENTRY head = &DeviceQueue->DeviceListHead;
    PLIST_ENTRY before = head->Flink;
    while (before != head && entry_of(before)->SortKey <= SortKey) before = before->Flink;
    InsertTailList(before, &DeviceQueueEntry->DeviceListEntry);
    return TRUE;
}

PKDEVICE_QUEUE_ENTRY NTAPI KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue) {
    DIRQL_DOOR(KeRemoveDeviceQueue);
    const QueueLock lock(DeviceQueue);
    if (!IsListEmpty(&DeviceQueue->DeviceListHead)) return take(DeviceQueue->DeviceListHead.Flink);
    DeviceQueue->Busy = FALSE;
    return nullptr;
}

// The first entry with this key or a higher one; where there is none, the first of all.
PKDEVICE_QUEUE_ENTRY NTAPI KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey) {
    DIRQL_DOOR(KeRemoveByKeyDeviceQueue);
    const QueueLock lock(DeviceQueue);
    PLIST_ENTRY head = &DeviceQueue->DeviceListHead;
    if (IsListEmpty(head)) {
        DeviceQueue->Busy = FALSE;
        return nullptr;
    }
    PLIST_ENTRY link = head->Flink;
    while (link != head && entry_of(link)->SortKey < SortKey) link = link->Flink;
    return take(link == head ? head->Flink : link);
}

BOOLEAN NTAPI KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry) {
    DIRQL_DOOR(KeRemoveEntryDeviceQueue);
    const QueueLock lock(DeviceQueue);
    if (!DeviceQueueEntry->Inserted) return FALSE;
    take(&DeviceQueueEntry->DeviceListEntry);
    return TRUE;
}
}
