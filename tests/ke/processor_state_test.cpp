// Floating point, groups of processors, routines that run on all of them.
#include "machines.hpp"

#include <cstring>

#include <array>

using namespace ke_test;

extern "C" {
VOID NTAPI KeGenericCallDpc(PKDEFERRED_ROUTINE, PVOID);
VOID NTAPI KeSignalCallDpcDone(PVOID);
LOGICAL NTAPI KeSignalCallDpcSynchronize(PVOID);
}

namespace {

ke::Stop run_alone(const std::function<void()>& body) {
    KernelFixture kernel;
    return kernel.run(body);
}

std::uint32_t mxcsr() {
    std::uint32_t value;
    asm volatile("stmxcsr %0" : "=m"(value));
    return value;
}
void set_mxcsr(std::uint32_t value) { asm volatile("ldmxcsr %0" : : "m"(value)); }
std::uint16_t x87_control() {
    std::uint16_t value;
    asm volatile("fnstcw %0" : "=m"(value));
    return value;
}

} // namespace

TEST_CASE("a saved floating-point state comes back, and the routine between has a fresh one", "[ke][float]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        const std::uint32_t before = mxcsr();
        const std::uint16_t control = x87_control();
        set_mxcsr(before | 0x6000); // round to zero
        KFLOATING_SAVE outer, inner;
        XSTATE_SAVE extended;
        CHECK(KeSaveFloatingPointState(&outer) == STATUS_SUCCESS);
        CHECK((mxcsr() & 0xFFC0) == 0x1F80);
        CHECK(x87_control() == 0x27F);
        set_mxcsr(0x1F80 | 0x2000);
        CHECK(KeSaveFloatingPointState(&inner) == STATUS_SUCCESS);
        CHECK(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &extended) == STATUS_SUCCESS);
        CHECK(extended.Level == PASSIVE_LEVEL);
        KeRestoreExtendedProcessorState(&extended);
        CHECK(KeRestoreFloatingPointState(&inner) == STATUS_SUCCESS);
        CHECK((mxcsr() & 0x6000) == 0x2000);
        CHECK(KeRestoreFloatingPointState(&outer) == STATUS_SUCCESS);
        CHECK((mxcsr() & 0x6000) == 0x6000);
        CHECK(x87_control() == control);
        set_mxcsr(before);
        KFLOATING_SAVE many[20];
        int saved = 0;
        while (saved < 20 && NT_SUCCESS(KeSaveFloatingPointState(&many[saved]))) ++saved;
        CHECK(saved > 3);
        CHECK(KeSaveFloatingPointState(&many[19]) == STATUS_INSUFFICIENT_RESOURCES);
        while (saved-- > 0) KeRestoreFloatingPointState(&many[saved]);
    }));
}

TEST_CASE("the rules of saved floating-point states are checked", "[ke][float]") {
    static KFLOATING_SAVE first, second;
    static XSTATE_SAVE extended;
    SECTION("restored without a save") {
        check_bug_check(run_alone([] { KeRestoreFloatingPointState(&first); }), INVALID_FLOATING_POINT_STATE);
    }
    SECTION("restored out of order") {
        check_bug_check(run_alone([] {
                            (void)KeSaveFloatingPointState(&first);
                            (void)KeSaveFloatingPointState(&second);
                            KeRestoreFloatingPointState(&first);
                        }),
                        INVALID_FLOATING_POINT_STATE);
    }
    SECTION("restored at another IRQL") {
        const ke::Stop stop = run_alone([] {
            (void)KeSaveFloatingPointState(&first);
            KeRaiseIrqlToDpcLevel();
            KeRestoreFloatingPointState(&first);
        });
        check_bug_check(stop, INVALID_FLOATING_POINT_STATE, 1);
        CHECK(stop.parameters[1] == PASSIVE_LEVEL);
        CHECK(stop.parameters[2] == DISPATCH_LEVEL);
    }
    SECTION("nested below") {
        check_bug_check(run_alone([] {
                            KeRaiseIrqlToDpcLevel();
                            (void)KeSaveFloatingPointState(&first);
                            KeLowerIrql(PASSIVE_LEVEL);
                            (void)KeSaveFloatingPointState(&second);
                        }),
                        INVALID_FLOATING_POINT_STATE, 1);
    }
    SECTION("never restored by a thread") {
        check_bug_check(run_alone([] { (void)KeSaveFloatingPointState(&first); }), INVALID_FLOATING_POINT_STATE);
    }
    SECTION("never restored by a DPC") {
        static KDPC dpc;
        check_bug_check(run_alone([] {
                            KeInitializeDpc(
                                &dpc, [](PKDPC, PVOID, PVOID, PVOID) { (void)KeSaveFloatingPointState(&first); },
                                nullptr);
                            KeInsertQueueDpc(&dpc, nullptr, nullptr);
                        }),
                        INVALID_FLOATING_POINT_STATE);
    }
    SECTION("an extended state of another thread") {
        KernelFixture kernel;
        Bodies bodies;
        bodies.push_back([] {
            (void)KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &extended);
            sleep_us(1000);
        });
        bodies.push_back([] {
            sleep_us(10);
            (void)KeSaveFloatingPointState(&first);
            KeRestoreExtendedProcessorState(&extended);
        });
        check_bug_check(kernel.run(bodies), INVALID_FLOATING_POINT_STATE, 2);
    }
}

namespace {

using Vector = std::array<std::uint64_t, 4>;

// What the library's own code has no use for.
[[gnu::target("avx")]] void load_ymm15(const Vector& value) { asm volatile("vmovdqu %0, %%ymm15" : : "m"(value)); }
[[gnu::target("avx")]] Vector ymm15() {
    Vector value{};
    asm volatile("vmovdqu %%ymm15, %0" : "=m"(value));
    return value;
}
void load_xmm15(const Vector& value) { asm volatile("movdqu %0, %%xmm15" : : "m"(value)); }
Vector xmm15() {
    Vector value{};
    asm volatile("movdqu %%xmm15, %0" : "=m"(value));
    return value;
}

constexpr Vector drivers{1, 2, 3, 4}, others{5, 6, 7, 8};

} // namespace

TEST_CASE("the registers of the features that are asked for come back", "[ke][float]") {
    KernelFixture kernel;
    check_finished(kernel.run([] {
        const ULONG64 enabled = RtlGetEnabledExtendedFeatures(~ULONG64{0});
        CHECK((enabled & XSTATE_MASK_LEGACY) == XSTATE_MASK_LEGACY); // of every processor of the last fifteen years
        CHECK(RtlGetEnabledExtendedFeatures(XSTATE_MASK_LEGACY_SSE) == XSTATE_MASK_LEGACY_SSE);
        CHECK(RtlGetEnabledExtendedFeatures(0) == 0);
        XSTATE_SAVE outer, inner;
        load_xmm15(drivers);
        const Vector before = xmm15();
        REQUIRE(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &outer) == STATUS_SUCCESS);
        CHECK(outer.XStateContext.Mask == XSTATE_MASK_LEGACY);
        CHECK(outer.XStateContext.Area != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(outer.XStateContext.Area) % 64 == 0);
        CHECK(outer.XStateContext.Length >= 576);
        load_xmm15(others);
        const Vector changed = xmm15();
        CHECK(changed != before);
        // Another within it, of x87 alone: SSE's registers stay as they are then.
        REQUIRE(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY_FLOATING_POINT, &inner) == STATUS_SUCCESS);
        load_xmm15(drivers);
        KeRestoreExtendedProcessorState(&inner);
        const Vector kept = xmm15();
        load_xmm15(others);
        KeRestoreExtendedProcessorState(&outer);
        const Vector after = xmm15();
        CHECK(kept == before);
        CHECK(after == before);
        if ((enabled & XSTATE_MASK_GSSE) != 0) {
            load_ymm15(drivers);
            REQUIRE(KeSaveExtendedProcessorState(XSTATE_MASK_GSSE | XSTATE_MASK_LEGACY, &outer) == STATUS_SUCCESS);
            load_ymm15(others);
            KeRestoreExtendedProcessorState(&outer);
            const Vector wide = ymm15();
            CHECK(wide == drivers);
        }
        // No feature, or one that there is not: nothing to keep but the rules.
        REQUIRE(KeSaveExtendedProcessorState(ULONG64{1} << 62, &outer) == STATUS_SUCCESS);
        CHECK(outer.XStateContext.Area == nullptr);
        KeRestoreExtendedProcessorState(&outer);
        XSTATE_SAVE many[20];
        int saved = 0;
        while (saved < 20 && NT_SUCCESS(KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, &many[saved]))) ++saved;
        CHECK(saved > 3);
        CHECK(saved < 20);
        while (saved-- > 0) KeRestoreExtendedProcessorState(&many[saved]);
    }));
}

TEST_CASE("there is one group of processors, and one node", "[ke][group]") {
    KernelFixture kernel({}, shape(5));
    check_finished(kernel.run([] {
        CHECK(KeQueryActiveGroupCount() == 1);
        CHECK(KeQueryMaximumGroupCount() == 1);
        CHECK(KeQueryActiveProcessorCountEx(0) == 5);
        CHECK(KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS) == 5);
        CHECK(KeQueryActiveProcessorCountEx(1) == 0);
        CHECK(KeQueryMaximumProcessorCountEx(ALL_PROCESSOR_GROUPS) == 5);
        CHECK(KeQueryMaximumProcessorCountEx(7) == 0);
        CHECK(KeQueryGroupAffinity(0) == 0x1F);
        CHECK(KeQueryGroupAffinity(1) == 0);
        PROCESSOR_NUMBER number{9, 9, 9};
        for (ULONG i = 0; i < 5; ++i) {
            CHECK(KeGetProcessorNumberFromIndex(i, &number) == STATUS_SUCCESS);
            CHECK(number.Group == 0);
            CHECK(number.Number == i);
            CHECK(KeGetProcessorIndexFromNumber(&number) == i);
        }
        CHECK(KeGetProcessorNumberFromIndex(5, &number) == STATUS_INVALID_PARAMETER);
        number = {0, 5, 0};
        CHECK(KeGetProcessorIndexFromNumber(&number) == INVALID_PROCESSOR_INDEX);
        number = {1, 0, 0};
        CHECK(KeGetProcessorIndexFromNumber(&number) == INVALID_PROCESSOR_INDEX);
        KDPC dpc;
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID, PVOID, PVOID) {}, nullptr);
        CHECK(KeSetTargetProcessorDpcEx(&dpc, &number) == STATUS_INVALID_PARAMETER);
        number = {0, 4, 0};
        CHECK(KeSetTargetProcessorDpcEx(&dpc, &number) == STATUS_SUCCESS);
        CHECK(KeQueryHighestNodeNumber() == 0);
        CHECK(KeGetCurrentNodeNumber() == 0);
        GROUP_AFFINITY affinity{};
        USHORT count = 0;
        KeQueryNodeActiveAffinity(0, &affinity, &count);
        CHECK(affinity.Mask == 0x1F);
        CHECK(count == 5);
        KeQueryNodeActiveAffinity(1, &affinity, &count);
        CHECK(affinity.Mask == 0);
        CHECK(count == 0);
        CHECK(KeQueryNodeMaximumProcessorCount(0) == 5);
        CHECK(KeQueryNodeMaximumProcessorCount(1) == 0);
    }));
}

TEST_CASE("a broadcast runs on every processor at once, at IPI_LEVEL", "[ke][broadcast]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        static unsigned in, together, total;
        static std::uint64_t seen;
        static unsigned processors;
        in = together = total = 0;
        seen = 0;
        processors = options.processors;
        Bodies bodies;
        for (unsigned who = 0; who < 2; ++who) {
            bodies.push_back([] {
                work(100);
                const ULONG_PTR result = KeIpiGenericCall(
                    [](ULONG_PTR context) -> ULONG_PTR {
                        ++total;
                        if (KeGetCurrentIrql() != IPI_LEVEL) return 0;
                        seen |= 1ULL << ke::current_processor()->number;
                        ++in;
                        while (in % processors != 0) work(1); // meets all the others
                        ++together;
                        return context + 1;
                    },
                    41);
                CHECK(result == 42);
                CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
            });
        }
        bodies.push_back([] {
            KIRQL old;
            KeRaiseIrql(DISPATCH_LEVEL, &old);
            work(300);
            KeLowerIrql(old);
        });
        check_finished(kernel.run(bodies));
        CHECK(total == 2 * options.processors);
        CHECK(together == total);
        CHECK(seen == (options.processors == 64 ? ~0ULL : (1ULL << options.processors) - 1));
    });
}

TEST_CASE("KeGenericCallDpc runs a DPC on every processor, and waits for all", "[ke][broadcast]") {
    on_many_machines([](const ke::MachineOptions& options) {
        KernelFixture kernel({}, options);
        static unsigned first, second, last;
        static bool too_early;
        first = second = last = 0;
        too_early = false;
        static unsigned processors;
        processors = options.processors;
        check_finished(kernel.run([] {
            KeGenericCallDpc(
                [](PKDPC, PVOID, PVOID argument1, PVOID argument2) {
                    ++first;
                    if (KeSignalCallDpcSynchronize(argument2)) ++last;
                    if (first != processors) too_early = true;
                    ++second;
                    if (KeSignalCallDpcSynchronize(argument2)) ++last;
                    KeSignalCallDpcDone(argument1);
                },
                nullptr);
            CHECK(first == processors);
            CHECK(second == processors);
            CHECK(last == 2); // one at each meeting
            CHECK_FALSE(too_early);
        }));
    });
}
