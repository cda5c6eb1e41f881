// Which driver is meant: several in one program, in one machine, in several machines.
#include "catch.hpp"

#include "keeper.h"

#include "keeper_driver.hpp"

#include <dirql/dirql.hpp>

#include <ntifs.h>

#include <string>
#include <vector>

using namespace dirql;

namespace {

VOID NTAPI unload(PDRIVER_OBJECT driver) {
    while (driver->DeviceObject != nullptr) IoDeleteDevice(driver->DeviceObject);
}

NTSTATUS NTAPI crash_on_create(PDEVICE_OBJECT, PIRP) { KeBugCheckEx(MANUALLY_INITIATED_CRASH, 0, 0, 0, 0); }

NTSTATUS NTAPI crashing_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    UNICODE_STRING name;
    PDEVICE_OBJECT device;
    RtlInitUnicodeString(&name, u"\\Device\\Crashing");
    driver->MajorFunction[IRP_MJ_CREATE] = crash_on_create;
    driver->DriverUnload = unload;
    return IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}

NTSTATUS NTAPI quiet_entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

void* entry(PDRIVER_INITIALIZE routine) { return reinterpret_cast<void*>(routine); }

Outcome crash(Machine& machine) {
    return machine.run([](Process& process) { (void)process.open("\\Device\\Crashing"); });
}

} // namespace

TEST_CASE("of two drivers given as functions, the one that is left keeps its name in reports") {
    Host host;
    Machine machine(host);
    machine.load("a_driver_with_a_long_name", entry(crashing_entry)).value();
    const Driver other = machine.load("another_driver_with_a_long_name", entry(quiet_entry)).value();
    REQUIRE(machine.unload(other).value() == Unload::unloaded);
    const std::vector<std::string> reused(50, "what stands where a freed name was");
    const Outcome outcome = crash(machine);
    CHECK(outcome.bug_check.driver == "a_driver_with_a_long_name");
    CHECK(outcome.report.find("what stands where") == std::string::npos);
    CHECK(outcome.report.find("another_driver") == std::string::npos);
}

TEST_CASE("a linked driver's own code is its own, though a function's driver has the whole program") {
    Host host;
    Machine machine(host);
    machine.load("function", entry(quiet_entry)).value();
    machine.load(drivers::keeper).value();
    const Outcome outcome = machine.run([](Process& process) {
        process.open("\\Device\\KeeperA").value().device_control(KEEPER_BUG_CHECK_LATER);
        process.sleep(std::chrono::seconds(1));
    });
    CHECK(outcome.bug_check.driver == "keeper");
}

TEST_CASE("a driver belongs to the machine that loaded it") {
    Host host;
    Machine first(host);
    Machine second(host);
    const Driver driver = first.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    const Driver other = second.load("function", entry(quiet_entry)).value();
    CHECK(second.unload(driver).error().code == ErrorCode::invalid_argument);
    CHECK(first.unload(other).error().code == ErrorCode::invalid_argument);
    CHECK(first.unload(driver).value() == Unload::unloaded);
    CHECK(first.unload(driver).error().code == ErrorCode::invalid_argument);
    const Driver again = first.load(std::filesystem::path(DRIVER_PATH_keeper)).value();
    CHECK(first.unload(driver).error().code == ErrorCode::invalid_argument);
    CHECK(first.unload(again).value() == Unload::unloaded);
    CHECK(second.unload(other).value() == Unload::unloaded);
}

TEST_CASE("who has a linked driver is told") {
    Host host;
    Machine first(host);
    Machine second(host);
    first.load(drivers::keeper).value();
    const Error here = first.load(drivers::keeper).error();
    CHECK(here.code == ErrorCode::driver_busy);
    CHECK(here.text == "keeper: a linked driver is loaded once at a time, and this machine has it already");
    const Error there = second.load(drivers::keeper).error();
    CHECK(there.code == ErrorCode::driver_busy);
    CHECK(there.text == "keeper: a linked driver is loaded once at a time, and another machine has it");
}

TEST_CASE("a driver without a DriverEntry is an error") {
    Machine machine;
    CHECK(machine.load("nothing", nullptr).error().code == ErrorCode::invalid_argument);
    const LinkedDriver linked{.name = "nothing", .entry = nullptr};
    CHECK(machine.load(linked).error().code == ErrorCode::invalid_argument);
    CHECK(machine.run([](Process&) {}).finished());
}

TEST_CASE("an exception that meets no driver is not told as a driver's") {
    Machine machine;
    const Outcome outcome = machine.run_in_kernel([] { ExRaiseStatus(STATUS_ACCESS_VIOLATION); });
    CHECK(outcome.is_bug_check(SYSTEM_THREAD_EXCEPTION_NOT_HANDLED));
    CHECK(outcome.bug_check.driver.empty());
    CHECK(outcome.bug_check.rule == "an exception was not handled, and no driver's code is on the stack");
}

TEST_CASE("drivers come and go without end") {
    Host host;
    Machine machine(host);
    for (unsigned i = 0; i < 200; ++i) { // more than a machine holds at once
        const Driver driver = machine.load("function", entry(quiet_entry)).value();
        REQUIRE(machine.unload(driver).value() == Unload::unloaded);
    }
}
