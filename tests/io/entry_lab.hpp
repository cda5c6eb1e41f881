// A driver whose entry points note the context they are called in.
#pragma once

#include "closure_driver.hpp"

#include <map>
#include <optional>

namespace dirql::test {

inline constexpr std::uint32_t control = 0x222000;

struct Context {
    KIRQL irql = HIGH_LEVEL;
    PEPROCESS process = nullptr;
    PETHREAD thread = nullptr;
    bool in_system_process = false;
    bool operator==(const Context&) const = default;
};

// Each call of an entry point, under the name that the test gives it.
inline std::map<std::string, std::vector<Context>> seen;

inline void saw(const std::string& name) {
    seen[name].push_back({KeGetCurrentIrql(), PsGetCurrentProcess(), PsGetCurrentThread(),
                          PsGetCurrentProcess() == PsInitialSystemProcess});
}

inline Context only(const std::string& name) {
    INFO(name);
    REQUIRE(seen[name].size() == 1);
    return seen[name].front();
}

// Who asked, by the IRP.
inline bool is_requester(const Context& context, PIRP irp) {
    return context.thread == irp->Tail.Overlay.Thread && context.process == IoGetRequestorProcess(irp);
}

// A device with one DPC of each kind, a timer of each kind and an application that makes it use them.
struct EntryLab : Lab {
    EntryLab() {
        seen.clear();
        instance = this;
        driver = load("entry", [this](PDRIVER_OBJECT object) {
            saw("DriverEntry");
            object->DriverUnload = unload;
            object->DriverStartIo = start_io;
            fast.SizeOfFastIoDispatch = sizeof fast;
            fast.FastIoDeviceControl = fast_control;
            object->FastIoDispatch = &fast;
            const NTSTATUS status = create_device(object, u"\\Device\\Entry", behaviour, DO_BUFFERED_IO, &device);
            IoInitializeDpcRequest(device, dpc_for_isr);
            KeInitializeDpc(&dpc, custom_dpc, nullptr);
            KeInitializeDpc(&timer_dpc, custom_timer_dpc, nullptr);
            KeInitializeTimer(&timer);
            IoInitializeTimer(device, io_timer, nullptr);
            IoRegisterDriverReinitialization(object, reinitialize, nullptr);
            return status;
        });
    }
    static VOID NTAPI unload(PDRIVER_OBJECT object) {
        saw("Unload");
        delete_all_devices(object);
    }
    static VOID NTAPI reinitialize(PDRIVER_OBJECT, PVOID, ULONG) { saw("Reinitialize"); }
    // StartIo may take the cancel spin lock: whoever calls it has released it.
    static VOID NTAPI start_io(PDEVICE_OBJECT, PIRP irp) {
        saw("StartIo");
        KIRQL irql;
        IoAcquireCancelSpinLock(&irql);
        (void)IoSetCancelRoutine(irp, nullptr);
        IoReleaseCancelSpinLock(irql);
        instance->started.push_back(IoGetCurrentIrpStackLocation(irp)->Parameters.Read.ByteOffset.LowPart);
    }
    static BOOLEAN NTAPI fast_control(PFILE_OBJECT, BOOLEAN, PVOID, ULONG, PVOID, ULONG, ULONG, PIO_STATUS_BLOCK,
                                      PDEVICE_OBJECT) {
        saw("FastIoDeviceControl");
        return FALSE;
    }
    static VOID NTAPI dpc_for_isr(PKDPC, PDEVICE_OBJECT target, PIRP irp, PVOID) {
        saw("DpcForIsr");
        instance->in_dpc(target, irp);
    }
    static VOID NTAPI custom_dpc(PKDPC, PVOID, PVOID, PVOID) {
        saw("CustomDpc");
        instance->in_dpc(instance->device, instance->kept);
    }
    static VOID NTAPI custom_timer_dpc(PKDPC, PVOID, PVOID, PVOID) {
        saw("CustomTimerDpc");
        instance->in_dpc(instance->device, instance->kept);
    }
    static VOID NTAPI io_timer(PDEVICE_OBJECT, PVOID) {
        saw("IoTimer");
        instance->ticks.push_back(KeQueryInterruptTime());
    }
    static VOID NTAPI cancel(PDEVICE_OBJECT, PIRP irp) {
        saw("Cancel");
        if (instance->cancel_takes_lock) {
            KIRQL irql;
            IoAcquireCancelSpinLock(&irql);
        }
        const KIRQL before = irp->CancelIrql;
        IoReleaseCancelSpinLock(irp->CancelIrql);
        instance->cancel_irql_right = KeGetCurrentIrql() == before;
        saw("Cancel, lock released");
        complete(irp, STATUS_CANCELLED);
    }
    // Reads wait for a routine of a DPC.
    void keep_reads() {
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) {
            kept = irp;
            return pend(irp);
        };
    }
    void cancel_in(const std::function<void(PIRP)>& canceller) {
        behaviour[IRP_MJ_READ] = [this](PDEVICE_OBJECT, PIRP irp) {
            kept = irp;
            IoMarkIrpPending(irp);
            IoSetCancelRoutine(irp, cancel);
            return STATUS_PENDING;
        };
        behaviour[IRP_MJ_DEVICE_CONTROL] = [this, canceller](PDEVICE_OBJECT, PIRP irp) {
            canceller(kept);
            return complete(irp, STATUS_SUCCESS);
        };
    }

    static inline EntryLab* instance;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    FAST_IO_DISPATCH fast{};
    KDPC dpc{}, timer_dpc{};
    KTIMER timer{};
    PIRP kept = nullptr;
    std::function<void(PDEVICE_OBJECT, PIRP)> in_dpc = [](PDEVICE_OBJECT, PIRP) {};
    std::vector<ULONG> started;
    std::vector<ULONGLONG> ticks;
    bool cancel_irql_right = false;
    bool cancel_takes_lock = false;
    std::optional<Driver> driver;
};

} // namespace dirql::test
