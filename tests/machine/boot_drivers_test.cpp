// Drivers that are loaded together, as at the boot, and later, in each form that a machine takes.
#include "catch.hpp"

#include <dirql/dirql.hpp>

#include <starter_one_driver.hpp>
#include <starter_two_driver.hpp>

using namespace dirql;

TEST_CASE("boot drivers initialize themselves in stages, linked or as plug-ins") {
    const std::filesystem::path one = DRIVER_PATH_starter_one, two = DRIVER_PATH_starter_two;
    for (const auto& sources :
         {std::vector<DriverSource>{drivers::starter_one, drivers::starter_two}, std::vector<DriverSource>{one, two}}) {
        Machine machine;
        const auto results = machine.load_boot_drivers(sources);
        REQUIRE(results.size() == 2);
        CHECK(machine.unload(results[1].value()).value() == Unload::unloaded);
        CHECK(machine.unload(results[0].value()).value() == Unload::unloaded);
        CHECK(machine.debug_output() == "one entry 0: 0 1\ntwo entry 0: 0 1\n"
                                        "one boot 1: 0 1\ntwo boot 1: 0 1\n"
                                        "one driver 2: 0 1\ntwo driver 2: 0 1\none driver 3: 0 1\ntwo driver 3: 0 1\n"
                                        "two unload 0: 0 1\none unload 0: 0 1\n");
    }
}

TEST_CASE("a driver that is loaded after the boot initializes itself at once, before the next one is loaded") {
    Machine machine;
    const Driver first = machine.load(drivers::starter_one).value();
    machine.load(drivers::starter_two).value();
    CHECK(machine.debug_output() == "one entry 0: 0 1\none driver 1: 0 1\none driver 2: 0 1\none driver 3: 0 1\n"
                                    "two entry 0: 0 1\ntwo driver 1: 0 1\ntwo driver 2: 0 1\ntwo driver 3: 0 1\n");
    CHECK(machine.unload(first).value() == Unload::unloaded);
    CHECK_THROWS_AS(machine.load_boot_drivers({drivers::starter_one}), std::logic_error);
}

TEST_CASE("a boot driver that is no image is told as load tells it, and the others are loaded") {
    Machine machine;
    const auto results = machine.load_boot_drivers({std::filesystem::path("no such file"), drivers::starter_two});
    REQUIRE(results.size() == 2);
    CHECK(results[0].error().code == ErrorCode::bad_image);
    CHECK(results[1].value().name() == "starter_two");
    CHECK(machine.debug_output().find("two boot 1") != std::string::npos);
}
