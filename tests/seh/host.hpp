// The host's side of the checks: signals, and what checks report.
#pragma once

#include "seh_check.h"

#include <csignal>
#include <memory>
#include <string>
#include <vector>

namespace seh_test {

/// What checks on any host thread reported since the last call.
std::vector<std::string> take_failures();

/// Host faults become raises while it lives; what handled them before is put back. (Catch2 has handlers of its own.)
class FaultSignals {
public:
    FaultSignals();
    ~FaultSignals();
    FaultSignals(const FaultSignals&) = delete;
    FaultSignals& operator=(const FaultSignals&) = delete;

private:
    static constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    struct sigaction before_[std::size(kSignals)];
};

/// Signal handlers of this host thread run on a stack of their own while it lives.
class AlternateStack {
public:
    AlternateStack();
    ~AlternateStack();
    AlternateStack(const AlternateStack&) = delete;
    AlternateStack& operator=(const AlternateStack&) = delete;

private:
    std::unique_ptr<char[]> memory_;
    stack_t before_;
};

/// While it lives, checks on this host thread are preempted at each basic block by a call of `callout`.
class Preemption {
public:
    explicit Preemption(void (*callout)());
    ~Preemption();
    Preemption(const Preemption&) = delete;
    Preemption& operator=(const Preemption&) = delete;
};

struct Suite {
    const char* name;
    seh_suite* checks;
};

/// All suites of both languages.
const std::vector<Suite>& suites();

} // namespace seh_test
