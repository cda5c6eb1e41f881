#include "api/machine_impl.hpp"

#include "api/process_impl.hpp"
#include "api/text.hpp"
#include "ex/active_objects.hpp"
#include "ex/pool.hpp"
#include "io/shutdown.hpp"
#include "ke/executor.hpp"
#include "ke/stop.hpp"
#include "ke/system_service.hpp"
#include "ldr/symbolizer.hpp"
#include "ob/object.hpp"
#include "ps/notify.hpp"
#include "ps/ps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

namespace dirql::api {
namespace {

ke::MachineOptions kernel_options(const MachineOptions& options) {
    ke::MachineOptions kernel;
    kernel.seed = options.seed;
    kernel.processors = options.processors;
    kernel.physical_memory = options.physical_memory;
    kernel.callout_budget = static_cast<std::uint64_t>(options.callout_budget.count());
    kernel.run_budget = static_cast<std::uint64_t>(options.run_budget.count());
    kernel.busy_budget = static_cast<std::uint64_t>(options.busy_budget.count());
    kernel.force_irql_checking = options.force_irql_checking;
    kernel.cpu_budget = static_cast<std::uint64_t>(options.cpu_budget.count());
    kernel.kernel_debugger = options.kernel_debugger;
    return kernel;
}

// A machine is driven by its host: one that is asked for something from inside of a run, its own or another's, cannot do it.
void require_host() {
    if (ke::current_processor() != nullptr) throw std::logic_error("a machine is used from inside of a run");
}

static_assert(MachineOptions::max_processors == ke::max_processors);
static_assert(MachineOptions::max_physical_memory == ke::max_physical_memory);

void require(bool holds, const char* option, const char* rule) {
    if (!holds) throw std::invalid_argument(fmt::format("MachineOptions::{} must be {}", option, rule));
}

// What must hold before a machine is made.
MachineOptions checked(MachineOptions options) {
    constexpr std::chrono::nanoseconds none{0};
    require_host();
    require(options.processors >= 1 && options.processors <= options.max_processors, "processors", "1 to 64");
    require(options.physical_memory > 0 && options.physical_memory <= options.max_physical_memory, "physical_memory",
            "more than nothing, and up to 1 GiB");
    require(options.callout_budget > none, "callout_budget", "more than nothing");
    require(options.run_budget > none, "run_budget", "more than nothing");
    require(options.busy_budget > none, "busy_budget", "more than nothing");
    require(options.cpu_budget >= none, "cpu_budget", "0, for no watch, or more");
    return options;
}

bool thread_ended(void* thread) { return static_cast<ke::Thread*>(thread)->state == ke::ThreadState::terminated; }
bool process_ended(void* process) { return static_cast<ProcessImpl*>(process)->ended(); }

void NTAPI run_closure(PVOID context) { (*static_cast<const std::function<void()>*>(context))(); }

} // namespace

MachineImpl::MachineImpl(HostImpl& host, MachineOptions machine_options)
    : options(checked(std::move(machine_options))), host_(host), slot_(host.take_slot(options.physical_memory)),
      kernel_(boot(*slot_, kernel_options(options), this)) {
    if (kernel_ == nullptr) {
        host_.give_slot(slot_);
        throw std::bad_alloc();
    }
    if (kernel_->stopping) {
        conclude();
        host_.give_slot(slot_);
        throw BadResult(stopped_error());
    }
    trace.enable(options.trace);
}

MachineImpl::~MachineImpl() {
    if (slot_->in_forked_child()) { // which has its own copy of the program's data, and nothing of the machine
        for (auto& driver : drivers_) {
            if (driver->linked != nullptr) driver->linked->release();
        }
        return;
    }
    recorder_.clear(); // nobody will read it: no need to look up names before the images go
    for (auto& driver : drivers_) release(*driver);
    host_.give_slot(slot_);
}

// The entries of the drivers' routines. What is inside a function has the name that it has one byte before as well, and is
// told by its offset.
void MachineImpl::name_functions() {
    ldr::Symbolizer symbolizer;
    for (const auto& driver : drivers_) {
        if (driver->plug_in != nullptr) symbolizer.add(driver->image);
    }
    recorder_.name_functions([&](std::string_view image, std::uint64_t offset) -> std::string {
        const auto found = std::ranges::find_if(drivers_, [&](const auto& driver) { return driver->name == image; });
        if (found == drivers_.end()) return {};
        const std::uintptr_t address = (*found)->code.begin + offset;
        std::string function = symbolizer.locate(address).function;
        return symbolizer.locate(address - 1).function == function ? std::string() : function;
    });
}

// What the listener throws cannot pass through the driver that prints; it waits for the host's side.
void MachineImpl::require_own_process() const {
    if (slot_->in_forked_child()) throw std::logic_error("a machine is used in a process forked from its own");
}

void MachineImpl::debug_output(std::string_view text) {
    debug_text += text;
    if (!options.on_debug_output) return;
    try {
        options.on_debug_output(text);
    } catch (...) {
        if (!listener_exception_) listener_exception_ = std::current_exception();
    }
}

void MachineImpl::rethrow_of_listener() {
    if (listener_exception_) std::rethrow_exception(std::exchange(listener_exception_, nullptr));
}

Error MachineImpl::stopped_error() const {
    const auto line_end = outcome.report.find('\n');
    return {ErrorCode::stopped, outcome.report.substr(0, line_end), 0};
}

bool MachineImpl::stopped() {
    if (off_) throw std::logic_error("a machine is used that has been shut down");
    if (kernel_->stopping && outcome.finished()) conclude();
    return kernel_->stopping;
}

const Outcome& MachineImpl::conclude() {
    outcome = {};
    if (kernel_->stopping) {
        outcome = describe_stop(*kernel_, drivers_); // while everything is as it was
        ke::unwind_application_threads(*kernel_);
    }
    return outcome;
}

bool MachineImpl::run_system(const char* name, const std::function<void()>& body) {
    require_host();
    if (stopped()) return false;
    ke::Thread* thread = nullptr;
    const bool made = between_runs(*kernel_, [&] {
        constexpr KPRIORITY normal_priority = 8; // as PsCreateSystemThread gives
        thread = ps::create_system_thread(*kernel_, *kernel_->system_process, name, run_closure,
                                          const_cast<std::function<void()>*>(&body), normal_priority);
    });
    if (made && thread == nullptr) throw std::bad_alloc();
    if (made) ke::run(*kernel_, thread_ended, thread);
    if (!kernel_->stopping) between_runs(*kernel_, [&] { ob::dereference(thread); });
    conclude();
    return !kernel_->stopping;
}

Outcome MachineImpl::run_in_kernel(const std::function<void()>& body) {
    std::exception_ptr exception;
    const std::function<void()> guarded = [&] {
        try {
            body();
        } catch (...) {
            exception = std::current_exception();
        }
    };
    run_system("KernelTest", guarded);
    if (exception) std::rethrow_exception(exception);
    return outcome;
}

Outcome MachineImpl::run_application(const ProcessOptions& of_process, const std::function<void(Process&)>& body) {
    require_host();
    if (stopped()) return outcome;
    ProcessImpl process(*kernel_, body);
    current_run_ = process.run();
    const bool made = create_process(process, of_process);
    if (made && !kernel_->stopping) ke::run(*kernel_, process_ended, &process);
    process.finish();
    conclude();
    current_run_ = 0;
    if (process.exception()) std::rethrow_exception(process.exception());
    if (made && !NT_SUCCESS(process.created()) && outcome.finished())
        throw BadResult(Error{ErrorCode::request_failed,
                              fmt::format("the process was not created: {}", status_name(process.created())),
                              process.created()});
    return outcome;
}

// Drivers that want to hear of it are called in a thread: then a system thread is who creates the process.
bool MachineImpl::create_process(ProcessImpl& process, const ProcessOptions& of_process) {
    const std::u16string image = to_utf16(of_process.image);
    const std::u16string command_line = of_process.command_line.empty() ? image : to_utf16(of_process.command_line);
    const se::Account account = account_of(of_process.account.value_or(Account::administrator));
    const ps::ProcessStart start{
        .name = "Application", .image_name = image, .command_line = command_line, .account = &account};
    const bool done = ps::processes_are_watched(*kernel_) ? run_system("ProcessCreate", [&] { process.create(start); })
                                                          : between_runs(*kernel_, [&] { process.create(start); });
    if (done && process.created() == STATUS_INSUFFICIENT_RESOURCES) throw std::bad_alloc();
    return done;
}

// The time that is asked for is no part of the run's budget, which is there for what happens meanwhile.
Outcome MachineImpl::advance(std::chrono::nanoseconds duration) {
    LARGE_INTEGER interval = relative_interval(duration);
    const std::function<void()> sleep = [&] { KeDelayExecutionThread(KernelMode, FALSE, &interval); };
    const auto asked_for = static_cast<std::uint64_t>(-interval.QuadPart) * 100;
    std::uint64_t& budget = kernel_->options.run_budget;
    const std::uint64_t usual = budget;
    budget = std::max(usual, usual + asked_for); // the sum may not fit
    run_system("Advance", sleep);
    budget = usual;
    return outcome;
}

Outcome MachineImpl::shutdown() {
    if (run_system("Shutdown", [] { io::shut_down(); })) off_ = true;
    return outcome;
}

} // namespace dirql::api
