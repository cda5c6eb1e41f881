// Names and numbers that a program gives and that no machine can have.
#include "catch.hpp"

#include "keeper.h"

#include <dirql/dirql.hpp>

#include <filesystem>
#include <string>

using namespace dirql;

TEST_CASE("a name longer than a UNICODE_STRING is no other device's") {
    Machine machine;
    machine.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    machine.run([&](Process& process) {
        const std::string device = "\\Device\\KeeperA";
        for (const std::size_t more : {32767u, 32768u, 65536u}) {
            const auto opened = process.open(device + std::string(more, 'x'));
            REQUIRE(!opened);
            CHECK(opened.error().code == ErrorCode::request_failed);
            CHECK(opened.error().status == STATUS_NAME_TOO_LONG);
            CHECK(opened.error().text.size() < 400);
        }
        CHECK(process.open(device + "\\" + std::string(UNICODE_STRING_MAX_CHARS - device.size() - 2, 'x')));
        CHECK(process.open(device));
    });
}
