// `dirql run`: drivers in a machine, and requests to them.
#include "cli/print.hpp"
#include "cli/run_options.hpp"
#include "cli/run_output.hpp"
#include "cli/run_requests.hpp"

#include <dirql/machine.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <new>
#include <optional>
#include <system_error>
#include <vector>

namespace dirql::cli {

namespace {

void say_line(std::string_view text) { say("dirql run", text); }

MachineOptions machine_options(const RunOptions& options, Transcript& transcript) {
    MachineOptions machine;
    machine.seed = options.seed;
    machine.processors = options.processors;
    machine.trace = options.trace.has_value();
    machine.on_debug_output = [&transcript](std::string_view text) { transcript.text(text); };
    return machine;
}

// What NT does not call an error, but a driver's author wants to know.
const char* remark_on(Unload result) {
    switch (result) {
    case Unload::unloaded: return nullptr;
    case Unload::no_unload_routine: return "has no Unload routine and stays loaded";
    case Unload::pending: return "stays loaded: a device of its is still open or attached to";
    case Unload::devices_left: return "its Unload routine left devices behind, so its image stays";
    }
    return nullptr;
}

// One machine's life, from boot to the last driver's end.
class Session {
public:
    Session(const RunOptions& options, Transcript& transcript)
        : options_(options), transcript_(transcript), machine_(machine_options(options, transcript)) {}

    // The exit status. What went wrong has been said.
    int live() {
        const int status = load();
        if (status == exit_fine) perform();
        unload();
        transcript_.end_line();
        return machine_.outcome().finished() ? status : report();
    }

    std::string trace_text() { return machine_.trace().text(); }

private:
    void remark(std::string_view text) {
        transcript_.end_line();
        say_line(text);
    }

    int load() {
        for (const auto& path : options_.drivers) {
            auto loaded = machine_.load(std::filesystem::path(path));
            if (!loaded) {
                if (loaded.error().code != ErrorCode::stopped) remark(loaded.error().text);
                return exit_load_failure;
            }
            drivers_.push_back(std::move(loaded).value());
        }
        return exit_fine;
    }

    void perform() {
        if (options_.requests.empty()) return;
        std::vector<std::vector<std::string>> lines(options_.threads);
        machine_.run([&](Process& process) {
            if (options_.threads == 1)
                perform_requests(process, options_.requests, [&](const std::string& line) { transcript_.line(line); });
            else
                perform_at_once(process, lines);
        });
        print(lines);
    }

    void perform_at_once(Process& process, std::vector<std::vector<std::string>>& lines) {
        std::vector<Thread> threads;
        for (auto& own : lines)
            threads.push_back(process.start_thread([this, &process, &own] {
                perform_requests(process, options_.requests,
                                 [&own](std::string line) { own.push_back(std::move(line)); });
            }));
        for (auto& thread : threads) thread.join();
    }

    void print(const std::vector<std::vector<std::string>>& lines) {
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (lines[i].empty()) continue;
            transcript_.line(fmt::format("thread {}:", i + 1));
            for (const auto& line : lines[i]) transcript_.line(line);
        }
    }

    // Does nothing once the machine has stopped.
    void unload() {
        for (; !drivers_.empty(); drivers_.pop_back()) {
            const auto result = machine_.unload(drivers_.back());
            if (!result) return;
            if (const char* text = remark_on(result.value()))
                remark(fmt::format("{}: {}", drivers_.back().name(), text));
        }
    }

    int report() {
        std::fflush(stdout);
        write(stderr, machine_.outcome().report);
        return machine_.outcome().is_stall() ? exit_stall : exit_bug_check;
    }

    const RunOptions& options_;
    Transcript& transcript_;
    Machine machine_;
    std::vector<Driver> drivers_; // in the order in which they were loaded
};

Outcome<int> run(const RunOptions& options) {
    std::optional<TraceFile> trace;
    if (options.trace) trace.emplace(BOOST_OUTCOME_TRYX(TraceFile::open(*options.trace)));
    Transcript transcript;
    Session session(options, transcript);
    const int status = session.live();
    if (!trace) return status;
    const auto written = trace->write(session.trace_text());
    if (written || status == exit_fine) return written ? Outcome<int>(status) : written.error();
    say_line(written.error().text); // how the run ended is what matters more
    return status;
}

// Host memory is the tool's to ask for, and may not be there; so may memory of the machine for its threads.
Outcome<int> run_or_fail(const RunOptions& options) {
    try {
        return run(options);
    } catch (const std::bad_alloc&) {
        return Failure{exit_load_failure, "there is not enough memory for the machine and its threads"};
    } catch (const BadResult& error) {
        return Failure{exit_load_failure, fmt::format("no machine can be made: {}", error.what())};
    } catch (const std::system_error& error) {
        return Failure{exit_load_failure, fmt::format("no machine can be made: {}", error.what())};
    }
}

} // namespace

int run_command(Arguments arguments) {
    const auto options = parse_run_options(arguments);
    if (!options) {
        say_line(options.error().text);
        return options.error().status;
    }
    if (options.value().help) {
        std::fputs(run_help, stdout);
        return exit_fine;
    }
    const auto status = run_or_fail(options.value());
    if (status) return status.value();
    say_line(status.error().text);
    return status.error().status;
}

} // namespace dirql::cli
