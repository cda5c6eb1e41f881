// Pageable memory is felt: what is paged may be touched below DISPATCH_LEVEL only.
#include "catch.hpp"

#include <dirql/dirql.hpp>

extern "C" {
#include "pageable.h"
}

#include <cstdint>
#include <cstdio>
#include <filesystem>

using namespace dirql;

namespace {

struct Ended {
    Outcome outcome;
    std::int32_t status = -1;
    unsigned long long small = 0; // the addresses of the driver's blocks
    unsigned long long big = 0;
};

Ended ask(Host& host, int which, MachineOptions options = {}) {
    Machine machine(host, options);
    const Driver driver = machine.load(std::filesystem::path(DRIVER_PATH_pageable)).value();
    Ended ended;
    ended.outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\Pageable").value();
        ended.status = file.device_control(PAGEABLE_CODE(which), {}, 2 * sizeof(void*)).status;
    });
    std::sscanf(machine.debug_output().c_str(), "%llx %llx", &ended.small, &ended.big);
    if (ended.outcome.finished()) CHECK(machine.unload(driver).value() == Unload::unloaded);
    return ended;
}

constexpr std::uint64_t raised_to = 2;

} // namespace

TEST_CASE("paged pool is there below DISPATCH_LEVEL, whatever was raised before", "[pageable]") {
    Host host;
    for (int which = pageable_low; which < pageable_first_error; ++which) {
        const Ended ended = ask(host, which);
        INFO("case " << which << ": " << ended.outcome.report);
        CHECK(ended.outcome.finished());
        CHECK(ended.status == 0);
    }
}

TEST_CASE("paged pool touched at DISPATCH_LEVEL or above is a bug check", "[pageable][bugcheck]") {
    const struct {
        int which;
        std::uint32_t code;
        std::uint64_t irql;
        std::uint64_t access;
        bool of_big;
        std::uint64_t offset;
    } cases[] = {{pageable_read_locked_spin, 0xD1, raised_to, 0, false, 5},
                 {pageable_write_raised, 0xD1, 7, 1, false, 6},
                 {pageable_big_block, 0xD1, raised_to, 0, true, 2 * 4096 + 17},
                 {pageable_in_dpc, 0xD1, raised_to, 0, false, 0},
                 {pageable_other_processor, 0xD1, raised_to, 0, false, 0},
                 {pageable_unlocked_again, 0xD1, raised_to, 1, false, 3},
                 {pageable_event, 0x0A, raised_to, 0, false, 0},
                 {pageable_copy, 0x0A, raised_to, 0, false, 0}};
    Host host;
    for (const auto& c : cases) {
        MachineOptions options;
        options.processors = c.which == pageable_other_processor ? 2 : 1;
        const Ended ended = ask(host, c.which, options);
        INFO("case " << c.which << ": " << ended.outcome.report);
        REQUIRE(ended.outcome.is_bug_check(c.code));
        const auto& parameters = ended.outcome.bug_check.parameters;
        CHECK(parameters[1] == c.irql);
        if (c.code == 0xD1) {
            CHECK(parameters[0] == (c.of_big ? ended.big : ended.small) + c.offset);
            CHECK(parameters[2] == c.access);
        } else { // which field the kernel reads first is its own business
            CHECK(parameters[0] - ended.small < 1000);
        }
        CHECK(ended.outcome.bug_check.driver == "pageable");
        CHECK(ended.outcome.report.find("paged pool") != std::string::npos);
        CHECK(ask(host, pageable_low).status == 0); // the next machine in this memory
    }
}

TEST_CASE("pageable code entered at DISPATCH_LEVEL is a bug check", "[pageable][bugcheck]") {
    Host host;
    const Ended ended = ask(host, pageable_code);
    INFO(ended.outcome.report);
    REQUIRE(ended.outcome.is_bug_check(0xD1));
    CHECK(ended.outcome.bug_check.parameters[0] == ended.outcome.bug_check.parameters[3]);
    CHECK(ended.outcome.bug_check.parameters[1] == raised_to);
    CHECK(ended.outcome.bug_check.parameters[2] == 8); // an execution
    CHECK(ended.outcome.bug_check.driver == "pageable");
}

TEST_CASE("without forced IRQL checking paged pool is tolerated at any level", "[pageable]") {
    Host host;
    MachineOptions options;
    options.force_irql_checking = false;
    for (const int which : {pageable_read_locked_spin, pageable_write_raised, pageable_big_block, pageable_copy}) {
        const Ended ended = ask(host, which, options);
        INFO(ended.outcome.report);
        CHECK(ended.outcome.is_bug_check(0xC4)); // the driver then frees the block, still raised: that is seen as ever
        CHECK(ended.outcome.bug_check.parameters[0] == 0x11);
    }
}

TEST_CASE("forced IRQL checking leaves a run's time and trace as they are", "[pageable]") {
    Host host;
    std::string traces[2];
    std::chrono::nanoseconds times[2];
    for (const bool checked : {false, true}) {
        MachineOptions options;
        options.force_irql_checking = checked;
        options.trace = true;
        Machine machine(host, options);
        (void)machine.load(std::filesystem::path(DRIVER_PATH_pageable)).value();
        machine.run([&](Process& process) {
            File file = process.open("\\Device\\Pageable").value();
            for (const int which : {pageable_low, pageable_many_pages, pageable_freed, pageable_lookaside})
                CHECK(file.device_control(PAGEABLE_CODE(which)).status == 0);
        });
        traces[checked] = machine.trace().text();
        times[checked] = machine.now();
    }
    CHECK(traces[0] == traces[1]);
    CHECK(times[0] == times[1]);
}
