// Programs run without a shell, several at a time, and stopped when the user interrupts the command.
#pragma once

#include "cli/outcome.hpp"

#include <csignal>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace dirql::cli {

using Words = std::vector<std::string>;

struct Finished {
    int status = 0;     // what a shell would show: the exit status, or 128 + the signal
    std::string output; // of stdout and stderr, in the order written
};

// While one exists, SIGINT, SIGTERM and SIGHUP wait until run_programs looks, so that nothing is left half done. At the end of
// its life the signal that came takes effect: what must be cleaned up belongs in objects made after the guard.
class InterruptGuard {
public:
    InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;
    ~InterruptGuard();

private:
    sigset_t before_;
};

// An interrupt has come and waits for the guard's end.
bool interrupted();

// Runs every command, at most `parallel` at a time; `finished` is told of each in the order of `commands`. Output is
// gathered in files under `scratch`. Needs an InterruptGuard. Fails when a program cannot be started (exit_usage, naming
// it) or an interrupt came; then no child is left running.
Outcome<void> run_programs(std::span<const Words> commands, unsigned parallel, const std::string& scratch,
                           const std::function<void(std::size_t, const Finished&)>& finished);

// One program and its output.
Outcome<Finished> run_program(const Words& command, const std::string& scratch);

} // namespace dirql::cli
