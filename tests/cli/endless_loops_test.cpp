// What a loop of one basic block is ended by must not depend on who compiled it: virtual time, not the host's CPU time.
#include "catch.hpp"
#include "tool.hpp"

#include <dirql/dirql.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

using cli_test::compilers;
using cli_test::Workplace;
using namespace dirql;

namespace {

constexpr std::uint32_t loop_volatile = 0x222000, loop_plain = 0x222004, loop_raised = 0x222008;

std::vector<std::filesystem::path> plug_ins(const Workplace& place) {
    std::vector<std::filesystem::path> built{PLUG_IN_loops};
    place.write("loops.cpp", place.read(SOURCE_loops));
    for (const auto& compiler : compilers()) {
        for (const std::string source : {SOURCE_loops, "loops.cpp"}) {
            const std::string output = compiler + (source == "loops.cpp" ? "_cxx.so" : ".so");
            REQUIRE(cli_test::dirql(place, {"cc", "--compiler", compiler, "-o", output, source}).status == 0);
            built.push_back(place.path() / output);
        }
    }
    return built;
}

Outcome loop(Host& host, const std::filesystem::path& plug_in, std::uint32_t code) {
    MachineOptions options;
    options.callout_budget = std::chrono::milliseconds(20);
    Machine machine(host, options);
    machine.load(plug_in).value();
    return machine.run([&](Process& process) { process.open("\\Device\\Loops").value().device_control(code); });
}

} // namespace

TEST_CASE("a loop of one block has a preemption point, whatever builds it, in C and C++") {
    const Workplace place;
    Host host;
    for (const auto& plug_in : plug_ins(place)) {
        for (const std::uint32_t code : {loop_volatile, loop_plain, loop_raised}) {
            const Outcome first = loop(host, plug_in, code);
            INFO(plug_in << ", code " << std::hex << code << ": " << first.report);
            if (code == loop_raised) {
                CHECK(first.is_bug_check(0x133));
            } else {
                CHECK(first.is_stall());
            }
            CHECK(first.report.find("without preemption points") == std::string::npos);
            for (int run = 0; run < 3; ++run) CHECK(loop(host, plug_in, code).report == first.report);
        }
    }
}
