// StartIo: one IRP at a time through a driver's StartIo routine, the others wait in the device queue.
#include "diag/trace.hpp"
#include "io/cancel.hpp"
#include "io/irp.hpp"
#include "io/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"

namespace dirql::io {
namespace {

// Raises to DISPATCH_LEVEL, and takes the cancel spin lock where the IRP is cancelable. Released before StartIo is called.
class StartLock {
public:
    explicit StartLock(bool cancelable) noexcept
        : cancelable_(cancelable), irql_(ke::raise_irql(ke::current_processor(), DISPATCH_LEVEL)) {
        if (cancelable_) ke::acquire_spin_lock(&state().cancel_lock);
    }
    ~StartLock() { ke::lower_irql(ke::current_processor(), irql_); }
    StartLock(const StartLock&) = delete;
    StartLock& operator=(const StartLock&) = delete;

    [[nodiscard]] KIRQL irql() const noexcept { return irql_; }
    void release_cancel_lock() noexcept {
        if (cancelable_) ke::release_spin_lock(&state().cancel_lock);
        cancelable_ = false;
    }

private:
    bool cancelable_;
    KIRQL irql_;
};

// At DISPATCH_LEVEL, without the cancel lock: the routine takes it if it wants it.
void call_start_io(PDEVICE_OBJECT device, PIRP irp) noexcept {
    const PDRIVER_STARTIO routine = device->DriverObject->DriverStartIo;
    ke::callout({ke::CalloutKind::start_io, reinterpret_cast<const void*>(routine), device, irp}, routine, device, irp);
}

void start(PDEVICE_OBJECT device, PKDEVICE_QUEUE_ENTRY entry, StartLock& lock) noexcept {
    if (entry == nullptr) {
        lock.release_cancel_lock();
        return;
    }
    PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.DeviceQueueEntry);
    device->CurrentIrp = irp;
    lock.release_cancel_lock();
    call_start_io(device, irp);
}

// An IRP that came to the queue already cancelled: whoever set Cancel found no routine, so it is called here.
void cancel_if_asked(PIRP irp, PDRIVER_CANCEL cancel, StartLock& lock) noexcept {
    if (cancel == nullptr || !irp->Cancel || IoSetCancelRoutine(irp, nullptr) == nullptr)
        return lock.release_cancel_lock();
    irp->CancelIrql = DISPATCH_LEVEL;
    call_cancel_routine(cancel, irp);
}

} // namespace
} // namespace dirql::io

using namespace dirql;
using namespace dirql::io;

extern "C" {

VOID NTAPI IoStartPacket(PDEVICE_OBJECT DeviceObject, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction) {
    DIRQL_DOOR(IoStartPacket);
    StartLock lock(CancelFunction != nullptr);
    if (CancelFunction != nullptr) (void)IoSetCancelRoutine(Irp, CancelFunction);
    PKDEVICE_QUEUE_ENTRY entry = &Irp->Tail.Overlay.DeviceQueueEntry;
    const BOOLEAN queued = Key != nullptr ? KeInsertByKeyDeviceQueue(&DeviceObject->DeviceQueue, entry, *Key)
                                          : KeInsertDeviceQueue(&DeviceObject->DeviceQueue, entry);
    DIRQL_TRACE(packet_start, .irp = Irp, .object = DeviceObject, .value = queued);
    if (!queued) {
        start(DeviceObject, entry, lock);
    } else if (CancelFunction != nullptr) {
        cancel_if_asked(Irp, CancelFunction, lock);
    }
}

VOID NTAPI IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable) {
    DIRQL_DOOR(IoStartNextPacket);
    StartLock lock(Cancelable != FALSE);
    DeviceObject->CurrentIrp = nullptr;
    start(DeviceObject, KeRemoveDeviceQueue(&DeviceObject->DeviceQueue), lock);
}

VOID NTAPI IoStartNextPacketByKey(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable, ULONG Key) {
    DIRQL_DOOR(IoStartNextPacketByKey);
    StartLock lock(Cancelable != FALSE);
    DeviceObject->CurrentIrp = nullptr;
    start(DeviceObject, KeRemoveByKeyDeviceQueue(&DeviceObject->DeviceQueue, Key), lock);
}
}
