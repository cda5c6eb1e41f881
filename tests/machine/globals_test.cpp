// Variables of the kernel and functions that compilers call, seen from drivers in C and C++, in both forms.
#include "catch.hpp"

#include <dirql/dirql.hpp>

#include "globals_cxx_driver.hpp"
#include "globals_driver.hpp"

#include <filesystem>
#include <string>

using namespace dirql;

namespace {

std::string expected(unsigned processors) {
    return std::to_string(processors) +
           " processors, build f.22621\ntypes of files, devices and drivers: 1\nrand 41 18467, 61\n3 0 1\n";
}

} // namespace

TEST_CASE("a driver finds the kernel's variables, each machine's its own") {
    Host host;
    for (const unsigned processors : {1u, 4u, 64u}) {
        MachineOptions options;
        options.processors = processors;
        const std::filesystem::path plug_ins[] = {DRIVER_PATH_globals, DRIVER_PATH_globals_cxx};
        for (const auto& plug_in : plug_ins) {
            Machine machine(host, options);
            CHECK(machine.load(plug_in).has_value());
            CHECK(machine.debug_output() == expected(processors));
        }
        for (const LinkedDriver* linked : {&drivers::globals, &drivers::globals_cxx}) {
            Machine machine(host, options);
            CHECK(machine.load(*linked).has_value());
            CHECK(machine.debug_output() == expected(processors));
        }
    }
}

TEST_CASE("each machine has a sequence of random numbers of its own") {
    Host host;
    Machine first(host);
    Machine second(host);
    for (Machine* machine : {&first, &second}) {
        CHECK(machine->load(std::filesystem::path(DRIVER_PATH_globals)).has_value());
        CHECK(machine->debug_output().find("rand 41 18467,") != std::string::npos);
    }
}
