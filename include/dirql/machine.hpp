// A machine: one simulated computer with an NT kernel's I/O half, as a value.
#pragma once

#include <dirql/driver.hpp>
#include <dirql/error_log.hpp>
#include <dirql/host.hpp>
#include <dirql/outcome.hpp>
#include <dirql/process.hpp>
#include <dirql/result.hpp>
#include <dirql/trace.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class MachineImpl;
}

/// How a machine is made. Durations are of virtual time where nothing else is said. What is out of its bounds makes Machine's
/// constructor throw std::invalid_argument.
struct MachineOptions {
    static constexpr unsigned max_processors = 64;
    static constexpr std::size_t max_physical_memory = std::size_t{1} << 30;

    std::uint64_t seed = 0;                               ///< decides every choice; the same seed gives the same run
    unsigned processors = 1;                              ///< 1 to max_processors
    std::size_t physical_memory = std::size_t{256} << 20; ///< bytes, up to max_physical_memory
    bool trace = false;                                   ///< record events from the start, see Machine::trace
    /// How long a driver may run on, from the system service, work item or DPC that it works for or from its last wait, before
    /// the machine stops with a stall or, at DISPATCH_LEVEL, bug check 0x133.
    std::chrono::nanoseconds callout_budget = std::chrono::seconds(5);
    /// How much time may pass in one run.
    std::chrono::nanoseconds run_budget = std::chrono::hours(24);
    /// The same without the time in which all processors rest: work that wakes itself forever ends in a stall.
    std::chrono::nanoseconds busy_budget = std::chrono::minutes(1);
    /// Host CPU time that driver code without preemption points, or the kernel on its behalf (in a cycle of a driver's links), may
    /// take, the last resort: exact to a quarter, and not the same place on every run. 0: there is no such watch.
    std::chrono::nanoseconds cpu_budget = std::chrono::seconds(10);
    /// A kernel debugger is attached that goes on at each break point (DbgBreakPoint, a failed ASSERT, `__debugbreak`). Without
    /// one a break point is an exception that, unless the driver handles it, ends in a bug check, as on NT.
    bool kernel_debugger = false;
    /// Driver Verifier's option of that name: paged pool that a driver has allocated is out of reach while the IRQL is
    /// DISPATCH_LEVEL or above, and touching it there is bug check 0xD1 or 0xA. Below, the first touch after the IRQL was raised
    /// costs the host a signal (SIGSEGV, which a debugger should pass on) and no virtual time.
    bool force_irql_checking = true;
    /// Told of debug output as it comes; Machine::debug_output keeps it in any case. It is called from inside of the machine, on the
    /// stack of the driver that prints (64 KiB, less what the driver has used), and must not use the machine or wait for it. An
    /// exception that leaves it (a failed assertion) waits: the driver goes on, and the call that drives the machine throws it
    /// at its end.
    std::function<void(std::string_view)> on_debug_output = nullptr;
};

/// Many machines can live in one process, one after another or side by side on several host threads; one machine is used by
/// one host thread at a time. After a bug check or a stall a machine only tells what happened.
///
/// A machine is made, driven and dropped by its host, from outside of any run: making, running, advancing, loading and unloading
/// throw std::logic_error inside of one. So does every use of a Machine that was moved from.
class Machine {
public:
    /// Boots. Throws std::invalid_argument for options out of bounds, std::bad_alloc when `physical_memory` is too little for the
    /// kernel, std::system_error when the host cannot give it, BadResult with ErrorCode::stopped when the kernel stops before
    /// it is up.
    explicit Machine(MachineOptions options = {});
    /// The same in a shared Host, which makes it much cheaper from the second machine on.
    explicit Machine(Host& host, MachineOptions options = {});
    ~Machine();
    Machine(Machine&&) noexcept;
    Machine& operator=(Machine&&) noexcept;

    /// Loads a driver and calls its DriverEntry: one linked into this program,
    Result<Driver> load(const LinkedDriver& driver);
    /// a plug-in built by `dirql cc` or dirql_add_driver (its name is the file's stem),
    Result<Driver> load(const std::filesystem::path& plug_in);
    /// or a DriverEntry of the calling program, whose globals are the caller's own business. All of the program's code counts as
    /// such a driver's, so of two of them reports name the one that was loaded first.
    Result<Driver> load(std::string_view name, void* driver_entry);

    /// Loads drivers as those of start type 0 are when NT boots, which a machine does at most once and before any other driver
    /// is loaded (std::logic_error): each DriverEntry in the order given, then the routines of
    /// IoRegisterBootDriverReinitialization, then those of IoRegisterDriverReinitialization, all in a system thread at
    /// PASSIVE_LEVEL. A driver that is loaded by `load` has its Reinitialize routines called right after its own DriverEntry,
    /// and its boot Reinitialize routines never, for the boot is over. One result for each driver: one that fails does not keep
    /// the others from being loaded.
    std::vector<Result<Driver>> load_boot_drivers(const std::vector<DriverSource>& drivers);

    /// Asks for unloading. An error when the machine has stopped, perhaps of this; ErrorCode::invalid_argument for a driver that
    /// this machine does not have (any more).
    Result<Unload> unload(const Driver& driver);

    /// Runs `body` as the first thread of a new application process, and everything that it sets in motion, until that process
    /// has ended: the body has returned, and each thread that it started. An exception that leaves the body or a thread of it
    /// (a failed assertion) leaves run. Process memory and handles are given back.
    ///
    /// At a bug check or a stall the body is unwound: the service that it is in, and each one that it asks for afterwards, throws
    /// an object that is no std::exception, destructors run, and run returns the Outcome. So `catch (...)` must rethrow or
    /// return, and a noexcept function that does I/O ends the program, as does a destructor of the body's own: dirql's (File,
    /// Request, Thread, Process::free) do not throw, and nothing throws while an exception is already on its way.
    Outcome run(const std::function<void(Process&)>& body);
    /// The same with a process of another account, say.
    Outcome run(const ProcessOptions& options, const std::function<void(Process&)>& body);

    /// Runs `body` in a system thread of the kernel, at PASSIVE_LEVEL: for tests of kernel functions. An exception that leaves the
    /// body leaves run_in_kernel. At a bug check or a stall its frames are abandoned, as a kernel's are: no destructor runs.
    Outcome run_in_kernel(const std::function<void()>& body);

    /// Lets the machine run for this long with nothing asked of it, which is not counted against the run's budget. Rounded up to
    /// 100 ns; a negative duration is none.
    Outcome advance(std::chrono::nanoseconds duration);

    /// Switches the machine off: drivers that have registered a device for it get their IRP_MJ_SHUTDOWN, in a system thread at
    /// PASSIVE_LEVEL; those of IoRegisterLastChanceShutdownNotification after all others, and within each round the last
    /// registered first. Unload routines are not called. A machine that is off only tells what happened: running, advancing, loading
    /// and unloading throw std::logic_error.
    Outcome shutdown();

    /// What drivers have written to the error log (IoWriteErrorLogEntry), the newest 1,000 entries, oldest first.
    [[nodiscard]] const std::vector<ErrorLogEntry>& error_log() const;
    /// How the last run ended.
    [[nodiscard]] const Outcome& outcome() const;
    /// All that drivers printed so far, UTF-8.
    [[nodiscard]] const std::string& debug_output() const;
    /// Virtual time since the boot.
    [[nodiscard]] std::chrono::nanoseconds now() const;
    [[nodiscard]] Trace& trace();

private:
    [[nodiscard]] api::MachineImpl& impl() const;
    std::unique_ptr<Host> own_host_;
    std::unique_ptr<api::MachineImpl> impl_;
};

} // namespace dirql

#pragma GCC visibility pop
