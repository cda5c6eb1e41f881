// A kernel that stops while it boots: no machine, an error, and a Host that is as good as before.
#include "catch.hpp"

#include "ke/machine.hpp"
#include "ke/stop.hpp"

#include <dirql/dirql.hpp>

#include <string>

using namespace dirql;

namespace {

bool bug_check_at_boot = false;

}

// The linker gives io::initialize(Machine&) by this name (see CMakeLists.txt), so that a boot can be made to fail.
extern "C" {
bool real_initialize(ke::Machine&) asm("__real__ZN5dirql2io10initializeERNS_2ke7MachineE");
bool wrapped_initialize(ke::Machine&) asm("__wrap__ZN5dirql2io10initializeERNS_2ke7MachineE");
bool wrapped_initialize(ke::Machine& machine) {
    if (bug_check_at_boot) ke::bug_check(IO1_INITIALIZATION_FAILED, 1, 2, 3, 4, {.rule = "a test of the boot"});
    return real_initialize(machine);
}
}

TEST_CASE("a machine of the API and one of ke alone have the same defaults") {
    const MachineOptions api;
    const ke::MachineOptions kernel;
    CHECK(kernel.seed == api.seed);
    CHECK(kernel.processors == api.processors);
    CHECK(kernel.physical_memory == api.physical_memory);
    CHECK(std::chrono::nanoseconds(kernel.callout_budget) == api.callout_budget);
    CHECK(std::chrono::nanoseconds(kernel.run_budget) == api.run_budget);
    CHECK(std::chrono::nanoseconds(kernel.busy_budget) == api.busy_budget);
    CHECK(std::chrono::nanoseconds(kernel.cpu_budget) == api.cpu_budget);
}

TEST_CASE("a bug check at boot is an error of the machine's making") {
    Host host;
    for (int i = 0; i < 3; ++i) {
        bug_check_at_boot = true;
        try {
            Machine machine(host);
            FAIL("it booted");
        } catch (const BadResult& error) {
            CHECK(error.code == ErrorCode::stopped);
            CHECK(
                std::string(error.what()).find("*** STOP: 0x00000069 IO1_INITIALIZATION_FAILED (0x1, 0x2, 0x3, 0x4)") ==
                0);
        }
        bug_check_at_boot = false;
        Machine machine(host);
        bool ran = false;
        CHECK(machine.run([&](Process&) { ran = true; }).finished());
        CHECK(ran);
    }
}
