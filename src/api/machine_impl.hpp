// The Machine's inside: the kernel in its slot, and what the host keeps about it.
#pragma once

#include "api/host_impl.hpp"
#include "api/owner.hpp"
#include "diag/recorder.hpp"
#include "io/driver.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"
#include "ldr/elf_image.hpp"
#include "ldr/linked_image.hpp"

#include <dirql/machine.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace dirql::api {

class ProcessImpl;

// A driver that this machine has loaded, with whatever holds its code.
struct LoadedDriver {
    std::uint64_t id = unique_number();
    std::string name;
    PDRIVER_OBJECT object = nullptr;
    ldr::LoadedImage image; // plug-ins
    std::shared_ptr<const ldr::ImageTemplate> plug_in;
    ldr::LinkedImage* linked = nullptr;           // linked drivers, claimed
    std::unique_ptr<ldr::LinkedImage> own_linked; // a function of the caller's
    ke::CodeRange code{};
};

class MachineImpl final : public ke::HostInterface {
public:
    MachineImpl(HostImpl& host, MachineOptions options);
    ~MachineImpl() override;
    MachineImpl(const MachineImpl&) = delete;
    MachineImpl& operator=(const MachineImpl&) = delete;

    Result<Driver> load_plug_in(const std::filesystem::path& path);
    Result<Driver> load_linked(const LinkedDriver& driver);
    Result<Driver> load_function(std::string_view name, void* entry);
    std::vector<Result<Driver>> load_boot_drivers(const std::vector<DriverSource>& drivers);
    Result<Unload> unload(std::uint64_t id);

    Outcome run_application(const ProcessOptions& of_process, const std::function<void(Process&)>& body);
    Outcome run_in_kernel(const std::function<void()>& body);
    Outcome advance(std::chrono::nanoseconds duration);
    Outcome shutdown();

    void debug_output(std::string_view text) override;
    void error_logged(const ke::LoggedError& error) override;
    // What MachineOptions::on_debug_output has thrown since this was asked last.
    void rethrow_of_listener();

    // The kernel is there, and its memory; not in a forked child. Throws std::logic_error.
    void require_own_process() const;
    [[nodiscard]] ke::Machine& kernel() noexcept { return *kernel_; }
    // The run whose application is there, see Owner. 0: none.
    [[nodiscard]] std::uint64_t current_run() const noexcept { return current_run_; }
    [[nodiscard]] diag::Recorder& recorder() noexcept { return recorder_; }
    // Of all that is recorded, as long as the images are there.
    void name_functions();

    MachineOptions options;
    std::string debug_text;
    std::vector<ErrorLogEntry> error_log;
    Outcome outcome;
    Trace trace{*this};

private:
    // Runs `body` on a system thread until it returns or the machine stops, and records the outcome. False when it stopped.
    bool run_system(const char* name, const std::function<void()>& body);
    // False when the machine stopped meanwhile. Throws std::bad_alloc.
    bool create_process(ProcessImpl& process, const ProcessOptions& of_process);
    // Has the machine stopped? Then `outcome` tells how. Throws std::logic_error when it was switched off.
    [[nodiscard]] bool stopped();
    // Finishes a run: unwinds what a stop left, and makes an Outcome of it.
    const Outcome& conclude();
    Result<Driver> load(const DriverSource& source);
    Result<Driver> start(std::unique_ptr<LoadedDriver> driver, void* entry, void* base, std::size_t size);
    // The same text in the machine's memory, for as long as the machine lives. Null when that is exhausted.
    [[nodiscard]] const char* name_in_machine(const std::string& name);
    void release(LoadedDriver& driver);
    void forget(const LoadedDriver& driver);
    void release_memory(LoadedDriver& driver);
    [[nodiscard]] Error stopped_error() const;

    HostImpl& host_;
    ke::Slot* slot_;
    ke::Machine* kernel_;
    std::uint64_t current_run_ = 0;
    bool off_ = false;
    bool boot_is_over_ = false;      // a driver was loaded
    bool boot_drivers_load_ = false; // Reinitialize routines wait for the last one
    std::exception_ptr listener_exception_;
    diag::Recorder recorder_;
    std::vector<std::unique_ptr<LoadedDriver>> drivers_; // in the order of loading
    std::unordered_map<std::string, const char*> names_; // name_in_machine()
};

// Boots the kernel in an empty slot: every layer's initialize, in order. Null when the memory is too small. A machine that bug
// checked meanwhile is stopping.
[[nodiscard]] ke::Machine* boot(ke::Slot& slot, const ke::MachineOptions& options, ke::HostInterface* host);

// While it lives, the host's own code stands on processor 0 at PASSIVE_LEVEL: for what must be done between runs, inside of
// ke::on_host_flow(), since memory that a driver ruined may be found so there. It cannot wait.
class OnProcessor {
public:
    explicit OnProcessor(ke::Machine& machine) noexcept;
    ~OnProcessor();
    OnProcessor(const OnProcessor&) = delete;
    OnProcessor& operator=(const OnProcessor&) = delete;

private:
    ke::Machine& machine_;
    ke::Processor* stood_before_;
    std::uint64_t horizon_;
    unsigned char irql_;
};

// Does the host's own kernel work between two runs. False when a bug check ended it.
template <class Body> bool between_runs(ke::Machine& machine, Body&& body) noexcept {
    const OnProcessor on_processor(machine);
    return ke::on_host_flow(machine, body);
}

// As NT's waits take it: relative times are negative, in 100 ns. Nothing is waited for less than what is asked.
[[nodiscard]] inline LARGE_INTEGER relative_interval(std::chrono::nanoseconds duration) noexcept {
    LARGE_INTEGER interval;
    interval.QuadPart = duration.count() <= 0 ? 0 : -(duration.count() / 100 + (duration.count() % 100 != 0));
    return interval;
}

// An Outcome of what the kernel recorded.
[[nodiscard]] Outcome describe_stop(const ke::Machine& machine,
                                    const std::vector<std::unique_ptr<LoadedDriver>>& drivers);

} // namespace dirql::api
