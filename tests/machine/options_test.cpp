// What a machine is asked for: options, durations, a listener.
#include "catch.hpp"

#include "keeper.h"

#include <dirql/dirql.hpp>

#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

using namespace dirql;
using namespace std::chrono_literals;

namespace {

Machine with_keeper(Host& host, MachineOptions options = {}) {
    Machine machine(host, std::move(options));
    machine.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    return machine;
}

void control(Process& process, ULONG code) { process.open("\\Device\\KeeperA").value().device_control(code); }

// How far virtual time goes while `body` runs.
template <class Body> std::chrono::nanoseconds passing(Machine& machine, Body body) {
    const auto before = machine.now();
    body();
    return machine.now() - before;
}

} // namespace

TEST_CASE("options out of their bounds are not bent") {
    Host host;
    CHECK_THROWS_AS(Machine(host, {.processors = 0}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.processors = MachineOptions::max_processors + 1}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.physical_memory = 0}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.physical_memory = MachineOptions::max_physical_memory + 1}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.callout_budget = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.run_budget = 0ns}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.busy_budget = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.cpu_budget = -1ns}), std::invalid_argument);
    CHECK_THROWS_AS(Machine(host, {.physical_memory = 65536}), std::bad_alloc);
    CHECK_THROWS_WITH(Machine(host, {.processors = 0}), "MachineOptions::processors must be 1 to 64");
}

TEST_CASE("options at their bounds are taken") {
    Host host;
    Machine machine(host, {.processors = MachineOptions::max_processors,
                           .physical_memory = MachineOptions::max_physical_memory,
                           .callout_budget = std::chrono::nanoseconds::max(),
                           .run_budget = std::chrono::nanoseconds::max(),
                           .busy_budget = std::chrono::nanoseconds::max(),
                           .cpu_budget = 0ns});
    CHECK(machine.advance(1s).finished());
    CHECK(machine.advance(1s).finished());
    CHECK(machine.run([](Process& process) { process.sleep(24h); }).finished());
}

TEST_CASE("a healthy machine advances as far as it is asked") {
    Host host;
    Machine machine = with_keeper(host);
    constexpr auto tick = 100ns; // of NT's clock: waits begin at the last one
    for (const std::chrono::nanoseconds asked : {std::chrono::nanoseconds(5ms), std::chrono::nanoseconds(30h), 101ns}) {
        const auto passed = passing(machine, [&] { CHECK(machine.advance(asked).finished()); });
        CHECK(passed > asked - tick);
        CHECK(passed < asked + 1ms);
    }
    CHECK(passing(machine, [&] { CHECK(machine.advance(-1h).finished()); }) < 1ms);
    CHECK(passing(machine, [&] { machine.run([](Process& process) { process.sleep(-1h); }); }) < 1ms);
    CHECK(passing(machine, [&] { machine.run([](Process& process) { process.sleep(1s); }); }) > 1s - tick);
}

TEST_CASE("a run that leaps beyond its budget ends where the budget does") {
    Host host;
    Machine machine(host, {.run_budget = 1s});
    const auto before = machine.now();
    CHECK(machine.run([](Process& process) { process.sleep(2h); }).is_stall());
    CHECK(machine.now() - before == 1s);
}

TEST_CASE("what a listener throws leaves the call that drives the machine, when that is over") {
    Host host;
    int heard = 0;
    MachineOptions options;
    options.on_debug_output = [&](std::string_view) {
        if (++heard == 1) throw std::runtime_error("the listener's");
    };
    Machine machine = with_keeper(host, options);
    bool went_on = false;
    const auto run = [&] {
        return machine.run([&](Process& process) {
            control(process, KEEPER_PRINT);
            control(process, KEEPER_PRINT);
            went_on = true;
        });
    };
    CHECK_THROWS_WITH(run(), "the listener's");
    CHECK(went_on);
    CHECK(heard == 2);
    CHECK(machine.debug_output() == "keeper\nkeeper\n");
    CHECK(machine.outcome().finished());
    CHECK(run().finished());
}

TEST_CASE("a listener that uses its machine hears that it cannot") {
    Host host;
    Machine* inner = nullptr;
    MachineOptions options;
    options.on_debug_output = [&](std::string_view) { inner->advance(1s); };
    Machine machine = with_keeper(host, options);
    inner = &machine;
    CHECK_THROWS_AS(machine.run([](Process& process) { control(process, KEEPER_PRINT); }), std::logic_error);
    CHECK(machine.outcome().finished());
}

TEST_CASE("a run that finds no memory for its first thread leaves nothing behind") {
    Host host;
    Machine machine = with_keeper(host, {.physical_memory = std::size_t{16} << 20});
    constexpr unsigned more_than_arenas = 40;
    constexpr ULONG tag = 0x74736554;
    std::vector<void*> taken;
    const auto take = [&](std::size_t bytes) {
        machine.run_in_kernel([&] {
            while (void* block = ExAllocatePoolWithTag(NonPagedPool, bytes, tag)) taken.push_back(block);
        });
    };
    const auto give = [&](std::size_t count) {
        machine.run_in_kernel([&] {
            for (; count != 0 && !taken.empty(); --count, taken.pop_back()) ExFreePool(taken.back());
        });
    };
    taken.reserve(10'000);
    take(std::size_t{64} << 10);
    take(PAGE_SIZE);
    // One page after another is given back, until there is enough for a process, and too little for its first thread.
    const auto starts = [&] {
        try {
            return machine.run([](Process&) {}).finished();
        } catch (const std::bad_alloc&) {
            return false;
        }
    };
    unsigned failed = 0;
    for (; !starts() && !taken.empty(); give(1)) {
        for (unsigned i = 0; i < more_than_arenas; ++i) failed += starts() ? 0 : 1;
    }
    CHECK(failed >= more_than_arenas);
    CHECK_FALSE(taken.empty());
    give(taken.size());
    CHECK(machine.run([](Process& process) { control(process, KEEPER_PRINT); }).finished());
}

TEST_CASE("a break point with a status is one, too") {
    Machine machine;
    CHECK(machine.run_in_kernel([] { DbgBreakPointWithStatus(7); }).is_bug_check(0x7E));
}

TEST_CASE("a kernel debugger goes on at break points, which without one end in a bug check") {
    for (const bool debugger : {false, true}) {
        Machine machine({.kernel_debugger = debugger});
        static unsigned passed;
        passed = 0;
        const auto entry = [](PDRIVER_OBJECT, PUNICODE_STRING) -> NTSTATUS {
            DbgBreakPoint();
            ++passed;
            DbgBreakPointWithStatus(7);
            asm volatile("int3");
            ++passed;
            return STATUS_UNSUCCESSFUL;
        };
        NTSTATUS (*function)(PDRIVER_OBJECT, PUNICODE_STRING) = entry;
        CHECK_FALSE(machine.load("breaks", reinterpret_cast<void*>(function)));
        CHECK(passed == (debugger ? 2 : 0));
        CHECK(machine.outcome().is_bug_check(0x7E) == !debugger);
        const std::string text(machine.debug_output());
        unsigned breaks = 0;
        for (std::size_t at = 0; (at = text.find("Break instruction exception", at)) != std::string::npos; ++at)
            ++breaks;
        CHECK(breaks == (debugger ? 2 : 0)); // the functions tell the debugger
    }
}
