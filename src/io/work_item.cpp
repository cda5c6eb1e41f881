// Work items of devices and drivers: the object that they name is kept until the routine has returned.
#include "ex/pool.hpp"
#include "ex/work_queue.hpp"
#include "io/driver.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/stop.hpp"

// Its layout is the system's own: drivers hold only pointers to it, or room of IoSizeofWorkItem bytes.
struct _IO_WORKITEM {
    dirql::ex::KernelWork work;
    PVOID object; // a device or driver object
    PVOID context;
    union {
        PIO_WORKITEM_ROUTINE routine;
        PIO_WORKITEM_ROUTINE_EX routine_ex;
    };
    bool extended;
};

namespace {

using namespace dirql;

constexpr const char* document = "IoQueueWorkItem function (wdm.h)";

void initialize(PIO_WORKITEM item, PVOID object) noexcept {
    *item = {};
    item->object = object;
}

// The routine may free the item or queue it again: it is read before.
void run(ex::KernelWork& work) {
    auto* item = CONTAINING_RECORD(&work, _IO_WORKITEM, work);
    PVOID const object = item->object;
    PVOID const context = item->context;
    if (item->extended) {
        const PIO_WORKITEM_ROUTINE_EX routine = item->routine_ex;
        ke::callout({ke::CalloutKind::work_item, reinterpret_cast<const void*>(routine)}, routine, object, context,
                    item);
    } else {
        const PIO_WORKITEM_ROUTINE routine = item->routine;
        ke::callout({ke::CalloutKind::work_item, reinterpret_cast<const void*>(routine)}, routine,
                    static_cast<PDEVICE_OBJECT>(object), context);
    }
    io::release_driver(object);
}

void queue(PIO_WORKITEM item, WORK_QUEUE_TYPE type) noexcept {
    if (ex::is_queued(item->work.item)) {
        ke::bug_check(WORKER_INVALID, 1, ke::parameter(item), 0, 0,
                      {.rule = "a work item was queued that is queued already", .document = document});
    }
    io::hold_driver(item->object); // its image runs until the item is done
    ex::queue_kernel_work(item->work, type, run);
}

} // namespace

extern "C" {

ULONG NTAPI IoSizeofWorkItem(VOID) {
    DIRQL_DOOR(IoSizeofWorkItem);
    return sizeof(_IO_WORKITEM);
}

PIO_WORKITEM NTAPI IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoAllocateWorkItem);
    auto* item = static_cast<PIO_WORKITEM>(ex::allocate_pool_for(__builtin_return_address(0), NonPagedPoolNx,
                                                                 sizeof(_IO_WORKITEM), 'IWoI', ex::Fill::zero));
    if (item != nullptr) initialize(item, DeviceObject);
    return item;
}

VOID NTAPI IoFreeWorkItem(PIO_WORKITEM IoWorkItem) {
    DIRQL_DOOR(IoFreeWorkItem);
    if (ex::is_queued(IoWorkItem->work.item)) {
        ke::bug_check(
            WORKER_INVALID, 0, ke::parameter(IoWorkItem), 0, 0,
            {.rule = "a work item was freed that is still queued", .document = "IoFreeWorkItem function (wdm.h)"});
    }
    ex::free_pool(IoWorkItem, 0);
}

VOID NTAPI IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM IoWorkItem) {
    DIRQL_DOOR(IoInitializeWorkItem);
    initialize(IoWorkItem, IoObject);
}

VOID NTAPI IoUninitializeWorkItem(PIO_WORKITEM IoWorkItem) {
    DIRQL_DOOR(IoUninitializeWorkItem);
    if (ex::is_queued(IoWorkItem->work.item)) {
        ke::bug_check(WORKER_INVALID, 0, ke::parameter(IoWorkItem), 0, 0,
                      {.rule = "a work item was uninitialised that is still queued",
                       .document = "IoUninitializeWorkItem function (wdm.h)"});
    }
}

VOID NTAPI IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                           PVOID Context) {
    DIRQL_DOOR(IoQueueWorkItem);
    IoWorkItem->routine = WorkerRoutine;
    IoWorkItem->context = Context;
    IoWorkItem->extended = false;
    queue(IoWorkItem, QueueType);
}

// FALSE where it is queued already: to ask is no error here.
BOOLEAN NTAPI IoTryQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine,
                                 WORK_QUEUE_TYPE QueueType, PVOID Context) {
    DIRQL_DOOR(IoTryQueueWorkItem);
    if (ex::is_queued(IoWorkItem->work.item)) return FALSE;
    IoWorkItem->routine_ex = WorkerRoutine;
    IoWorkItem->context = Context;
    IoWorkItem->extended = true;
    queue(IoWorkItem, QueueType);
    return TRUE;
}

VOID NTAPI IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                             PVOID Context) {
    DIRQL_DOOR(IoQueueWorkItemEx);
    IoWorkItem->routine_ex = WorkerRoutine;
    IoWorkItem->context = Context;
    IoWorkItem->extended = true;
    queue(IoWorkItem, QueueType);
}
}
