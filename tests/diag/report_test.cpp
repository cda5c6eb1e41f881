// The bug-check report.
#include "catch.hpp"

#include "diag/blame.hpp"
#include "diag/report.hpp"
#include "ke/nt_address.hpp"
#include "ke/stop.hpp"
#include "ke_machine.hpp"

#include <random>

using namespace support;

namespace {

struct Request {
    PIRP irp;
    PDEVICE_OBJECT device;
};

// Stands for an export: outside of the driver's code.
[[gnu::noinline]] void complete_request(const Request& request) {
    ke::bug_check(MULTIPLE_IRP_COMPLETE_REQUESTS, number(request.irp), 0, 0, 0,
                  {.rule = "an IRP was completed that has been completed already",
                   .document = "IofCompleteRequest function (wdm.h)",
                   .irp = request.irp,
                   .device = request.device});
}

} // namespace

DRIVER_CODE void NTAPI EchoCompletion(void* context) {
    complete_request(*static_cast<const Request*>(context));
    asm volatile("" ::: "memory");
}

DRIVER_CODE void NTAPI EchoDispatch(void* context) {
    EchoCompletion(context);
    asm volatile("" ::: "memory");
}

DRIVER_CODE void NTAPI CrashOnPurpose(void*) {
    KeBugCheckEx(0xE2000001, 1, 2, reinterpret_cast<ULONG_PTR>(&EchoDispatch), 4);
    asm volatile("" ::: "memory");
}

// With addresses of the kernel: an export's and another routine's.
DRIVER_CODE void NTAPI CrashWithAddresses(void*) {
    KeBugCheckEx(0xE2000001, reinterpret_cast<ULONG_PTR>(&KeSetEvent), number(&complete_request), 0x1234,
                 reinterpret_cast<ULONG_PTR>(&EchoDispatch));
    asm volatile("" ::: "memory");
}

// A second driver: its code lies apart.
#define FILTER_CODE __attribute__((section("filter_code"), noinline, used))
extern "C" const char __start_filter_code[];
extern "C" const char __stop_filter_code[];

FILTER_CODE void NTAPI FilterCompletion(void*) { asm volatile("" ::: "memory"); }

namespace {

struct World {
    KeMachine machine;
    Names names;
    PDRIVER_OBJECT echo = machine.driver(u"\\Driver\\echo");
    PDRIVER_OBJECT filter = machine.driver(u"\\Driver\\filter");
    PDEVICE_OBJECT echo_device = machine.device(echo);
    PDEVICE_OBJECT filter_devices[2] = {machine.device(filter), machine.device(filter)};
    PIRP irp = machine.irp(3);
    Request request{irp, echo_device};

    World() {
        names.functions = {{number(&EchoCompletion), "EchoCompletion"},
                           {number(&EchoDispatch), "EchoDispatch"},
                           {number(&CrashOnPurpose), "CrashOnPurpose"}};
        names.exports = {{number(&complete_request), "IofCompleteRequest"}, {number(&KeBugCheckEx), "KeBugCheckEx"}};
        names.devices = {{number(echo_device), "\\Device\\Echo"}};
        echo->DriverInit = reinterpret_cast<PDRIVER_INITIALIZE>(number(&EchoDispatch));
        filter->DriverInit = reinterpret_cast<PDRIVER_INITIALIZE>(number(&FilterCompletion));
        (void)ke::add_code_range(*machine, {number(__start_filter_code), number(__stop_filter_code), "filter.so"});
        KeMachine::send(irp, filter_devices[1], IRP_MJ_DEVICE_CONTROL, 0x222000,
                        SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL);
        KeMachine::send(irp, echo_device, IRP_MJ_DEVICE_CONTROL, 0x222000, SL_PENDING_RETURNED);
    }

    std::string report() {
        return without_addresses(diag::bug_check_report(*machine, names), {{irp, "irp"}, {echo_device, "echo"}});
    }

    void complete_twice() {
        machine.thread("worker", EchoDispatch, &request);
        machine.run();
        REQUIRE(machine->stop.kind == ke::StopKind::bug_check);
    }
};

// The stop of another rule than the one that was broken, on the same stack: that of echo.
ke::Stop& stop_of_rule(World& world, std::uint32_t code, std::uint64_t parameter1, std::uint64_t parameter2) {
    world.complete_twice();
    ke::Stop& stop = world.machine->stop;
    stop.code = code;
    stop.parameters[0] = parameter1;
    stop.parameters[1] = parameter2;
    stop.device = nullptr;
    return stop;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

} // namespace

TEST_CASE("an IRP completed twice") {
    World world;
    world.complete_twice();
    CHECK(world.report() == R"(*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS (<irp>, 0x0, 0x0, 0x0)

An IRP was completed that has been completed already.

Document   IofCompleteRequest function (wdm.h)
Driver     \Driver\echo (echo.so)
Where      echo.so+0x100 EchoCompletion (echo.c:1)
Device     \Device\Echo
Processor  0, at PASSIVE_LEVEL
Thread     12 "worker" of process 4 "System"
Time       0.000 us

IRP <irp>, at location 2 of 3: STATUS_SUCCESS, information 0x0
     3  IRP_MJ_DEVICE_CONTROL 0x222000 at \Driver\filter device#2, success error cancel
  >  2  IRP_MJ_DEVICE_CONTROL 0x222000 at \Device\Echo of \Driver\echo, pending
     1  (not in use)

Parameters
  1  <irp>    the IRP
  2  0x0
  3  0x0
  4  0x0

Stack of the drivers' code, innermost first
  nt!IofCompleteRequest
  echo.so+0x100 EchoCompletion (echo.c:1)
  echo.so+0x200 EchoDispatch (echo.c:2)
)");
}

TEST_CASE("a driver that stops the system itself") {
    World world;
    world.machine.thread("worker", CrashOnPurpose);
    world.machine.run();
    const std::string text = world.report();
    INFO(text);
    CHECK(contains(first_line(text), "*** STOP: 0xE2000001 (0x1, 0x2, 0x"));
    CHECK(contains(text, "\nA driver stopped the system.\n"));
    CHECK(contains(text, "echo.so+0x200 EchoDispatch (echo.c:2)\n")); // the parameter
    CHECK(contains(text, "  nt!KeBugCheckEx\n  echo.so+0x300 CrashOnPurpose (echo.c:3)\n"));
    CHECK_FALSE(contains(text, "IRP"));
}

TEST_CASE("addresses of the kernel are told as those of an image at a fixed place") {
    World world;
    const void* const exports[] = {nullptr, reinterpret_cast<const void*>(&KeBugCheckEx),
                                   reinterpret_cast<const void*>(&KeSetEvent)};
    world.machine->exports = exports;
    world.names.exports.emplace_back(number(&KeSetEvent), "KeSetEvent");
    world.machine.thread("worker", CrashWithAddresses);
    world.machine.run();
    const auto& parameters = world.machine->stop.parameters;
    CHECK(parameters[0] == ke::nt_base + 3 * ke::nt_export_size);
    CHECK(parameters[1] == ke::nt_base + 2 * ke::nt_export_size); // no export's: the one that the driver has called
    CHECK(parameters[2] == 0x1234);
    CHECK(parameters[3] == number(&EchoDispatch));
    const std::string text = world.report();
    INFO(text);
    CHECK(contains(text, "\n  2  0xFFFFF80000000020  nt!KeBugCheckEx\n"));
}

TEST_CASE("other addresses of the kernel are where it begins, when nothing tells how it was entered") {
    World world;
    world.machine.thread("worker", CrashWithAddresses);
    world.machine.run();
    CHECK(world.machine->stop.parameters[0] == ke::nt_base);
    CHECK(contains(world.report(), "\n  2  0xFFFFF80000000000  nt\n"));
    const auto behind = ke::behind_reported_address(*world.machine, ke::nt_base);
    REQUIRE(behind);
    CHECK(*behind == nullptr);
    for (const std::uint64_t none : {std::uint64_t{0}, ke::nt_base - 1, ke::nt_base + 1, ke::nt_base + 16})
        CHECK_FALSE(ke::behind_reported_address(*world.machine, none));
}

TEST_CASE("parameters are hexadecimal, as short as they are") {
    World world;
    world.complete_twice();
    const std::uint64_t parameters[] = {1, 2, 3, 4};
    std::copy(std::begin(parameters), std::end(parameters), world.machine->stop.parameters);
    CHECK(first_line(world.report()) == "*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS (0x1, 0x2, 0x3, 0x4)");
    world.machine->stop.parameters[3] = 0xFFFFFFFFC0000005;
    CHECK(contains(first_line(world.report()), "(0x1, 0x2, 0x3, 0xFFFFFFFFC0000005)"));
}

TEST_CASE("a routine that returned wrongly is named by its parameter") {
    World world;
    world.complete_twice();
    ke::Stop& stop = world.machine->stop;
    stop.code = DRIVER_VERIFIER_IOMANAGER_VIOLATION;
    stop.parameters[0] = 0x23D;
    stop.parameters[1] = number(&EchoDispatch);
    stop.rule = "a dispatch routine returned STATUS_PENDING without having marked the IRP pending";
    CHECK(contains(world.report(), "Routine    echo.so+0x200 EchoDispatch (echo.c:2)\n"));
}

TEST_CASE("a dispatch routine that returned at another IRQL is found by its device") {
    World world;
    world.complete_twice();
    ke::Stop& stop = world.machine->stop;
    stop.code = DRIVER_VERIFIER_IOMANAGER_VIOLATION;
    stop.parameters[0] = 5;
    stop.parameters[1] = number(world.echo_device);
    world.echo->MajorFunction[IRP_MJ_DEVICE_CONTROL] = reinterpret_cast<PDRIVER_DISPATCH>(number(&EchoDispatch));
    CHECK(contains(world.report(), "Routine    echo.so+0x200 EchoDispatch (echo.c:2)\n"));
    world.irp->Type = 0; // freed meanwhile: the stack is all there is
    CHECK(contains(world.report(), "Where      echo.so+0x100 EchoCompletion (echo.c:1)\n"));
}

TEST_CASE("of two drivers, the one whose routine broke the rule is to blame, whoever is on the stack") {
    World world;
    SECTION("a completion routine that did not mark the IRP pending") {
        stop_of_rule(world, DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x228, number(&FilterCompletion));
    }
    SECTION("a routine that kept a spin lock") {
        stop_of_rule(world, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00040009, number(&FilterCompletion));
    }
    SECTION("a routine that left a region open") {
        stop_of_rule(world, DRIVER_VERIFIER_DETECTED_VIOLATION, 0xFB, number(&FilterCompletion));
    }
    const std::string text = world.report();
    INFO(text);
    CHECK(contains(text, "\nDriver     \\Driver\\filter (filter.so)\n"));
    CHECK(contains(text, "\nRoutine    filter.so+0x"));
    CHECK(contains(text, "\nDevice     \\Driver\\filter device#2\n"));
    CHECK(diag::blamed_driver(*world.machine, world.names) == "filter.so");
}

TEST_CASE("an address among the parameters that is no routine at fault accuses nobody") {
    World world;
    SECTION("a fast mutex among the filter's variables, which echo released") {
        stop_of_rule(world, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1007, number(&FilterCompletion));
    }
    SECTION("the filter's cancel routine, in an IRP that echo sent on") {
        stop_of_rule(world, DRIVER_VERIFIER_IOMANAGER_VIOLATION, 0x203, number(&FilterCompletion));
    }
    CHECK(contains(world.report(), "\nWhere      echo.so+0x100 EchoCompletion (echo.c:1)\n"));
    CHECK(diag::blamed_driver(*world.machine, world.names) == "echo.so");
}

TEST_CASE("a driver that nothing but its device or its name tells") {
    World world;
    SECTION("a dispatch routine that returned at another IRQL, its IRP gone meanwhile") {
        ke::Stop& stop = stop_of_rule(world, DRIVER_VERIFIER_IOMANAGER_VIOLATION, 5, number(world.filter_devices[1]));
        stop.device = world.filter_devices[1];
        world.irp->Type = 0;
    }
    SECTION("pool left behind") {
        ke::Stop& stop = stop_of_rule(world, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x62, 0);
        std::strcpy(stop.text, "filter.so");
    }
    SECTION("no code of a driver anywhere") {
        ke::Stop& stop = stop_of_rule(world, MANUALLY_INITIATED_CRASH, 0, 0);
        stop.frame_count = 0;
        stop.device = world.filter_devices[1];
    }
    const std::string text = world.report();
    INFO(text);
    CHECK(contains(text, "filter.so"));
    CHECK_FALSE(contains(text, "\nWhere"));
    CHECK(diag::blamed_driver(*world.machine, world.names) == "filter.so");
}

TEST_CASE("a DPC that waits is blamed, not the thread that it interrupted") {
    World world;
    world.complete_twice();
    auto* dpc = world.machine->allocate<KDPC>();
    dpc->DeferredRoutine = reinterpret_cast<PKDEFERRED_ROUTINE>(number(&EchoDispatch));
    world.machine->stop.code = ATTEMPTED_SWITCH_FROM_DPC;
    world.machine->stop.parameters[1] = number(dpc);
    CHECK(contains(world.report(), "Routine    echo.so+0x200 EchoDispatch (echo.c:2)\n"));
    world.machine->stop.parameters[1] = 0x1234;
    CHECK(contains(world.report(), "Where      echo.so+0x100 EchoCompletion (echo.c:1)\n"));
}

TEST_CASE("without driver code on the stack, a parameter names the driver") {
    World world;
    world.complete_twice();
    world.machine->stop.code = DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS;
    world.machine->stop.frame_count = 0;
    world.machine->stop.parameters[0] = number(&EchoDispatch);
    CHECK(contains(world.report(),
                   "Driver     \\Driver\\echo (echo.so)\nRoutine    echo.so+0x200 EchoDispatch (echo.c:2)\n"));
    CHECK_FALSE(contains(world.report(), "Stack"));
}

TEST_CASE("without a rule of its own, a stop tells its code's") {
    World world;
    world.complete_twice();
    ke::Stop& stop = world.machine->stop;
    stop.rule = nullptr;
    stop.document = nullptr;
    stop.code = DRIVER_IRQL_NOT_LESS_OR_EQUAL;
    const std::string text = world.report();
    CHECK(contains(text, "\nA driver must not touch pageable or invalid memory at DISPATCH_LEVEL or above.\n"));
    CHECK(contains(text, "\nDocument   Bug Check 0xD1: DRIVER_IRQL_NOT_LESS_OR_EQUAL\n"));
}

TEST_CASE("an IRP whose memory holds something else") {
    World world;
    world.complete_twice();
    world.irp->Type = 0;
    CHECK(contains(world.report(), "\nIRP <irp>: its memory holds no IRP any more\n"));
    world.machine->stop.irp = reinterpret_cast<PIRP>(0x10);
    CHECK(contains(world.report(), "\nIRP 0x10: its memory holds no IRP any more\n"));
}

TEST_CASE("pointers that lead nowhere") {
    World world;
    world.complete_twice();
    auto* wild = reinterpret_cast<std::byte*>(0x6666'6666'6666'6660);
    SECTION("a device") { world.machine->stop.device = reinterpret_cast<PDEVICE_OBJECT>(wild); }
    SECTION("a device's driver") { world.echo_device->DriverObject = reinterpret_cast<PDRIVER_OBJECT>(wild); }
    SECTION("a driver's name") {
        world.filter->DriverName.Buffer = reinterpret_cast<PWSTR>(wild);
        world.filter->DriverName.Length = 0xFFFE;
    }
    SECTION("devices in a circle") { world.filter_devices[0]->NextDevice = world.filter_devices[1]; }
    SECTION("a thread") { world.machine->stop.thread = reinterpret_cast<ke::Thread*>(wild); }
    SECTION("the threads' list") { world.machine->system_process->threads.Flink = reinterpret_cast<PLIST_ENTRY>(wild); }
    SECTION("the processes' list") { world.machine->processes.Flink = reinterpret_cast<PLIST_ENTRY>(wild); }
    SECTION("a processor") { world.machine->processors[0] = reinterpret_cast<ke::Processor*>(wild); }
    SECTION("counts") {
        world.machine->processor_count = 0xFFFFFFFF;
        world.machine->image_count = 0xFFFFFFFF;
        world.machine->stop.frame_count = 0xFFFFFFFF;
        world.irp->StackCount = 127;
        world.irp->CurrentLocation = -100;
    }
    SECTION("texts") {
        world.machine->stop.rule = reinterpret_cast<const char*>(wild);
        world.machine->stop.document = "control \x01\n and a very long tail";
        world.machine->images[0].name = reinterpret_cast<const char*>(wild);
        std::memset(world.machine->stop.text, 'x', sizeof world.machine->stop.text);
    }
    const std::string text = world.report();
    CHECK(contains(first_line(text), "*** STOP: 0x00000044 MULTIPLE_IRP_COMPLETE_REQUESTS ("));
    CHECK(text.size() < 20'000);
}

// Whatever a driver has written into the machine: a report comes out, of bounded length.
TEST_CASE("scribbled memory") {
    for (unsigned seed = 0; seed < 150; ++seed) {
        World world;
        world.complete_twice();
        std::mt19937_64 random(seed);
        struct Area {
            void* base;
            std::size_t size;
        };
        const Area areas[] = {{world.irp, sizeof(IRP) + 3 * sizeof(IO_STACK_LOCATION)},
                              {world.echo_device, sizeof(DEVICE_OBJECT)},
                              {world.filter, sizeof(DRIVER_OBJECT)},
                              {world.machine->stop.thread, sizeof(ke::Thread)},
                              {world.machine->processors[0], sizeof(ke::Processor)},
                              {world.machine->system_process, sizeof(ke::Process)},
                              {&*world.machine, sizeof(ke::Machine)}};
        ke::Machine& machine = *world.machine;
        for (const Area& area : areas) {
            for (unsigned i = 0; i < 1 + seed / 10; ++i) {
                const std::uint64_t near = number(&machine) + (random() % 0x100000 & ~std::uint64_t{7});
                const std::uint64_t word = random() % 2 == 0 ? near : random();
                std::memcpy(static_cast<std::byte*>(area.base) + random() % (area.size - 8), &word, sizeof word);
            }
        }
        CHECK(diag::bug_check_report(machine, world.names).size() < 100'000);
        CHECK(diag::stall_report(machine, world.names).size() < 1'000'000);
    }
}
