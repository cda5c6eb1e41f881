// To stand on processor 0 outside of any thread, at DISPATCH_LEVEL as at a real boot: where upper layers start, and where a test's own
// host thread may call the kernel while the machine stands still.
#pragma once

#include "ke/machine.hpp"
#include "ke/clock.hpp"

#include <utility>

namespace dirql::test {

class OnBootProcessor {
public:
    explicit OnBootProcessor(ke::Machine& machine) noexcept
        : machine_(machine), horizon_(std::exchange(machine.processors[0]->horizon, ke::never)) {
        machine.running = ke::dirql_current_processor = machine.processors[0];
    }
    ~OnBootProcessor() {
        machine_.running = ke::dirql_current_processor = nullptr;
        machine_.now = machine_.processors[0]->now;
        machine_.processors[0]->horizon = horizon_;
    }
    OnBootProcessor(const OnBootProcessor&) = delete;
    OnBootProcessor& operator=(const OnBootProcessor&) = delete;

private:
    ke::Machine& machine_;
    std::uint64_t horizon_;
};

} // namespace dirql::test
