// Run-time functions that need a machine: numbers of its own, its stacks, and threads that wait for each other.
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include <ntifs.h>

#include <array>
#include <set>
#include <vector>

using namespace dirql;
using test::KernelFixture;

namespace {

std::vector<ULONG> numbers(ULONG(NTAPI* random)(PULONG), ULONG seed, int count) {
    KernelFixture kernel;
    std::vector<ULONG> made;
    (void)kernel.run([&] {
        for (int i = 0; i < count; ++i) made.push_back(random(&seed));
    });
    return made;
}

} // namespace

TEST_CASE("random numbers are below MAXLONG, spread, and the same in every run", "[rtl]") {
    for (auto* const random : {RtlRandom, RtlRandomEx}) {
        const auto made = numbers(random, 12345, 4000);
        REQUIRE(made.size() == 4000);
        CHECK(made == numbers(random, 12345, 4000));
        CHECK(made != numbers(random, 54321, 4000));
        std::array<int, 8> of_eighth{};
        int rising = 0;
        for (std::size_t i = 0; i < made.size(); ++i) {
            REQUIRE(made[i] < 0x7FFFFFFF);
            ++of_eighth[made[i] >> 28];
            if (i != 0) rising += made[i] > made[i - 1];
        }
        for (const int count : of_eighth) CHECK((count > 400 && count < 600));
        CHECK((rising > 1800 && rising < 2200));
        CHECK(std::set<ULONG>(made.begin(), made.end()).size() > 3990);
    }
}

namespace {

using Trace = USHORT(ULONG skip, ULONG count, PVOID* frames, PULONG hash);

USHORT trace_here(ULONG skip, ULONG count, PVOID* frames, PULONG hash) {
    const USHORT found = RtlCaptureStackBackTrace(skip, count, frames, hash);
    asm volatile("" ::: "memory"); // no tail call
    return found;
}

// Called through these, a function is neither inlined nor copied for one caller, whatever the compiler likes to do.
Trace* volatile here = trace_here;

// The one place that calls trace_here.
USHORT trace_below(ULONG skip, ULONG count, PVOID* frames, PULONG hash) {
    const USHORT found = here(skip, count, frames, hash);
    asm volatile("" ::: "memory");
    return found;
}

Trace* volatile below = trace_below;

bool lies_in(PVOID address, Trace* function) {
    return reinterpret_cast<ULONG_PTR>(address) - reinterpret_cast<ULONG_PTR>(function) < 200;
}

} // namespace

TEST_CASE("a back trace tells the callers, innermost first", "[rtl]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        PVOID frames[8] = {}, again[8] = {}, skipped[8] = {};
        ULONG hash = 0, other = 0;
        const USHORT found = below(0, 8, frames, nullptr);
        REQUIRE(found >= 4);
        CHECK(below(0, 8, again, nullptr) == found);
        CHECK(lies_in(frames[0], trace_here));
        CHECK(lies_in(frames[1], trace_below));
        CHECK(frames[2] != again[2]); // two places in this test, and beyond it the same callers
        for (int i = 0; i < 2; ++i) CHECK(frames[i] == again[i]);
        for (int i = 3; i < found; ++i) CHECK(frames[i] == again[i]);
        CHECK(below(0, 2, again, &hash) == 2);
        CHECK(below(0, 2, again, &other) == 2);
        CHECK(hash == other);
        CHECK(hash != 0);
        CHECK(below(0, 1, skipped, &other) == 1);
        CHECK(other != hash);
        CHECK(below(1, 3, skipped, nullptr) == 3);
        CHECK(skipped[0] == frames[1]);
        CHECK(skipped[2] == frames[3]);
        CHECK(below(1000, 8, skipped, nullptr) == 0);
        CHECK(RtlWalkFrameChain(skipped, 2, 0) == 2); // from this test on
        CHECK(skipped[1] == frames[3]);
        CHECK(RtlWalkFrameChain(skipped, 1, 1 << 8) == 1);
        CHECK(skipped[0] == frames[3]);
        CHECK(RtlWalkFrameChain(skipped, 8, 1) == 0);
    });
}

namespace {

ULONG initializations;
ULONG succeed_at;

ULONG NTAPI initialize_slowly(PRTL_RUN_ONCE, PVOID parameter, PVOID* context) {
    LARGE_INTEGER delay;
    delay.QuadPart = -1000;
    CHECK(KeAreApcsDisabled());
    (void)KeDelayExecutionThread(KernelMode, FALSE, &delay);
    *context = parameter;
    return ++initializations >= succeed_at;
}

} // namespace

TEST_CASE("many threads initialize once, and all see the data", "[rtl]") {
    KernelFixture kernel;
    RTL_RUN_ONCE once = {&once};
    initializations = 0;
    succeed_at = 2;
    int failed = 0, seen = 0;
    alignas(8) static int data;
    (void)kernel.run([&] { RtlRunOnceInitialize(&once); });
    std::vector<std::function<void()>> bodies(5, [&] {
        PVOID context = nullptr;
        const NTSTATUS status = RtlRunOnceExecuteOnce(&once, initialize_slowly, &data, &context);
        if (status == STATUS_UNSUCCESSFUL) ++failed;
        if (status == STATUS_SUCCESS && context == &data) ++seen;
        CHECK_FALSE(KeAreApcsDisabled());
    });
    CHECK(kernel.run(bodies).kind == ke::StopKind::none);
    CHECK(initializations == 2); // the first failed, another thread tried again
    CHECK(failed == 1);
    CHECK(seen == 4);
}

TEST_CASE("one-time initialization in steps", "[rtl]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        RTL_RUN_ONCE once = RTL_RUN_ONCE_INIT;
        alignas(8) static int data;
        PVOID context = nullptr;
        CHECK(RtlRunOnceBeginInitialize(&once, RTL_RUN_ONCE_CHECK_ONLY, &context) == STATUS_UNSUCCESSFUL);
        CHECK(RtlRunOnceComplete(&once, 0, &data) == STATUS_UNSUCCESSFUL);
        CHECK(RtlRunOnceBeginInitialize(&once, 0, &context) == STATUS_PENDING);
        CHECK(RtlRunOnceBeginInitialize(&once, RTL_RUN_ONCE_ASYNC, &context) == STATUS_INVALID_PARAMETER_2);
        CHECK(RtlRunOnceComplete(&once, 0, reinterpret_cast<char*>(&data) + 1) == STATUS_INVALID_PARAMETER_3);
        CHECK(RtlRunOnceComplete(&once, RTL_RUN_ONCE_INIT_FAILED, &data) == STATUS_INVALID_PARAMETER_3);
        CHECK(RtlRunOnceComplete(&once, RTL_RUN_ONCE_ASYNC, &data) == STATUS_INVALID_PARAMETER_2);
        CHECK(RtlRunOnceComplete(&once, RTL_RUN_ONCE_INIT_FAILED, nullptr) == STATUS_SUCCESS);
        CHECK(RtlRunOnceBeginInitialize(&once, 0, nullptr) == STATUS_PENDING);
        CHECK(RtlRunOnceComplete(&once, 0, &data) == STATUS_SUCCESS);
        CHECK(RtlRunOnceComplete(&once, 0, &data) == STATUS_UNSUCCESSFUL);
        CHECK(RtlRunOnceBeginInitialize(&once, RTL_RUN_ONCE_CHECK_ONLY, &context) == STATUS_SUCCESS);
        CHECK(context == &data);
        CHECK(RtlRunOnceBeginInitialize(&once, 8, &context) == STATUS_INVALID_PARAMETER_2);

        RtlRunOnceInitialize(&once);
        for (int i = 0; i < 2; ++i)
            CHECK(RtlRunOnceBeginInitialize(&once, RTL_RUN_ONCE_ASYNC, &context) == STATUS_PENDING);
        CHECK(RtlRunOnceBeginInitialize(&once, 0, &context) == STATUS_INVALID_PARAMETER_2);
        CHECK(RtlRunOnceComplete(&once, RTL_RUN_ONCE_ASYNC, &data) == STATUS_SUCCESS);
        CHECK(RtlRunOnceComplete(&once, RTL_RUN_ONCE_ASYNC, nullptr) == STATUS_UNSUCCESSFUL); // another was first
    });
}

namespace {

struct TableMemory {
    alignas(16) char blocks[8][64];
    int used;
    bool raise; // the order routine returns at another IRQL
};

RTL_GENERIC_COMPARE_RESULTS NTAPI order(PRTL_AVL_TABLE table, PVOID first, PVOID second) {
    KIRQL old;
    if (static_cast<TableMemory*>(table->TableContext)->raise) KeRaiseIrql(HIGH_LEVEL, &old);
    const LONG left = *static_cast<LONG*>(first), right = *static_cast<LONG*>(second);
    return left < right ? GenericLessThan : left > right ? GenericGreaterThan : GenericEqual;
}

PVOID NTAPI allocate(PRTL_AVL_TABLE table, CLONG) {
    auto* const memory = static_cast<TableMemory*>(table->TableContext);
    return memory->used == 8 ? nullptr : memory->blocks[memory->used++];
}

VOID NTAPI release(PRTL_AVL_TABLE table, PVOID) { --static_cast<TableMemory*>(table->TableContext)->used; }

void fill(RTL_AVL_TABLE& table, TableMemory& memory) {
    RtlInitializeGenericTableAvl(&table, order, allocate, release, &memory);
    for (LONG key = 0; key < 8; ++key)
        CHECK(RtlInsertElementGenericTableAvl(&table, &key, sizeof(key), nullptr) != nullptr);
}

} // namespace

TEST_CASE("a table in resident memory is used at DISPATCH_LEVEL, and not above", "[rtl]") {
    KernelFixture kernel;
    RTL_AVL_TABLE table;
    TableMemory memory{};
    CHECK(kernel
              .run([&] {
                  KIRQL old;
                  KeRaiseIrql(DISPATCH_LEVEL, &old);
                  fill(table, memory);
                  LONG key = 3;
                  CHECK(RtlLookupElementGenericTableAvl(&table, &key) != nullptr);
                  CHECK(RtlDeleteElementGenericTableAvl(&table, &key) == TRUE);
                  CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
                  KeLowerIrql(old);
              })
              .kind == ke::StopKind::none);
    CHECK(memory.used == 7);
    const ke::Stop stop = kernel.run([&] {
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL + 1, &old);
        LONG key = 3;
        (void)RtlLookupElementGenericTableAvl(&table, &key);
    });
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
}

TEST_CASE("a table's routine that returns at another IRQL is found at its return", "[rtl]") {
    KernelFixture kernel;
    RTL_AVL_TABLE table;
    TableMemory memory{};
    const ke::Stop stop = kernel.run([&] {
        fill(table, memory);
        memory.raise = true;
        LONG key = 3;
        (void)RtlLookupElementGenericTableAvl(&table, &key);
    });
    CHECK(stop.kind == ke::StopKind::bug_check);
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == 0x0002001D);
    CHECK(stop.parameters[2] == PASSIVE_LEVEL);
    CHECK(stop.parameters[3] == HIGH_LEVEL);
}

TEST_CASE("run-time functions that go round in a driver's cycle of links end with a stop", "[rtl]") {
    ke::MachineOptions options;
    options.cpu_budget = 100'000'000;
    const bool raised = GENERATE(false, true);
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        RTL_SPLAY_LINKS links[3];
        for (RTL_SPLAY_LINKS& one : links) RtlInitializeSplayLinks(&one);
        links[0].RightChild = &links[1];
        links[1].LeftChild = &links[2];
        links[2].LeftChild = &links[1];
        if (raised) KeRaiseIrqlToDpcLevel();
        (void)RtlRealSuccessor(&links[0]);
    });
    CHECK(stop.kind == (raised ? ke::StopKind::bug_check : ke::StopKind::stall));
    if (raised) CHECK(stop.code == DPC_WATCHDOG_VIOLATION);
}
