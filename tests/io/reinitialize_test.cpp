// Reinitialize routines of drivers that are loaded at boot and after it: when, in which order, and with which count.
#include "closure_driver.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

std::vector<std::string> calls;
bool in_system_at_passive = true;
constexpr char a[] = "a", b[] = "b", c[] = "c";

void note_call(const std::string& what, PVOID context, ULONG count) {
    calls.push_back(what + " " + static_cast<const char*>(context) + " " + std::to_string(count));
    in_system_at_passive &= KeGetCurrentIrql() == PASSIVE_LEVEL && PsGetCurrentProcess() == PsInitialSystemProcess;
}

VOID NTAPI later(PDRIVER_OBJECT, PVOID context, ULONG count) { note_call("driver", context, count); }

VOID NTAPI at_boot(PDRIVER_OBJECT driver, PVOID context, ULONG count) {
    note_call("boot", context, count);
    if (context == a && count < 3) IoRegisterBootDriverReinitialization(driver, at_boot, context);
}

template <const char* name> NTSTATUS NTAPI entry(PDRIVER_OBJECT driver, PUNICODE_STRING) {
    calls.push_back(std::string("entry ") + name);
    driver->DriverUnload = [](PDRIVER_OBJECT) {};
    IoRegisterDriverReinitialization(driver, later, const_cast<char*>(name));
    IoRegisterBootDriverReinitialization(driver, at_boot, const_cast<char*>(name));
    return name == b ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

template <const char* name> DriverSource source() { return {name, reinterpret_cast<void*>(entry<name>)}; }

using Calls = std::vector<std::string>;

} // namespace

TEST_CASE("boot drivers' routines wait for the last DriverEntry: those for the boot first, each queue in its order") {
    calls.clear();
    in_system_at_passive = true;
    Machine machine;
    const auto results = machine.load_boot_drivers({source<a>(), source<b>(), source<c>()});
    REQUIRE(results.size() == 3);
    CHECK(results[0].value().name() == "a");
    CHECK(results[1].error().status == STATUS_UNSUCCESSFUL);
    CHECK(results[2].value().name() == "c");
    CHECK(calls == Calls{"entry a", "entry b", "entry c", "boot a 1", "boot c 1", "boot a 2", "boot a 3", "driver a 4",
                         "driver c 2"});
    CHECK(in_system_at_passive);
    CHECK(machine.unload(results[0].value()).value() == Unload::unloaded);
}

TEST_CASE("a driver that is loaded after the boot has its routine called at once, and never one for the boot") {
    calls.clear();
    Machine machine;
    for (const Result<Driver>& none : machine.load_boot_drivers({})) CHECK(!none);
    const Driver first = machine.load("a", reinterpret_cast<void*>(entry<a>)).value();
    CHECK(calls == Calls{"entry a", "driver a 1"});
    CHECK(!machine.load("b", reinterpret_cast<void*>(entry<b>)));
    machine.load("c", reinterpret_cast<void*>(entry<c>)).value();
    CHECK(calls == Calls{"entry a", "driver a 1", "entry b", "entry c", "driver c 1"});
    CHECK(machine.unload(first).value() == Unload::unloaded);
    CHECK_THROWS_AS(machine.load_boot_drivers({source<a>()}), std::logic_error);
}

TEST_CASE("a boot driver whose routine stops the machine leaves no driver that counts as loaded") {
    Machine machine;
    const PDRIVER_INITIALIZE stopping = [](PDRIVER_OBJECT driver, PUNICODE_STRING) -> NTSTATUS {
        const PDRIVER_REINITIALIZE stop = [](PDRIVER_OBJECT, PVOID, ULONG) {
            KeBugCheckEx(MANUALLY_INITIATED_CRASH, 0, 0, 0, 0);
        };
        IoRegisterBootDriverReinitialization(driver, stop, nullptr);
        return STATUS_SUCCESS;
    };
    const auto results = machine.load_boot_drivers({{"stopping", reinterpret_cast<void*>(stopping)}});
    REQUIRE(results.size() == 1);
    CHECK(results[0].error().code == ErrorCode::stopped);
    CHECK(machine.outcome().is_bug_check(MANUALLY_INITIATED_CRASH));
}
