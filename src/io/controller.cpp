// Controller objects: one device at a time has the controller, the others wait in its queue.
#include "ex/pool.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io_queue.hpp"

#include <ntifs.h>

#include <cstring>

using namespace dirql;

namespace {

constexpr ULONG controller_tag = ex::pool_tag("Cont");

IO_ALLOCATION_ACTION call_control(PDEVICE_OBJECT device, PDRIVER_CONTROL routine, PVOID context) noexcept {
    PIRP irp = device->CurrentIrp;
    return ke::callout({ke::CalloutKind::other, reinterpret_cast<const void*>(routine), device, irp}, routine, device,
                       irp, PVOID{nullptr}, context);
}

// The next device that waits gets it, and so on while their routines give it back at once.
void give_to_next(PCONTROLLER_OBJECT controller) noexcept {
    while (PKDEVICE_QUEUE_ENTRY entry = KeRemoveDeviceQueue(&controller->DeviceWaitQueue)) {
        PDEVICE_OBJECT device = CONTAINING_RECORD(entry, DEVICE_OBJECT, Queue.Wcb.WaitQueueEntry);
        const WAIT_CONTEXT_BLOCK& wait = device->Queue.Wcb;
        if (call_control(device, wait.DeviceRoutine, wait.DeviceContext) != DeallocateObject) return;
    }
}

} // namespace

extern "C" {

PCONTROLLER_OBJECT NTAPI IoCreateController(ULONG Size) {
    DIRQL_DOOR(IoCreateController);
    auto* controller = static_cast<PCONTROLLER_OBJECT>(
        ex::allocate_pool_for(__builtin_return_address(0), NonPagedPoolNx,
                              sizeof(CONTROLLER_OBJECT) + std::size_t{Size}, controller_tag, ex::Fill::zero));
    if (controller == nullptr) return nullptr;
    controller->Type = IO_TYPE_CONTROLLER;
    controller->Size = static_cast<CSHORT>(sizeof(CONTROLLER_OBJECT) + Size);
    controller->ControllerExtension = controller + 1;
    KeInitializeDeviceQueue(&controller->DeviceWaitQueue);
    return controller;
}

VOID NTAPI IoDeleteController(PCONTROLLER_OBJECT ControllerObject) {
    DIRQL_DOOR(IoDeleteController);
    ex::free_pool(ControllerObject, controller_tag);
}

VOID NTAPI IoAllocateController(PCONTROLLER_OBJECT ControllerObject, PDEVICE_OBJECT DeviceObject,
                                PDRIVER_CONTROL ExecutionRoutine, PVOID Context) {
    DIRQL_DOOR(IoAllocateController);
    WAIT_CONTEXT_BLOCK& wait = DeviceObject->Queue.Wcb;
    wait.DeviceRoutine = ExecutionRoutine;
    wait.DeviceContext = Context;
    if (KeInsertDeviceQueue(&ControllerObject->DeviceWaitQueue, &wait.WaitQueueEntry)) return; // busy: its turn comes
    if (call_control(DeviceObject, ExecutionRoutine, Context) == DeallocateObject) give_to_next(ControllerObject);
}

VOID NTAPI IoFreeController(PCONTROLLER_OBJECT ControllerObject) {
    DIRQL_DOOR(IoFreeController);
    give_to_next(ControllerObject);
}
}
