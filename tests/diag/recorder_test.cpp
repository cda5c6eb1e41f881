// The names that the recorder gives.
#include "catch.hpp"

#include "script.hpp"

using namespace script;

namespace {

const Record& last(const Machine& machine) { return machine.recorder.records().back(); }

} // namespace

TEST_CASE("an IRP's memory is used again under a new number") {
    Machine machine;
    machine({.kind = EventKind::irp_allocated, .irp = at(1)});
    CHECK(last(machine).irp == 1);
    machine({.kind = EventKind::irp_complete, .irp = at(1)});
    CHECK(last(machine).irp == 1);
    machine({.kind = EventKind::irp_freed, .irp = at(1)});
    CHECK(last(machine).irp == 1);
    machine({.kind = EventKind::irp_allocated, .irp = at(1)});
    CHECK(last(machine).irp == 2);
    CHECK(machine.recorder.irp_number(at(1)) == 2);
    CHECK(machine.recorder.irp_number(at(2)) == 0);
}

TEST_CASE("an IRP that is initialised in a driver's memory, or reused, is another one") {
    Machine machine;
    machine({.kind = EventKind::irp_initialized, .irp = at(1)});
    CHECK(last(machine).irp == 1);
    machine({.kind = EventKind::irp_reused, .irp = at(1)});
    CHECK(last(machine).irp == 2);
    CHECK(last(machine).value == 1);
    machine({.kind = EventKind::irp_call, .irp = at(1), .object = at(2)});
    CHECK(last(machine).irp == 2);
    machine({.kind = EventKind::irp_initialized, .irp = at(1)});
    CHECK(last(machine).irp == 3);
    machine({.kind = EventKind::irp_reused, .irp = at(7)}); // whose beginning nobody saw
    CHECK(last(machine).irp == 4);
    CHECK(last(machine).value == 0);
}

TEST_CASE("functions are looked up once each, and once for each record") {
    Machine machine;
    const auto callout = [&](std::uint64_t offset) {
        machine.in("echo", offset)({.kind = EventKind::callout_entry, .routine = at(90), .text = "DPC"});
    };
    unsigned asked = 0;
    const auto name_of = [&](std::string_view image, std::uint64_t offset) {
        ++asked;
        CHECK(image == "echo");
        return offset == 0x10 ? std::string("EchoDpc") : std::string();
    };
    callout(0x10);
    callout(0x10);
    callout(0x20);
    machine.in(kernel_image, 0)({.kind = EventKind::callout_entry, .routine = at(91), .text = "DPC"});
    machine.recorder.name_functions(name_of);
    CHECK(asked == 2);
    machine.recorder.name_functions(name_of);
    CHECK(asked == 2);
    const Records& records = machine.recorder.records();
    CHECK(routine_text(records[0]) == "echo!EchoDpc");
    CHECK(routine_text(records[1]) == "echo!EchoDpc");
    CHECK(routine_text(records[2]) == "echo+0x20");
    CHECK(routine_text(records[3]) == "nt");
    callout(0x10); // another image of this name, perhaps
    machine.recorder.name_functions([](auto, auto) { return std::string("Other"); });
    CHECK(routine_text(records[0]) == "echo!EchoDpc");
    CHECK(routine_text(records[4]) == "echo!Other");
}

TEST_CASE("names of functions keep up with records that had to make room") {
    Recorder recorder(2);
    const Event event{.kind = EventKind::callout_entry, .routine = at(90), .text = "DPC"};
    const auto call_at = [&](std::uint64_t offset) {
        recorder.record(event, {.moment = {}, .thread_name = {}, .image = "echo", .offset = offset});
    };
    const auto name_of = [](std::string_view, std::uint64_t offset) { return "F" + std::to_string(offset); };
    for (const std::uint64_t offset : {1u, 2u, 3u}) call_at(offset);
    recorder.name_functions(name_of);
    call_at(4);
    recorder.name_functions(name_of);
    CHECK(recorder.records()[0].function == "F3");
    CHECK(recorder.records()[1].function == "F4");
}

TEST_CASE("an IRP that nobody saw allocated gets a number too") {
    Machine machine;
    machine({.kind = EventKind::irp_call, .irp = at(9), .object = at(2)});
    CHECK(last(machine).irp == 1);
}

// The IRP was completed, freed, and its memory taken for another one before the dispatch routine returned.
TEST_CASE("a return belongs to its call, though the IRP is gone") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo").on(24, "app");
    machine({.kind = EventKind::irp_allocated, .irp = at(1)});
    machine({.kind = EventKind::irp_call, .irp = at(1), .object = at(2), .major = IRP_MJ_READ});
    const std::uint32_t call = last(machine).call;
    machine.on(28, "other")({.kind = EventKind::irp_freed, .irp = at(1)});
    machine({.kind = EventKind::irp_allocated, .irp = at(1)});
    machine({.kind = EventKind::object_deleted, .object = at(2)});
    machine.on(24, "app")({.kind = EventKind::irp_return, .irp = at(1), .object = at(2), .status = STATUS_PENDING});
    CHECK(last(machine).irp == 1);
    CHECK(last(machine).call == call);
    CHECK(last(machine).object == "\\Device\\Echo");
}

TEST_CASE("calls that an exception skipped do not disturb the ones around them") {
    Machine machine;
    machine({.kind = EventKind::irp_call, .irp = at(1), .object = at(2)});
    const std::uint32_t outer = last(machine).call;
    machine({.kind = EventKind::irp_call, .irp = at(1), .object = at(3)}); // raises through its caller's handler
    machine({.kind = EventKind::irp_return, .irp = at(1), .object = at(2), .status = STATUS_UNSUCCESSFUL});
    CHECK(last(machine).call == outer);
    machine({.kind = EventKind::irp_return, .irp = at(1), .object = at(3)});
    CHECK(last(machine).call == 0);
}

TEST_CASE("calls of different threads do not mix") {
    Machine machine;
    machine.on(24, "a")({.kind = EventKind::irp_call, .irp = at(1), .object = at(2)});
    const std::uint32_t first = last(machine).call;
    machine.on(28, "b")({.kind = EventKind::irp_call, .irp = at(1), .object = at(2)});
    const std::uint32_t second = last(machine).call;
    machine.on(24, "a")({.kind = EventKind::irp_return, .irp = at(1), .object = at(2)});
    CHECK(last(machine).call == first);
    machine.on(28, "b")({.kind = EventKind::irp_return, .irp = at(1), .object = at(2)});
    CHECK(last(machine).call == second);
}

TEST_CASE("devices are called by their names, or as their driver's nth") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").driver(6, "\\Driver\\filter");
    machine.device(2, 5, "\\Device\\Echo");
    CHECK(last(machine).object == "\\Device\\Echo");
    CHECK(last(machine).driver == "\\Driver\\echo");
    machine.device(3, 6, "");
    CHECK(last(machine).object == "\\Driver\\filter device#1");
    machine.device(4, 6, "");
    CHECK(last(machine).object == "\\Driver\\filter device#2");
    machine.device(7, 5, "");
    CHECK(last(machine).object == "\\Driver\\echo device#1");
    CHECK(machine.recorder.object_name(at(3)) == "\\Driver\\filter device#1");
}

TEST_CASE("a name in UTF-16 becomes UTF-8") {
    Machine machine;
    char16_t text[] = u"\\Device\\Fläche";
    UNICODE_STRING name{sizeof text - 2, sizeof text, reinterpret_cast<PWSTR>(text)};
    machine({.kind = EventKind::object_named, .object = at(2), .value = 0x200, .name = &name});
    CHECK(last(machine).object == "\\Device\\Fl\xC3\xA4"
                                  "che");
}

TEST_CASE("an object in a device's extension is named by its place there") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo");
    const auto* inside = static_cast<const char*>(at(2)) + 0x158;
    machine({.kind = EventKind::wait_begin, .object = inside, .code = 1});
    CHECK(last(machine).object == "\\Device\\Echo+0x158");
    machine({.kind = EventKind::wait_begin, .object = static_cast<const char*>(at(2)) + 0x200, .code = 1}); // behind it
    CHECK(last(machine).object == "event#1");
}

TEST_CASE("a new object ends those whose memory it takes") {
    Machine machine;
    machine.driver(5, "\\Driver\\echo").device(2, 5, "\\Device\\Echo").device(3, 5, "\\Device\\Other");
    machine({.kind = EventKind::object_named,
             .object = static_cast<const char*>(at(2)) - 16,
             .value = 0x1100,
             .text = "\\Device\\Big"});
    machine({.kind = EventKind::wait_begin, .object = at(2), .code = 1});
    CHECK(last(machine).object == "\\Device\\Big+0x10");
    CHECK(machine.recorder.object_name(at(3)).empty());
    machine({.kind = EventKind::object_deleted, .object = static_cast<const char*>(at(2)) - 16});
    CHECK(last(machine).object == "\\Device\\Big");
    machine({.kind = EventKind::wait_begin, .object = at(2), .code = 1});
    CHECK(last(machine).object == "event#1");
}

// Where a local variable lies depends on how the kernel was compiled.
TEST_CASE("an object on a stack has no number") {
    Machine machine;
    machine.on_stack()({.kind = EventKind::wait_begin, .object = at(40), .code = 1});
    CHECK(last(machine).object == "event");
    machine({.kind = EventKind::wait_begin, .object = at(41), .major = 5, .code = 1});
    CHECK(last(machine).object == "semaphore#1");
}

TEST_CASE("a full recorder drops its oldest events") {
    Recorder recorder(3);
    for (std::uint64_t i = 0; i < 5; ++i) recorder.record({.kind = EventKind::debug_print, .value = i}, {});
    REQUIRE(recorder.records().size() == 3);
    CHECK(recorder.records().front().value == 2);
    CHECK(recorder.dropped() == 2);
    recorder.clear();
    CHECK(recorder.records().empty());
    CHECK(recorder.dropped() == 0);
}
