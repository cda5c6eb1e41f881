// The readable log.
#include "catch.hpp"

#include "script.hpp"

using namespace script;

namespace {

// The part of the last line behind the columns that all lines have.
std::string what(const Machine& machine) {
    const std::string line = to_text(machine.recorder.records().back());
    return line.substr(line.find("thread 24") + 16);
}

} // namespace

TEST_CASE("a line: when, where, on which thread, what") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo").on(24, "app").later(1100);
    machine(
        {.kind = EventKind::irp_call, .irp = at(1), .object = at(2), .major = IRP_MJ_DEVICE_CONTROL, .code = 0x222000});
    CHECK(to_text(machine.recorder.records().back()) ==
          "      1.250 us  cpu0  PASSIVE_LEVEL   thread 24       call        "
          "irp#1 IRP_MJ_DEVICE_CONTROL 0x222000 -> \\Driver\\echo \\Device\\Echo");
}

TEST_CASE("the log of an IRP that a DPC completes") {
    Machine m;
    m.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo");
    m.on(24, "app")({.kind = EventKind::service_entry, .text = "NtReadFile"});
    m({.kind = EventKind::irp_allocated, .irp = at(1)});
    m({.kind = EventKind::irp_call, .irp = at(1), .object = at(2), .major = IRP_MJ_READ});
    m({.kind = EventKind::irp_return, .irp = at(1), .object = at(2), .status = STATUS_PENDING});
    m.irql(DISPATCH_LEVEL)({.kind = EventKind::wait_begin, .object = at(7), .code = 1});
    m({.kind = EventKind::thread_switch, .value = 12, .text = "Idle"});
    m.on(12, "Idle", DISPATCH_LEVEL).dpc(true).later(1'000'000);
    m.in("echo.so", 0x1240)({.kind = EventKind::timer_expired, .object = at(8), .routine = at(90)});
    m.in("echo.so", 0x1240)({.kind = EventKind::dpc_queued, .object = at(9), .routine = at(90)});
    m.in("echo.so", 0x1240)({.kind = EventKind::callout_entry, .routine = at(90), .text = "DPC"});
    m({.kind = EventKind::irp_complete, .irp = at(1), .status = STATUS_SUCCESS, .value = 5});
    m.in("echo.so", 0x1240)({.kind = EventKind::callout_exit, .routine = at(90), .text = "DPC"});
    m.on(24, "app", APC_LEVEL)({.kind = EventKind::apc_delivered, .text = "special kernel"});
    m({.kind = EventKind::irp_finished, .irp = at(1), .status = STATUS_SUCCESS, .value = 5});
    m({.kind = EventKind::irp_freed, .irp = at(1)});
    m.irql(PASSIVE_LEVEL)({.kind = EventKind::service_exit, .status = STATUS_SUCCESS, .text = "NtReadFile"});
    CHECK(m.text() == R"(      0.050 us  cpu0  PASSIVE_LEVEL   thread 0        name        \Driver\echo
      0.100 us  cpu0  PASSIVE_LEVEL   thread 0        name        \Driver\echo \Device\Echo
      0.150 us  cpu0  PASSIVE_LEVEL   thread 24       service     NtReadFile
      0.200 us  cpu0  PASSIVE_LEVEL   thread 24       allocate    irp#1
      0.250 us  cpu0  PASSIVE_LEVEL   thread 24       call        irp#1 IRP_MJ_READ -> \Driver\echo \Device\Echo
      0.300 us  cpu0  PASSIVE_LEVEL   thread 24       return      irp#1 STATUS_PENDING <- \Driver\echo \Device\Echo
      0.350 us  cpu0  DISPATCH_LEVEL  thread 24       wait        for event#1
      0.400 us  cpu0  DISPATCH_LEVEL  thread 24       switch      to thread 12 Idle
   1000.450 us  cpu0  DISPATCH_LEVEL  dpc on 12       expire      timer#1 echo.so+0x1240
   1000.500 us  cpu0  DISPATCH_LEVEL  dpc on 12       queue       DPC echo.so+0x1240 on cpu0
   1000.550 us  cpu0  DISPATCH_LEVEL  dpc on 12       enter       DPC echo.so+0x1240
   1000.600 us  cpu0  DISPATCH_LEVEL  dpc on 12       complete    irp#1 STATUS_SUCCESS, information 0x5
   1000.650 us  cpu0  DISPATCH_LEVEL  dpc on 12       leave       DPC echo.so+0x1240
   1000.700 us  cpu0  APC_LEVEL       thread 24       apc         special kernel
   1000.750 us  cpu0  APC_LEVEL       thread 24       finish      irp#1 STATUS_SUCCESS, information 0x5
   1000.800 us  cpu0  APC_LEVEL       thread 24       free        irp#1
   1000.850 us  cpu0  PASSIVE_LEVEL   thread 24       serviced    NtReadFile STATUS_SUCCESS
)");
}

TEST_CASE("IRPs that a driver makes itself, and packets") {
    Machine m;
    m.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo").on(24, "app");
    m({.kind = EventKind::irp_initialized, .irp = at(1)});
    CHECK(what(m) == "initialize  irp#1");
    m({.kind = EventKind::irp_reused, .irp = at(1)});
    CHECK(what(m) == "reuse       irp#2, before irp#1");
    m({.kind = EventKind::packet_start, .irp = at(1), .object = at(2)});
    CHECK(what(m) == "packet      irp#2 for \\Driver\\echo \\Device\\Echo, started");
    m({.kind = EventKind::packet_start, .irp = at(1), .object = at(2), .value = 1});
    CHECK(what(m) == "packet      irp#2 for \\Driver\\echo \\Device\\Echo, device busy: queued");
}

TEST_CASE("what drivers print stays on one line") {
    Machine machine;
    machine.on(24, "app")({.kind = EventKind::debug_print, .text = "one\ntwo\t\x01 \xFF \xC3\xA4\r\n"});
    CHECK(what(machine) == "print       \"one\\ntwo\\t\\x01 \xEF\xBF\xBD \xC3\xA4\\r\\n\"");
}

TEST_CASE("waits") {
    Machine machine;
    machine.on(24, "app");
    machine({.kind = EventKind::wait_begin, .minor = WaitAny, .code = 0, .value = 12'000'000});
    CHECK(what(machine) == "wait        for time, until 12000.000 us");
    machine({.kind = EventKind::wait_begin, .object = at(3), .major = 2, .minor = WaitAll, .code = 3});
    CHECK(what(machine) == "wait        for all of 3 objects, mutex#1 first");
    machine({.kind = EventKind::wait_end, .status = STATUS_TIMEOUT});
    CHECK(what(machine) == "resume      STATUS_TIMEOUT");
}

TEST_CASE("fields that are empty leave no gap") {
    Machine machine;
    machine.on(24, "app");
    machine({.kind = EventKind::bug_check, .code = 0x44, .text = "twice"});
    CHECK(what(machine) == "bug check   0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS: twice");
    machine({.kind = EventKind::callout_entry, .text = "DPC"});
    CHECK(what(machine) == "enter       DPC");
    machine.in("app",
               0x20)({.kind = EventKind::irp_completion, .irp = at(1), .routine = at(3), .status = STATUS_SUCCESS});
    CHECK(what(machine) == "completion  irp#1 STATUS_SUCCESS -> app+0x20 of its issuer");
}

TEST_CASE("drivers, levels, tags") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").on(24, "app");
    machine({.kind = EventKind::driver_loaded, .object = at(5), .text = "echo.so"});
    CHECK(what(machine) == "load        \\Driver\\echo echo.so");
    machine({.kind = EventKind::callout_exit,
             .object = at(5),
             .status = STATUS_NO_SUCH_DEVICE,
             .value = 1,
             .text = "DriverEntry"});
    CHECK(what(machine) == "leave       DriverEntry STATUS_NO_SUCH_DEVICE");
    machine({.kind = EventKind::irql_change, .value = DISPATCH_LEVEL, .text = "KeRaiseIrql"});
    CHECK(what(machine) == "irql        to DISPATCH_LEVEL by KeRaiseIrql");
    machine({.kind = EventKind::pool_allocated, .object = at(9), .code = 0x6F686345, .value = 64});
    CHECK(what(machine) == "pool        pool#1 Echo 64 bytes");
}

TEST_CASE("a log that lacks its beginning says so first") {
    Recorder recorder(2);
    for (std::uint64_t i = 0; i < 2; ++i) recorder.record({.kind = EventKind::irp_allocated, .irp = at(i + 1)}, {});
    CHECK(to_text(recorder.records()).find("dropped") == std::string::npos);
    recorder.record({.kind = EventKind::irp_allocated, .irp = at(3)}, {});
    CHECK(to_text(recorder.records()).starts_with("(1 earlier event was dropped: too many to keep)\n      0.000 us  "));
    recorder.record({.kind = EventKind::irp_allocated, .irp = at(4)}, {});
    CHECK(to_text(recorder.records()).starts_with("(2 earlier events were dropped: too many to keep)\n"));
    recorder.clear();
    CHECK(to_text(recorder.records()).empty());
}
