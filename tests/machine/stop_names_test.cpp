// Reports of real drivers name the devices, whatever the driver has made of the kernel's memory.
#include "misuse_lab.hpp"
#include "vandal_driver.hpp"

#include <ntifs.h>

#include <filesystem>
#include <string>

using namespace dirql;

namespace {

Outcome ruin(Host& host, unsigned byte) {
    Machine machine(host);
    REQUIRE(machine.load(std::filesystem::path(DRIVER_PATH_vandal)).has_value());
    return machine.run([&](Process& process) {
        File file = process.open("\\Device\\Vandal").value();
        (void)file.device_control(CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + byte, METHOD_BUFFERED, FILE_ANY_ACCESS));
    });
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a report names the device that an IRP was completed twice for") {
    Host host;
    const Outcome outcome = ruin(host, 0);
    INFO(outcome.report);
    REQUIRE(outcome.bug_check.code == MULTIPLE_IRP_COMPLETE_REQUESTS);
    CHECK(contains(outcome.report, "\nDriver     \\Driver\\vandal (vandal)\n"));
    CHECK(contains(outcome.report, "\nDevice     \\Device\\Vandal\n"));
    CHECK(contains(outcome.report, "IRP_MJ_DEVICE_CONTROL at \\Device\\Vandal of \\Driver\\vandal"));
}

TEST_CASE("a device whose name a driver has written over is told by its driver") {
    Host host;
    for (const unsigned byte : {0x01u, 0x7Eu, 0x7Fu, 0xFFu}) {
        CAPTURE(byte);
        const Outcome outcome = ruin(host, byte);
        INFO(outcome.report);
        REQUIRE(outcome.bug_check.code == MULTIPLE_IRP_COMPLETE_REQUESTS);
        CHECK(contains(outcome.report, "\nDevice     \\Driver\\vandal device#1\n"));
    }
}

TEST_CASE("a stall report names the device of a request") {
    Host host;
    const Outcome outcome = test::provoke(host, misuse_wait_forever);
    INFO(outcome.report);
    CHECK(outcome.kind == OutcomeKind::stall);
    CHECK(contains(outcome.report, " at \\Device\\Misuse, in the hands of \\Driver\\misuse"));
}

TEST_CASE("a call to nowhere shows who called, and a raised exception who raised it") {
    Host host;
    const struct {
        Misuse misuse;
        const char* function;
    } cases[] = {{misuse_call_null, "do_call_null"},
                 {misuse_call_garbage, "do_call_garbage"},
                 {misuse_raise_status, "do_raise_status"},
                 {misuse_fault_null, "do_fault_null"}};
    for (const auto form : {test::Form::plug_in, test::Form::linked, test::Form::unpreempted}) {
        for (const auto& [misuse, function] : cases) {
            const Outcome outcome = test::provoke(host, misuse, {.form = form});
            INFO(outcome.report);
            const auto& stack = outcome.bug_check.stack;
            REQUIRE(stack.size() >= 2);
            CHECK(stack[0].function == function);
            CHECK(stack[1].function == "Control");
            CHECK(contains(outcome.report, std::string(" ") + function + " (faults.c:"));
        }
    }
}

TEST_CASE("traces and journeys name the drivers' functions, also after the driver has gone") {
    Host host;
    for (const auto form : {test::Form::plug_in, test::Form::linked}) {
        Machine machine(host, {.trace = true});
        const Driver driver = test::load_misuse(machine, form).value();
        machine.run([&](Process& process) {
            process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse_spin_for_dpc));
        });
        const std::string text = machine.trace().text();
        INFO(text);
        CHECK(contains(text, "  DPC misuse!SetFlag\n"));
        CHECK(machine.unload(driver).value() == Unload::unloaded);
        CHECK(machine.trace().text().starts_with(text));
        machine.trace().clear();
    }
}

TEST_CASE("of two drivers in one program, a report names the one that it was") {
    Host host;
    Machine machine(host);
    REQUIRE(machine.load(drivers::vandal).has_value());
    REQUIRE(machine.load(drivers::misuse).has_value());
    const Outcome outcome = machine.run([&](Process& process) {
        process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse_complete_twice));
    });
    INFO(outcome.report);
    CHECK(outcome.bug_check.driver == "misuse");
    CHECK(contains(outcome.report, "\nDriver     \\Driver\\misuse (misuse)\n"));
    CHECK(contains(outcome.report, "\nDevice     \\Device\\Misuse\n"));
}

TEST_CASE("the records of an exception are where no stack's depth decides") {
    Host host;
    const auto parameters = [&](Misuse misuse) { return test::provoke(host, misuse).bug_check.parameters; };
    const auto context = parameters(misuse_fault_null)[2];
    CHECK(parameters(misuse_copy_to_garbage)[2] == context);
    CHECK(parameters(misuse_print_garbage)[2] == context);

    Machine machine(host);
    (void)test::load_misuse(machine, test::Form::plug_in).value();
    const Outcome outcome = machine.run([&](Process& process) {
        process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse_fault_in_thread));
    });
    const auto& [code, address, record, thread_context] = outcome.bug_check.parameters;
    REQUIRE(outcome.is_bug_check(SYSTEM_THREAD_EXCEPTION_NOT_HANDLED));
    CHECK(reinterpret_cast<std::uint64_t>(reinterpret_cast<EXCEPTION_RECORD*>(record)->ExceptionAddress) == address);
    CHECK(reinterpret_cast<CONTEXT*>(thread_context)->Rip == address);
}
