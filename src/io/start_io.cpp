// StartIo: one IRP at a time through a driver's StartIo routine, the others wait in the device queue.
#include "diag/trace.hpp"
#include "io/cancel.hpp"
#include "io/device.hpp"
#include "io/irp.hpp"
#include "io/state.hpp"
#include "ke/callout.hpp"
#include "ke/exports/io.hpp"
#include "ke/exports/io_queue.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"

#include <utility>

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

    [[nodiscard]] bool cancelable() const noexcept { return cancelable_; }
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

// What comes out of the queue, or went by it.
void start(PDEVICE_OBJECT device, PKDEVICE_QUEUE_ENTRY entry, StartLock& lock) noexcept {
    if (entry == nullptr) {
        lock.release_cancel_lock();
        return;
    }
    PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.DeviceQueueEntry);
    device->CurrentIrp = irp;
    if (lock.cancelable() && state_of(device).start_io.non_cancelable) (void)IoSetCancelRoutine(irp, nullptr);
    lock.release_cancel_lock();
    call_start_io(device, irp);
}

void start_next(PDEVICE_OBJECT device, const NextPacket& next) noexcept {
    StartLock lock(next.cancelable);
    device->CurrentIrp = nullptr;
    start(device,
          next.by_key ? KeRemoveByKeyDeviceQueue(&device->DeviceQueue, next.key)
                      : KeRemoveDeviceQueue(&device->DeviceQueue),
          lock);
}

// With deferred calls (IoSetStartIoAttributes) who asks for the next packet while StartIo runs leaves word, on whichever
// processor, and the call under way is followed by what was asked for.
template <class First> void start_deferring(PDEVICE_OBJECT device, First first) noexcept {
    StartIoState& start_io = state_of(device).start_io;
    if (!start_io.deferred || start_io.running) return first();
    start_io.running = true;
    first();
    while (std::exchange(start_io.next_wanted, false)) start_next(device, start_io.next);
    start_io.running = false;
}

void next_packet(PDEVICE_OBJECT device, const NextPacket& next) noexcept {
    StartIoState& start_io = state_of(device).start_io;
    if (start_io.running) {
        start_io.next = next;
        start_io.next_wanted = true;
        return;
    }
    start_deferring(device, [&] { start_next(device, next); });
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
        start_deferring(DeviceObject, [&] { start(DeviceObject, entry, lock); });
    } else if (CancelFunction != nullptr) {
        cancel_if_asked(Irp, CancelFunction, lock);
    }
}

VOID NTAPI IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable) {
    DIRQL_DOOR(IoStartNextPacket);
    next_packet(DeviceObject, {Cancelable != FALSE, false, 0});
}

VOID NTAPI IoStartNextPacketByKey(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable, ULONG Key) {
    DIRQL_DOOR(IoStartNextPacketByKey);
    next_packet(DeviceObject, {Cancelable != FALSE, true, Key});
}

VOID NTAPI IoSetStartIoAttributes(PDEVICE_OBJECT DeviceObject, BOOLEAN DeferredStartIo, BOOLEAN NonCancelable) {
    DIRQL_DOOR(IoSetStartIoAttributes);
    StartIoState& start_io = state_of(DeviceObject).start_io;
    start_io.deferred = DeferredStartIo != FALSE;
    start_io.non_cancelable = NonCancelable != FALSE;
}
}
