// Races that every driver has, in each schedule with up to three preemptions on two processors: each outcome is one that NT
// allows, each of those is met, and nothing is completed twice, lost or touched too late.
#include "closure_driver.hpp"

#include <cstddef>
#include <functional>
#include <set>
#include <string>

using namespace dirql;
using namespace dirql::test;

namespace {

using Names = std::set<std::string>;

// Runs a scenario for each schedule; its outcomes.
Names outcomes(const std::function<std::string(Host&, Schedule&)>& scenario) {
    Host host;
    Names found;
    const Exploration explored =
        explore({.max_preemptions = 3}, [&](Schedule& schedule) { found.insert(scenario(host, schedule)); });
    CHECK(explored.complete);
    CHECK(explored.schedules > 20);
    return found;
}

MachineOptions two_processors() { return {.processors = 2, .physical_memory = std::size_t{16} << 20}; }

// Both at once, each in a system thread: the first in the caller's.
void race(Schedule& schedule, const std::function<void()>& first, const std::function<void()>& second) {
    struct Second {
        const std::function<void()>& body;
        KEVENT go;
    } other{second, {}};
    KeInitializeEvent(&other.go, NotificationEvent, FALSE);
    const auto routine = [](PVOID context) -> VOID {
        auto* self = static_cast<Second*>(context);
        KeWaitForSingleObject(&self->go, Executive, KernelMode, FALSE, nullptr);
        self->body();
    };
    HANDLE handle;
    PVOID thread;
    PsCreateSystemThread(&handle, 0, nullptr, nullptr, nullptr, routine, &other);
    ObReferenceObjectByHandle(handle, SYNCHRONIZE, nullptr, KernelMode, &thread, nullptr);
    ZwClose(handle);
    LARGE_INTEGER a_moment;
    a_moment.QuadPart = -10'000;
    KeDelayExecutionThread(KernelMode, FALSE, &a_moment); // until it waits
    schedule.begin();
    KeSetEvent(&other.go, 0, FALSE);
    first();
    KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, nullptr);
    schedule.end();
    ObDereferenceObject(thread);
}

// A request of the test's own, whose completion is written down and stops there: it is freed when all is over.
struct OwnIrp {
    PIRP irp = IoAllocateIrp(2, FALSE);
    unsigned completions = 0;
    NTSTATUS status = STATUS_PENDING;
    OwnIrp() {
        IoGetNextIrpStackLocation(irp)->MajorFunction = IRP_MJ_READ;
        const auto completed = [](PDEVICE_OBJECT, PIRP request, PVOID context) -> NTSTATUS {
            auto* self = static_cast<OwnIrp*>(context);
            ++self->completions;
            self->status = request->IoStatus.Status;
            return STATUS_MORE_PROCESSING_REQUIRED;
        };
        IoSetCompletionRoutine(irp, completed, this, TRUE, TRUE, TRUE);
    }
    ~OwnIrp() { IoFreeIrp(irp); }
    OwnIrp(const OwnIrp&) = delete;
    OwnIrp& operator=(const OwnIrp&) = delete;
    [[nodiscard]] std::string outcome() const {
        if (completions != 1) return "completed " + std::to_string(completions) + " times";
        return status == STATUS_SUCCESS ? "served" : status == STATUS_CANCELLED ? "cancelled" : "another status";
    }
};

// One request waits, under the driver's lock; who clears its cancel routine owns it.
struct Waiting {
    KSPIN_LOCK lock = 0;
    PIRP irp = nullptr;
};
Waiting waiting;

VOID NTAPI cancel_waiting(PDEVICE_OBJECT, PIRP irp) {
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KIRQL irql;
    KeAcquireSpinLock(&waiting.lock, &irql);
    waiting.irp = nullptr;
    KeReleaseSpinLock(&waiting.lock, irql);
    complete(irp, STATUS_CANCELLED);
}

NTSTATUS wait_for_service(PDEVICE_OBJECT, PIRP irp) {
    KIRQL irql;
    KeAcquireSpinLock(&waiting.lock, &irql);
    IoMarkIrpPending(irp);
    waiting.irp = irp;
    IoSetCancelRoutine(irp, cancel_waiting);
    const bool ours = irp->Cancel && IoSetCancelRoutine(irp, nullptr) != nullptr;
    if (ours) waiting.irp = nullptr;
    KeReleaseSpinLock(&waiting.lock, irql);
    if (ours) complete(irp, STATUS_CANCELLED);
    return STATUS_PENDING;
}

void serve(NTSTATUS status = STATUS_SUCCESS) {
    KIRQL irql;
    KeAcquireSpinLock(&waiting.lock, &irql);
    PIRP irp = waiting.irp;
    if (irp != nullptr && IoSetCancelRoutine(irp, nullptr) != nullptr) {
        waiting.irp = nullptr;
    } else {
        irp = nullptr;
    }
    KeReleaseSpinLock(&waiting.lock, irql);
    if (irp != nullptr) complete(irp, status);
}

struct WaitingLab : Lab {
    explicit WaitingLab(Host& host) : Lab(host, two_processors()) {
        waiting = {};
        behaviour[IRP_MJ_READ] = wait_for_service;
        behaviour[IRP_MJ_CLEANUP] = [](PDEVICE_OBJECT, PIRP irp) {
            serve(STATUS_CANCELLED);
            return complete(irp, STATUS_SUCCESS);
        };
        behaviour[IRP_MJ_CLOSE] = [this](PDEVICE_OBJECT, PIRP irp) {
            closed_while_waiting |= waiting.irp != nullptr;
            ++closes;
            return complete(irp, STATUS_SUCCESS);
        };
        load("w", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\W", behaviour, 0, &device); });
    }
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
    unsigned closes = 0;
    bool closed_while_waiting = false;
};

} // namespace

TEST_CASE("cancel versus completion: one of them has the request, in every schedule") {
    CHECK(outcomes([](Host& host, Schedule& schedule) {
              WaitingLab lab(host);
              std::string outcome;
              const Outcome ended = lab.machine.run_in_kernel([&] {
                  OwnIrp request;
                  IoCallDriver(lab.device, request.irp);
                  BOOLEAN found = FALSE;
                  race(
                      schedule, [&] { found = IoCancelIrp(request.irp); }, [] { serve(); });
                  outcome = request.outcome();
                  if ((outcome == "cancelled") != (found != FALSE)) outcome += ", and IoCancelIrp says otherwise";
              });
              return ended.finished() ? outcome : ended.report;
          }) == Names{"served", "cancelled"});
}

TEST_CASE("cancel versus dispatch: a request that is cancelled on its way is cancelled, or found waiting") {
    CHECK(outcomes([](Host& host, Schedule& schedule) {
              WaitingLab lab(host);
              std::string outcome;
              const Outcome ended = lab.machine.run_in_kernel([&] {
                  OwnIrp request;
                  race(
                      schedule, [&] { IoCallDriver(lab.device, request.irp); }, [&] { IoCancelIrp(request.irp); });
                  outcome = request.outcome();
              });
              return ended.finished() ? outcome : ended.report;
          }) == Names{"cancelled"});
}

namespace {

// StartIo and its cancel routine, as "Canceling IRPs in drivers with StartIo" wants them.
struct StartIoLab : Lab {
    explicit StartIoLab(Host& host) : Lab(host, two_processors()) {
        behaviour[IRP_MJ_READ] = [](PDEVICE_OBJECT target, PIRP irp) {
            IoMarkIrpPending(irp);
            IoStartPacket(target, irp, nullptr, cancel);
            return STATUS_PENDING;
        };
        load("q", [this](PDRIVER_OBJECT driver) {
            driver->DriverStartIo = start_io;
            return create_device(driver, nullptr, behaviour, 0, &device);
        });
        first = nullptr;
    }
    static VOID NTAPI cancel(PDEVICE_OBJECT target, PIRP irp) {
        const bool current = target->CurrentIrp == irp;
        if (!current) KeRemoveEntryDeviceQueue(&target->DeviceQueue, &irp->Tail.Overlay.DeviceQueueEntry);
        IoReleaseCancelSpinLock(irp->CancelIrql);
        complete(irp, STATUS_CANCELLED);
        if (current) next(target);
    }
    static void next(PDEVICE_OBJECT target) {
        KIRQL irql;
        KeRaiseIrql(DISPATCH_LEVEL, &irql);
        IoStartNextPacket(target, TRUE);
        KeLowerIrql(irql);
    }
    static VOID NTAPI start_io(PDEVICE_OBJECT target, PIRP irp) {
        KIRQL irql;
        IoAcquireCancelSpinLock(&irql);
        if (irp != target->CurrentIrp || irp->Cancel) { // its canceller has it, or has had it
            IoReleaseCancelSpinLock(irql);
            return;
        }
        IoSetCancelRoutine(irp, nullptr);
        IoReleaseCancelSpinLock(irql);
        if (first == nullptr) { // this one is served later
            first = irp;
            return;
        }
        complete(irp, STATUS_SUCCESS);
        IoStartNextPacket(target, TRUE);
    }
    static inline PIRP first;
    Behaviour behaviour;
    PDEVICE_OBJECT device = nullptr;
};

} // namespace

TEST_CASE("cancel versus StartIo: the packet is started or cancelled, and the queue goes idle") {
    CHECK(outcomes([](Host& host, Schedule& schedule) {
              StartIoLab lab(host);
              std::string outcome;
              const Outcome ended = lab.machine.run_in_kernel([&] {
                  OwnIrp first;
                  OwnIrp second;
                  IoCallDriver(lab.device, first.irp);
                  IoCallDriver(lab.device, second.irp);
                  race(
                      schedule, [&] { IoCancelIrp(second.irp); },
                      [&] {
                          complete(first.irp, STATUS_SUCCESS);
                          StartIoLab::next(lab.device);
                      });
                  outcome = second.outcome();
                  if (first.outcome() != "served") outcome += ", the first was not";
                  if (lab.device->DeviceQueue.Busy || lab.device->CurrentIrp != nullptr)
                      outcome += ", the queue is busy";
              });
              return ended.finished() ? outcome : ended.report;
          }) == Names{"served", "cancelled"});
}

TEST_CASE("remove lock versus dispatch: nobody is at work on a device that is removed") {
    for (const bool checked : {false, true}) {
        CHECK(outcomes([checked](Host& host, Schedule& schedule) {
                  Lab lab(host, two_processors());
                  std::string outcome;
                  const Outcome ended = lab.machine.run_in_kernel([&] {
                      struct Device {
                          IO_REMOVE_LOCK_COMMON_BLOCK lock;
                          IO_REMOVE_LOCK_DBG_BLOCK debug;
                          bool removed;
                      };
                      auto* device = kernel_object<Device>();
                      auto* lock = reinterpret_cast<PIO_REMOVE_LOCK>(device);
                      const ULONG size = checked ? offsetof(Device, removed) : sizeof(IO_REMOVE_LOCK_COMMON_BLOCK);
                      IoInitializeRemoveLockEx(lock, 0x74736574, 0, 0, size);
                      (void)IoAcquireRemoveLockEx(lock, lock, "", 1, size);
                      const auto dispatch = [&] {
                          if (IoAcquireRemoveLockEx(lock, &outcome, "", 1, size) != STATUS_SUCCESS) {
                              outcome = "too late";
                              return;
                          }
                          (void)KeQueryTimeIncrement(); // at work
                          outcome = device->removed ? "at work on a removed device" : "at work in time";
                          IoReleaseRemoveLockEx(lock, &outcome, size);
                      };
                      race(schedule, dispatch, [&] {
                          IoReleaseRemoveLockAndWaitEx(lock, lock, size);
                          device->removed = true;
                      });
                      if (device->lock.IoCount != 0) outcome += ", and the count is wrong";
                      ExFreePool(device);
                  });
                  return ended.finished() ? outcome : ended.report;
              }) == Names{"at work in time", "too late"});
    }
}

TEST_CASE("timer versus cancel: the DPC has the request, or who cancelled the timer") {
    CHECK(outcomes([](Host& host, Schedule& schedule) {
              WaitingLab lab(host);
              std::string outcome;
              const Outcome ended = lab.machine.run_in_kernel([&] {
                  OwnIrp request;
                  IoCallDriver(lab.device, request.irp);
                  struct Memory {
                      KTIMER timer;
                      KDPC dpc;
                      KEVENT over;
                  };
                  auto* memory = kernel_object<Memory>();
                  KeInitializeTimer(&memory->timer);
                  KeInitializeEvent(&memory->over, NotificationEvent, FALSE);
                  KeInitializeDpc(
                      &memory->dpc,
                      [](PKDPC, PVOID over, PVOID, PVOID) {
                          serve();
                          KeSetEvent(static_cast<PKEVENT>(over), 0, FALSE);
                      },
                      &memory->over);
                  LARGE_INTEGER due;
                  due.QuadPart = -10; // 1 us
                  bool in_time = false;
                  race(
                      schedule, [&] { KeSetTimer(&memory->timer, due, &memory->dpc); },
                      [&] {
                          (void)KeQueryTimeIncrement();
                          in_time = KeCancelTimer(&memory->timer) != FALSE;
                          if (in_time) serve(STATUS_CANCELLED);
                      });
                  if (!in_time) KeWaitForSingleObject(&memory->over, Executive, KernelMode, FALSE, nullptr);
                  KeFlushQueuedDpcs();
                  outcome = request.outcome();
                  if (in_time != (outcome == "cancelled")) outcome += ", and KeCancelTimer says otherwise";
                  ExFreePool(memory);
              });
              return ended.finished() ? outcome : ended.report;
          }) == Names{"served", "cancelled"});
}

TEST_CASE("close versus completion: the request ends once, and IRP_MJ_CLOSE comes when it is no more") {
    CHECK(outcomes([](Host& host, Schedule& schedule) {
              WaitingLab lab(host);
              std::string outcome;
              const Outcome ended = lab.machine.run_in_kernel([&] {
                  UNICODE_STRING name = unicode(u"\\Device\\W");
                  OBJECT_ATTRIBUTES attributes;
                  InitializeObjectAttributes(&attributes, &name, OBJ_KERNEL_HANDLE, nullptr, nullptr);
                  HANDLE file;
                  HANDLE event;
                  IO_STATUS_BLOCK result{};
                  char buffer[4];
                  ZwOpenFile(&file, GENERIC_READ, &attributes, &result, 0, 0);
                  InitializeObjectAttributes(&attributes, nullptr, OBJ_KERNEL_HANDLE, nullptr, nullptr);
                  ZwCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, NotificationEvent, FALSE);
                  LARGE_INTEGER offset{};
                  ZwReadFile(file, event, nullptr, nullptr, &result, buffer, sizeof buffer, &offset, nullptr);
                  race(
                      schedule, [&] { ZwClose(file); }, [] { serve(); });
                  ZwWaitForSingleObject(event, FALSE, nullptr);
                  ZwClose(event);
                  LARGE_INTEGER a_moment;
                  a_moment.QuadPart = -10'000;
                  KeDelayExecutionThread(KernelMode, FALSE, &a_moment); // the close may come in a worker
                  outcome = result.Status == STATUS_SUCCESS     ? "served"
                            : result.Status == STATUS_CANCELLED ? "cancelled"
                                                                : "another status";
                  if (lab.closes != 1) outcome += ", not closed";
                  if (lab.closed_while_waiting) outcome += ", closed too early";
              });
              return ended.finished() ? outcome : ended.report;
          }) == Names{"served", "cancelled"});
}
