#include "io/shutdown.hpp"

#include "io/call_driver.hpp"
#include "io/device.hpp"
#include "io/irp.hpp"
#include "io/state.hpp"
#include "ke/exports/io.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

namespace dirql::io {
namespace {

void register_shutdown(PDEVICE_OBJECT device, ShutdownRound round) noexcept {
    LIST_ENTRY& entry = state_of(device).shutdown[round];
    if (entry.Flink == nullptr) InsertHeadList(&state().shutdown[round], &entry); // called last in, first out
    device->Flags |= DO_SHUTDOWN_REGISTERED;
}

void unregister(PDEVICE_OBJECT device, ShutdownRound round) noexcept {
    LIST_ENTRY& entry = state_of(device).shutdown[round];
    if (entry.Flink == nullptr) return;
    RemoveEntryList(&entry);
    entry = {};
}

PDEVICE_OBJECT first_of(ShutdownRound round) noexcept {
    LIST_ENTRY& list = state().shutdown[round];
    if (IsListEmpty(&list)) return nullptr;
    return CONTAINING_RECORD(list.Flink - round, DeviceState, shutdown)->header.DeviceObject;
}

// To the device that registered, not to the top of its stack: it is registered for itself. The issuer waits, so that the request is
// one of the thread's that the I/O manager finishes.
void send_shutdown(PDEVICE_OBJECT device) noexcept {
    PIRP irp = allocate_irp(device->StackSize);
    if (irp == nullptr) return; // as on NT, which goes on without it
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IO_STATUS_BLOCK status_block{};
    irp->UserEvent = &event;
    irp->UserIosb = &status_block;
    irp->Tail.Overlay.Thread = ps::as_ethread(ke::current_thread());
    IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_SHUTDOWN;
    queue_to_thread(irp, *ke::current_thread());
    if (call_driver(device, irp) == STATUS_PENDING) ke::wait_for(&event);
}

} // namespace

void unregister_shutdown(PDEVICE_OBJECT device) noexcept {
    unregister(device, before_flush);
    unregister(device, last_chance);
    device->Flags &= ~static_cast<ULONG>(DO_SHUTDOWN_REGISTERED);
}

// A routine may register and unregister devices: each time the list is looked at anew.
void shut_down() noexcept {
    for (const ShutdownRound round : {before_flush, last_chance}) {
        while (PDEVICE_OBJECT device = first_of(round)) {
            ob::reference(device);
            unregister(device, round);
            send_shutdown(device);
            ob::dereference(device);
        }
    }
}

} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

NTSTATUS NTAPI IoRegisterShutdownNotification(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoRegisterShutdownNotification);
    register_shutdown(DeviceObject, before_flush);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI IoRegisterLastChanceShutdownNotification(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoRegisterLastChanceShutdownNotification);
    register_shutdown(DeviceObject, last_chance);
    return STATUS_SUCCESS;
}

VOID NTAPI IoUnregisterShutdownNotification(PDEVICE_OBJECT DeviceObject) {
    DIRQL_DOOR(IoUnregisterShutdownNotification);
    unregister_shutdown(DeviceObject);
}
}
