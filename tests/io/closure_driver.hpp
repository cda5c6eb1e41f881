// Drivers written as closures in a test: what a driver does stands beside what its application sees.
//
//     Lab lab;
//     Behaviour echo;
//     echo[IRP_MJ_READ] = [](PDEVICE_OBJECT, PIRP irp) { return complete(irp, STATUS_SUCCESS, 4); };
//     lab.load("echo", [&](PDRIVER_OBJECT driver) { return create_device(driver, u"\\Device\\Echo", echo, DO_BUFFERED_IO); });
//     lab.run([&](dirql::Process& process) { ... });
//
// A closure runs as driver code does: on a kernel stack, at the IRQL of its call. It leaves what it saw in the test's
// variables or in the lab's journal, and asserts nothing itself.
#pragma once

#include "catch.hpp"
#include "support/names.hpp"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::test {

using Dispatch = std::function<NTSTATUS(PDEVICE_OBJECT, PIRP)>;

// What a device does with each major function. Create, cleanup and close succeed unless said otherwise; the rest fails.
class Behaviour {
public:
    Behaviour();
    Dispatch& operator[](unsigned major) { return dispatch_[major]; }

private:
    std::array<Dispatch, IRP_MJ_MAXIMUM_FUNCTION + 1> dispatch_;
};

// Completes the IRP and returns its status, as a dispatch routine does.
NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information = 0);
// Marks it pending and returns STATUS_PENDING.
NTSTATUS pend(PIRP irp);

// A device that behaves so; `flags` are DO_... ones. Null name: without one.
NTSTATUS create_device(PDRIVER_OBJECT driver, const char16_t* name, Behaviour& behaviour, ULONG flags = 0,
                       PDEVICE_OBJECT* device = nullptr, BOOLEAN exclusive = FALSE);
// An Unload routine that deletes every device of its driver, detaching it first where it is attached.
VOID NTAPI delete_all_devices(PDRIVER_OBJECT driver);

// Sent down as it came, without a location of the caller's own.
NTSTATUS skip_to(PDEVICE_OBJECT lower, PIRP irp);
// Sent down with this completion routine.
using Completion = std::function<NTSTATUS(PDEVICE_OBJECT, PIRP)>;
NTSTATUS copy_to(PDEVICE_OBJECT lower, PIRP irp, Completion& completion, bool on_success = true, bool on_error = true,
                 bool on_cancel = true);
// For IRPs of one's own: the closure is the completion routine of the next location.
void set_completion(PIRP irp, Completion& completion, bool on_success = true, bool on_error = true,
                    bool on_cancel = true);

// A machine and what its drivers wrote down.
class Lab {
public:
    explicit Lab(MachineOptions options = {});
    Lab(Host& host, MachineOptions options);

    using Entry = std::function<NTSTATUS(PDRIVER_OBJECT)>;
    // Loads a driver whose DriverEntry this is; its Unload deletes all devices unless the closure sets another.
    Result<Driver> try_load(std::string_view name, Entry entry);
    Driver load(std::string_view name, Entry entry);
    Outcome run(const std::function<void(Process&)>& body);

    Machine machine;
    std::vector<std::string> journal;
    void note(std::string text) { journal.push_back(std::move(text)); }
};

// At DISPATCH_LEVEL for a while.
struct AtDispatch {
    KIRQL irql;
    AtDispatch() { KeRaiseIrql(DISPATCH_LEVEL, &irql); }
    ~AtDispatch() { KeLowerIrql(irql); }
};

inline constexpr OpenOptions overlapped{.overlapped = true};

// The lower half of a bounce: an event or flag that a test's threads and drivers share lives in kernel memory.
template <class T> T* kernel_object() {
    return static_cast<T*>(ExAllocatePoolZero(NonPagedPoolNx, sizeof(T), 0x74736574));
}

} // namespace dirql::test
