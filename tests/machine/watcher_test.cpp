// Processes of applications as a driver sees and rules them, through the C++ API.
#include "catch.hpp"

#include <dirql/dirql.hpp>

#include <globals_driver.hpp>
#include <keeper_driver.hpp>
#include <watcher_driver.hpp>
#include <watcher_forgetful_driver.hpp>
#include <watcher_unsigned_driver.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>

using namespace dirql;

namespace {

constexpr std::uint32_t terminate = 0x1, synchronize = 0x100000;
constexpr Status access_denied = static_cast<Status>(0xC0000022), cancelled = static_cast<Status>(0xC0000120),
                 invalid_cid = static_cast<Status>(0xC000000B);

std::size_t count(const std::string& text, const std::string& line) {
    std::size_t found = 0;
    for (std::size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) ++found;
    return found;
}

} // namespace

TEST_CASE("a signed driver sees processes and images, forbids one, and protects another from its killer") {
    for (const bool linked : {true, false}) {
        Machine machine;
        const auto watcher =
            linked ? machine.load(drivers::watcher) : machine.load(std::filesystem::path(DRIVER_PATH_watcher));
        REQUIRE(watcher);
        CHECK(count(machine.debug_output(), "processes 0\nhandles 0\n") == 1);
        Status forbidden = 0, ended = 0, refused = 0, missing = 0;
        std::uint32_t granted = 0, own = 0;
        bool ran = false;
        const Outcome outcome = machine.run([&](Process& process) {
            const auto none = process.start_process([&](Process&) { ran = true; }, {.command_line = "app forbidden"});
            if (!none) forbidden = none.error().status;
            auto child = process.start_process([](Process& self) { self.sleep(std::chrono::hours(1)); },
                                               {.command_line = "app protected"});
            process.sleep(std::chrono::milliseconds(1));
            auto weak = process.open_process(child.value().id(), terminate | synchronize);
            granted = weak.value().granted_access();
            refused = weak.value().terminate(cancelled);
            own = process.open_process(process.id(), terminate | synchronize).value().granted_access();
            const auto nobody = process.open_process(0x7FFC, terminate);
            if (!nobody) missing = nobody.error().status;
            child.value().wait();
            auto other = process.start_process([](Process& self) { self.sleep(std::chrono::hours(1)); });
            process.open_process(other.value().id(), terminate).value().terminate(cancelled);
            ended = other.value().wait();
        });
        CHECK(outcome.finished());
        CHECK_FALSE(ran);
        CHECK(forbidden == access_denied);
        CHECK(granted == synchronize);
        CHECK(refused == access_denied);
        CHECK(own == (terminate | synchronize));
        CHECK(missing == invalid_cid);
        CHECK(ended == cancelled);
        const std::string& said = machine.debug_output();
        CHECK(count(said, "start \\??\\C:\\Application.exe as app forbidden\n") == 1);
        CHECK(count(said, "start \\??\\C:\\Application.exe as \\??\\C:\\Application.exe\n") == 2);
        CHECK(count(said, "end\n") == 4 + count(said, "thread end\n"));
        CHECK(count(said, "thread\n") == 3); // not of the one that never ran
        CHECK(machine.load(drivers::globals));
        CHECK(count(said, "image \\SystemRoot\\System32\\drivers\\globals.sys 1 1\n") == 1);
        CHECK(machine.unload(watcher.value()).value() == Unload::unloaded);
        CHECK(machine.run([](Process&) {}).finished());
        CHECK(count(said, "end\n") == 4 + count(said, "thread end\n"));
    }
}

TEST_CASE("a driver without the integrity flag may not") {
    for (const bool linked : {true, false}) {
        Machine machine;
        REQUIRE((linked ? machine.load(drivers::watcher_unsigned)
                        : machine.load(std::filesystem::path(DRIVER_PATH_watcher_unsigned))));
        CHECK(count(machine.debug_output(), "processes c0000022\nhandles c0000022\n") == 1);
    }
}

TEST_CASE("a driver that unloads with its routines registered is told so") {
    Machine machine;
    const auto driver = machine.load(drivers::watcher_forgetful);
    REQUIRE(driver);
    CHECK_FALSE(machine.unload(driver.value()));
    CHECK(machine.outcome().is_bug_check(0xCE));
    CHECK(machine.outcome().report.find("object callbacks") != std::string::npos);
}

TEST_CASE("what leaves a child leaves the run, and children have children") {
    Machine machine;
    CHECK_THROWS_AS(machine.run([](Process& process) {
        auto child = process.start_process([](Process&) { throw std::runtime_error("child"); });
        child.value().wait();
    }),
                    std::runtime_error);
    Status ended = 1;
    int depth = 0;
    CHECK(machine
              .run([&](Process& process) {
                  auto child = process.start_process([&](Process& inner) {
                      auto grandchild = inner.start_process([&](Process&) { depth = 2; });
                      CHECK(grandchild.value().id() != inner.id());
                  });
                  ended = child.value().wait();
              })
              .finished());
    CHECK(ended == 0);
    CHECK(depth == 2);
}

TEST_CASE("a process that waits for its request is terminated: the request is cancelled") {
    Machine machine;
    REQUIRE(machine.load(drivers::keeper));
    Status ended = 0;
    const Outcome outcome = machine.run([&](Process& process) {
        auto child = process.start_process([](Process& self) {
            auto file = self.open("\\Device\\KeeperA", {.access = 0xC0000000}).value();
            file.read(16);
            throw std::logic_error("went on");
        });
        process.sleep(std::chrono::milliseconds(1));
        process.open_process(child.value().id(), terminate).value().terminate(cancelled);
        ended = child.value().wait();
    });
    CHECK(outcome.finished());
    CHECK(ended == cancelled);
}
