// The journey of an IRP, as a reader gets it.
#include "catch.hpp"

#include "script.hpp"

#include <sstream>

using namespace script;

namespace {

// Two drivers, one attached above the other.
struct Stack : Machine {
    Stack() {
        driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo");
        driver(6, "\\Driver\\filter").device(3, 6, "");
    }
};

void call(Machine& m, std::uint64_t irp, std::uint64_t device) {
    m({.kind = EventKind::irp_call,
       .irp = at(irp),
       .object = at(device),
       .major = IRP_MJ_DEVICE_CONTROL,
       .code = 0x222000});
}

void back(Machine& m, std::uint64_t irp, std::uint64_t device, NTSTATUS status) {
    m({.kind = EventKind::irp_return, .irp = at(irp), .object = at(device), .status = status});
}

void completion_routine(Machine& m, std::uint64_t irp, std::uint64_t device, NTSTATUS status) {
    m({.kind = EventKind::irp_completion, .irp = at(irp), .object = at(device), .routine = at(70)});
    m({.kind = EventKind::irp_completion_return, .object = at(device), .status = status});
}

void synchronous(Machine& m) {
    m.on(24, "app")({.kind = EventKind::service_entry, .text = "NtDeviceIoControlFile"});
    m({.kind = EventKind::irp_allocated, .irp = at(1)});
    call(m, 1, 3);
    m({.kind = EventKind::debug_print, .text = "passing it on\n"});
    call(m, 1, 2);
    m.irql(DISPATCH_LEVEL)({.kind = EventKind::irql_change, .value = PASSIVE_LEVEL, .text = "KeLowerIrql"})
        .irql(PASSIVE_LEVEL);
    m({.kind = EventKind::irp_complete, .irp = at(1), .status = STATUS_SUCCESS, .value = 5});
    completion_routine(m, 1, 3, STATUS_SUCCESS);
    back(m, 1, 2, STATUS_SUCCESS);
    back(m, 1, 3, STATUS_SUCCESS);
    m.irql(APC_LEVEL)({.kind = EventKind::irp_finished, .irp = at(1), .status = STATUS_SUCCESS, .value = 5});
    m({.kind = EventKind::irp_freed, .irp = at(1)});
    m.irql(PASSIVE_LEVEL)({.kind = EventKind::service_exit, .status = STATUS_SUCCESS, .text = "NtDeviceIoControlFile"});
}

// A timer's DPC completes it, while another thread does something of its own.
void pended(Machine& m) {
    m.on(24, "app")({.kind = EventKind::service_entry, .text = "NtDeviceIoControlFile"});
    m({.kind = EventKind::irp_allocated, .irp = at(1)});
    call(m, 1, 3);
    call(m, 1, 2);
    back(m, 1, 2, STATUS_PENDING);
    back(m, 1, 3, STATUS_PENDING);
    m.irql(DISPATCH_LEVEL)({.kind = EventKind::wait_begin, .object = at(9), .code = 1});
    m({.kind = EventKind::thread_switch, .value = 28, .text = "other"});
    m.on(28, "other")({.kind = EventKind::service_entry, .text = "NtReadFile"});
    m({.kind = EventKind::irp_allocated, .irp = at(8)});
    m({.kind = EventKind::irp_call, .irp = at(8), .object = at(2), .major = IRP_MJ_READ});
    m.irql(DISPATCH_LEVEL).dpc(true).later(1'000'000);
    m.in("echo.so", 0x1240)({.kind = EventKind::timer_expired, .object = at(10), .routine = at(90)});
    m.in("echo.so", 0x1240)({.kind = EventKind::dpc_queued, .object = at(11), .routine = at(90)});
    m.in("echo.so", 0x1240)({.kind = EventKind::callout_entry, .routine = at(90), .text = "DPC"});
    m({.kind = EventKind::irp_complete, .irp = at(1), .status = STATUS_SUCCESS, .value = 1});
    completion_routine(m, 1, 3, STATUS_SUCCESS);
    m.in("echo.so", 0x1240)({.kind = EventKind::callout_exit, .routine = at(90), .text = "DPC"});
    m.dpc(false).irql(PASSIVE_LEVEL);
    back(m, 8, 2, STATUS_SUCCESS);
    m.on(24, "app", APC_LEVEL)({.kind = EventKind::apc_delivered, .text = "special kernel"});
    m({.kind = EventKind::irp_finished, .irp = at(1), .status = STATUS_SUCCESS, .value = 1});
    m({.kind = EventKind::irp_freed, .irp = at(1)});
    m.irql(PASSIVE_LEVEL)({.kind = EventKind::wait_end, .status = STATUS_SUCCESS});
    m({.kind = EventKind::service_exit, .status = STATUS_SUCCESS, .text = "NtDeviceIoControlFile"});
}

std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
    return longest;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a request that is done at once") {
    Stack m;
    synchronous(m);
    CHECK(journey(m.recorder.records(), 1) == R"(The journey of irp#1: IRP_MJ_DEVICE_CONTROL 0x222000
Control code 0x222000: FILE_DEVICE_UNKNOWN, function 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS

   time, us  IRQL            what happens
-- on thread 24 "app", processor 0 -----------------------------------------------------------------
      0.250  PASSIVE_LEVEL   the application calls NtDeviceIoControlFile
      0.300  PASSIVE_LEVEL     the I/O manager makes irp#1 for the request
      0.350  PASSIVE_LEVEL     -> \Driver\filter is called for its device#1
      0.400  PASSIVE_LEVEL       \Driver\filter prints "passing it on\n"
      0.450  PASSIVE_LEVEL       -> \Driver\echo is called for \Device\Echo
      0.550  PASSIVE_LEVEL         \Driver\echo completes irp#1 with STATUS_SUCCESS, 5 bytes
      0.600  PASSIVE_LEVEL           -> \Driver\filter's completion routine is called for its
                                         device#1
      0.650  PASSIVE_LEVEL           <- it returns STATUS_SUCCESS: completion goes on upwards
      0.700  PASSIVE_LEVEL       <- it returns STATUS_SUCCESS
      0.750  PASSIVE_LEVEL     <- it returns STATUS_SUCCESS
      0.800  APC_LEVEL         the I/O manager hands the result over: STATUS_SUCCESS, 5 bytes
      0.850  APC_LEVEL         irp#1 is freed
      0.900  PASSIVE_LEVEL   NtDeviceIoControlFile returns STATUS_SUCCESS to the application
)");
}

TEST_CASE("a request that a DPC completes while another thread runs") {
    Stack m;
    pended(m);
    CHECK(journey(m.recorder.records(), 1) == R"(The journey of irp#1: IRP_MJ_DEVICE_CONTROL 0x222000
Control code 0x222000: FILE_DEVICE_UNKNOWN, function 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS

   time, us  IRQL            what happens
-- on thread 24 "app", processor 0 -----------------------------------------------------------------
      0.250  PASSIVE_LEVEL   the application calls NtDeviceIoControlFile
      0.300  PASSIVE_LEVEL     the I/O manager makes irp#1 for the request
      0.350  PASSIVE_LEVEL     -> \Driver\filter is called for its device#1
      0.400  PASSIVE_LEVEL       -> \Driver\echo is called for \Device\Echo
      0.450  PASSIVE_LEVEL       <- it returns STATUS_PENDING: it will be completed later
      0.500  PASSIVE_LEVEL     <- it returns STATUS_PENDING: it will be completed later
      0.550  DISPATCH_LEVEL    the thread waits for a notification event (event#1)
-- in a DPC on processor 0, which interrupted thread 28 "other" ------------------------------------
   1000.800  DISPATCH_LEVEL  a timer expires
   1000.850  DISPATCH_LEVEL  a DPC is queued for processor 0 (echo.so+0x1240)
   1000.900  DISPATCH_LEVEL  -> a DPC routine runs (echo.so+0x1240)
   1000.950  DISPATCH_LEVEL    the DPC routine completes irp#1 with STATUS_SUCCESS, 1 byte
   1001.000  DISPATCH_LEVEL      -> \Driver\filter's completion routine is called for its device#1
   1001.050  DISPATCH_LEVEL      <- it returns STATUS_SUCCESS: completion goes on upwards
   1001.100  DISPATCH_LEVEL  <- it returns
-- on thread 24 "app", processor 0 -----------------------------------------------------------------
   1001.200  APC_LEVEL         a special kernel APC: the last step is done in the issuer's thread
   1001.250  APC_LEVEL         the I/O manager hands the result over: STATUS_SUCCESS, 1 byte
   1001.300  APC_LEVEL         irp#1 is freed
   1001.350  PASSIVE_LEVEL     the thread runs again
   1001.400  PASSIVE_LEVEL   NtDeviceIoControlFile returns STATUS_SUCCESS to the application
)");
}

TEST_CASE("the request that was interrupted is not told of the DPC") {
    Stack m;
    pended(m);
    const std::string text = journey(m.recorder.records(), 2);
    CHECK(contains(text, "NtReadFile"));
    CHECK_FALSE(contains(text, "DPC"));
    CHECK_FALSE(contains(text, "irp#1"));
}

TEST_CASE("lines keep to the width that was asked for") {
    Stack m;
    pended(m);
    CHECK(longest_line(journey(m.recorder.records(), 1)) <= 100);
    CHECK(longest_line(journey(m.recorder.records(), 1, {.columns = 72})) <= 72);
}

TEST_CASE("colour adds nothing but escapes") {
    Stack m;
    synchronous(m);
    const std::string plain = journey(m.recorder.records(), 1);
    std::string coloured = journey(m.recorder.records(), 1, {.colour = true});
    CHECK_FALSE(contains(plain, "\x1b"));
    REQUIRE(contains(coloured, "\x1b[32mPASSIVE_LEVEL"));
    for (std::size_t at; (at = coloured.find('\x1b')) != std::string::npos;)
        coloured.erase(at, coloured.find('m', at) + 1 - at);
    CHECK(coloured == plain);
}

TEST_CASE("a driver that keeps an IRP is named at the end") {
    Stack m;
    m.on(24, "app")({.kind = EventKind::irp_allocated, .irp = at(1)});
    call(m, 1, 3);
    call(m, 1, 2);
    back(m, 1, 2, STATUS_PENDING);
    back(m, 1, 3, STATUS_PENDING);
    CHECK(contains(journey(m.recorder.records(), 1),
                   "\nHere the trace ends. \\Driver\\echo has irp#1 and has not completed it.\n"));
}

TEST_CASE("a completion routine may take the IRP back") {
    Stack m;
    m.on(24, "app")({.kind = EventKind::irp_allocated, .irp = at(1)});
    call(m, 1, 3);
    call(m, 1, 2);
    m({.kind = EventKind::irp_complete, .irp = at(1), .status = STATUS_IO_DEVICE_ERROR});
    completion_routine(m, 1, 3, STATUS_MORE_PROCESSING_REQUIRED);
    CHECK(
        contains(journey(m.recorder.records(), 1), "<- it returns STATUS_MORE_PROCESSING_REQUIRED: the driver takes"));
}

TEST_CASE("a journey that ends in a bug check") {
    Stack m;
    m.on(24, "app")({.kind = EventKind::irp_allocated, .irp = at(1)});
    call(m, 1, 2);
    m({.kind = EventKind::irp_complete, .irp = at(1), .status = STATUS_SUCCESS});
    m({.kind = EventKind::bug_check,
       .irp = at(1),
       .code = 0x44,
       .text = "an IRP was completed that has been completed already"});
    CHECK(contains(journey(m.recorder.records(), 1), "*** STOP 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS: an IRP was"));
}

TEST_CASE("an IRP that the trace does not know") {
    Stack m;
    CHECK(contains(journey(m.recorder.records(), 7), "irp#7 does not occur in this trace."));
}

TEST_CASE("a journey whose beginning may be lost says so") {
    Recorder recorder(4);
    recorder.record({.kind = EventKind::irp_allocated, .irp = at(1)}, {});
    for (int i = 0; i < 2; ++i) recorder.record({.kind = EventKind::irp_call, .irp = at(1), .object = at(2)}, {});
    recorder.record({.kind = EventKind::irp_allocated, .irp = at(3)}, {});
    CHECK(journey(recorder.records(), 1).find("dropped") == std::string::npos);
    recorder.record({.kind = EventKind::irp_call, .irp = at(3), .object = at(2)}, {});
    const std::string lost = "\n(1 earlier event was dropped: too many to keep)\n";
    CHECK(journey(recorder.records(), 1).find(lost) != std::string::npos);
    CHECK(journey(recorder.records(), 7).find(lost) != std::string::npos); // not known: it may have been before
    CHECK(journey(recorder.records(), 2).find("dropped") == std::string::npos);
}

TEST_CASE("finding an IRP by its function") {
    Stack m;
    pended(m);
    CHECK(find_irp(m.recorder.records(), IRP_MJ_DEVICE_CONTROL) == 1u);
    CHECK(find_irp(m.recorder.records(), IRP_MJ_READ) == 2u);
    CHECK_FALSE(find_irp(m.recorder.records(), IRP_MJ_READ, 1).has_value());
    CHECK_FALSE(find_irp(m.recorder.records(), IRP_MJ_WRITE).has_value());
}

TEST_CASE("a journey names the drivers' functions") {
    Stack m;
    m.on(24, "app");
    m.in("filter",
         0x10)({.kind = EventKind::irp_call, .irp = at(1), .object = at(3), .routine = at(70), .major = IRP_MJ_READ});
    m({.kind = EventKind::packet_start, .irp = at(1), .object = at(3), .value = 1});
    m.in("filter",
         0x20)({.kind = EventKind::callout_entry, .irp = at(1), .object = at(3), .routine = at(71), .text = "cancel"});
    m.in("filter",
         0x20)({.kind = EventKind::callout_exit, .irp = at(1), .object = at(3), .routine = at(71), .text = "cancel"});
    m.recorder.name_functions([](std::string_view, std::uint64_t offset) {
        return std::string(offset == 0x10 ? "FilterRead" : "FilterCancel");
    });
    const std::string text = journey(m.recorder.records(), 1);
    INFO(text);
    CHECK(contains(text, "-> \\Driver\\filter is called for its device#1 (FilterRead)\n"));
    CHECK(contains(text, "the device is busy: IoStartPacket queues irp#1\n"));
    CHECK(contains(text, "-> \\Driver\\filter's cancel routine is called (FilterCancel)\n"));
}
