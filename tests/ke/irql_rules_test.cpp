// The rule that an export called at a wrong IRQL has broken.
#include "machines.hpp"

#include "ke/exports/ex.hpp"
#include "ke/exports/io.hpp"
#include "ke/exports/ke.hpp"
#include "ke/exports/mm.hpp"
#include "ke/exports/ob.hpp"
#include "ke/exports/ps.hpp"
#include "ke/irql_rules.hpp"

using namespace ke_test;

TEST_CASE("each export breaks the rule that names it, or that of its kind", "[ke][irql]") {
    namespace rules = ke::rules;
    const struct {
        const ke::ExportRule& rule;
        std::uint32_t code;
        std::uint32_t subcode;
    } cases[] = {
        {rules::IoStartNextPacket, 0xC4, 0x00020003}, // only at DISPATCH_LEVEL
        {rules::KeInsertDeviceQueue, 0xC4, 0x00020003},
        {rules::KeSetTimer, 0xC4, 0x00020011}, // up to DISPATCH_LEVEL
        {rules::KeInitializeSemaphore, 0xC4, 0x00020011},
        {rules::IoAllocateIrp, 0xC4, 0x00020011},
        {rules::IoDeleteDevice, 0xC4, 0x00020009},
        {rules::IoCreateDevice, 0xC4, 0x0002000A},
        {rules::IoDetachDevice, 0xC4, 0x0002000C},
        {rules::IoDeleteSymbolicLink, 0xC4, 0x0002000D},
        {rules::IoInitializeTimer, 0xC4, 0x0002000E},
        {rules::KeEnterCriticalRegion, 0xC4, 0x00020010},
        {rules::ExAcquireFastMutex, 0xC4, 0x00020005},
        {rules::ProbeForRead, 0xC4, 0x00020006},
        {rules::ExRaiseAccessViolation, 0xC4, 0x00020008},
        {rules::MmPageEntireDriver, 0xC4, 0x00020019},
        {rules::ObReferenceObjectByHandle, 0xC4, 0x0002001B},
        {rules::PsCreateSystemThread, 0xC4, 0x0002001C},
        {rules::ZwClose, 0xC4, 0x0002001F},
        {rules::ZwCreateFile, 0xC4, 0x00020023},
        {rules::IofCallDriver, 0xC9, 0x10},
        {rules::IofCompleteRequest, 0xC9, 0x0E},
        {rules::KeReleaseSpinLock, 0xC4, 0x32},
    };
    for (const auto& c : cases) {
        INFO(c.rule.name);
        const ke::IrqlRule broken = ke::broken_irql_rule(c.rule);
        CHECK(broken.code == c.code);
        CHECK(broken.subcode == c.subcode);
    }
}

TEST_CASE("above and below its bounds an export breaks the same rule, and the report tells which bound", "[ke][irql]") {
    KernelFixture kernel;
    SECTION("below") {
        KDEVICE_QUEUE queue{};
        const ke::Stop stop = kernel.run([&] { KeRemoveDeviceQueue(&queue); });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00020003);
        CHECK(stop.parameters[1] == PASSIVE_LEVEL);
        CHECK(stop.parameters[2] == DISPATCH_LEVEL);
    }
    SECTION("above") {
        const ke::Stop stop = kernel.run([] {
            KeRaiseIrqlToDpcLevel();
            KeEnterCriticalRegion();
        });
        check_bug_check(stop, DRIVER_VERIFIER_DETECTED_VIOLATION, 0x00020010);
        CHECK(stop.parameters[1] == DISPATCH_LEVEL);
        CHECK(stop.parameters[2] == APC_LEVEL);
    }
}
