// Runs the misuse driver in machines of one Host, so that each stop is followed by machines in the same memory.
#pragma once

#include "catch.hpp"

#include <dirql/dirql.hpp>

extern "C" {
#include "misuse/misuse.h"
}

#include "misuse_driver.hpp"

#include <filesystem>
#include <string>

namespace dirql::test {

enum class Form { plug_in, linked, unpreempted };

inline Result<Driver> load_misuse(Machine& machine, Form form) {
    switch (form) {
    case Form::linked: return machine.load(drivers::misuse);
    case Form::plug_in: return machine.load(std::filesystem::path(DRIVER_PATH_misuse));
#ifdef DRIVER_PATH_misuse_unpreempted
    case Form::unpreempted: return machine.load(std::filesystem::path(DRIVER_PATH_misuse_unpreempted));
#else
    default: break;
#endif
    }
    throw std::logic_error("no such form here");
}

struct Run {
    Form form = Form::plug_in;
    unsigned processors = 1;
    std::uint64_t seed = 0;
};

// Asks for one misuse in a fresh machine, and tells how that run ended.
inline Outcome provoke(Host& host, Misuse misuse, const Run& run = {}, MachineOptions options = {}) {
    options.processors = run.processors;
    options.seed = run.seed;
    Machine machine(host, options);
    const Driver driver = load_misuse(machine, run.form).value();
    return machine.run([&](Process& process) {
        File file = process.open("\\Device\\Misuse").value();
        file.device_control(MISUSE_CODE(misuse));
    });
}

// A machine after a stop is as good as one before it.
inline void check_as_if_nothing_happened(Host& host, Form form) {
    Machine machine(host);
    const Driver driver = load_misuse(machine, form).value();
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\Misuse").value();
        CHECK(file.device_control(MISUSE_CODE(misuse_nothing)).status == 0);
    });
    CHECK(outcome.finished());
    CHECK(machine.unload(driver).value() == Unload::unloaded);
}

} // namespace dirql::test
