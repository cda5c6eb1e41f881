// Stacks that are expanded for a routine.
#include "machines.hpp"

using namespace ke_test;

extern "C" NTSTATUS NTAPI KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT, PVOID, SIZE_T, BOOLEAN, PVOID);

namespace {

// Less than the greatest expansion: there is something to expand.
ke::MachineOptions small_stacks() {
    ke::MachineOptions options = shape(1);
    options.kernel_stack_size = MAXIMUM_EXPANSION_SIZE;
    return options;
}

} // namespace

TEST_CASE("an expanded stack gives a routine the room it asks for", "[ke][stack]") {
    KernelFixture kernel({}, small_stacks());
    static SIZE_T left;
    static bool waited;
    check_finished(kernel.run([] {
        ULONG_PTR low, high, inner_low = 0;
        IoGetStackLimits(&low, &high);
        const auto here = reinterpret_cast<ULONG_PTR>(&low);
        CHECK(low < here);
        CHECK(here < high);
        CHECK(reinterpret_cast<ULONG_PTR>(IoGetInitialStack()) == high);
        CHECK(IoGetRemainingStackSize() < high - low);
        CHECK(IoGetRemainingStackSize() > 0);
        CHECK(IoWithinStackLimits(here, sizeof low));
        CHECK(IoWithinStackLimits(low, high - low));
        CHECK_FALSE(IoWithinStackLimits(low, high - low + 1));
        CHECK_FALSE(IoWithinStackLimits(low - 1, 1));
        struct Seen {
            ULONG_PTR* outer_local;
            ULONG_PTR* low;
        } seen{&low, &inner_low};
        const auto routine = [](PVOID parameter) {
            const auto& outer = *static_cast<Seen*>(parameter);
            left = IoGetRemainingStackSize();
            ULONG_PTR top;
            IoGetStackLimits(outer.low, &top);
            [[maybe_unused]] volatile char page[40'000];
            page[0] = 1;
            page[39'999] = 2;
            sleep_us(10);
            waited = true;
            CHECK(IoWithinStackLimits(reinterpret_cast<ULONG_PTR>(outer.outer_local), 8));
            CHECK(KeExpandKernelStackAndCallout([](PVOID) {}, nullptr, MAXIMUM_EXPANSION_SIZE) == STATUS_SUCCESS);
        };
        CHECK(KeExpandKernelStackAndCallout(routine, &seen, MAXIMUM_EXPANSION_SIZE) == STATUS_SUCCESS);
        CHECK(left + 41'000 >= MAXIMUM_EXPANSION_SIZE); // and the routine's own frame
        CHECK(waited);
        ULONG_PTR low_after, high_after;
        IoGetStackLimits(&low_after, &high_after);
        CHECK(low_after == low);
        CHECK(high_after == high);
        waited = false;
        CHECK(KeExpandKernelStackAndCallout(routine, &seen, MAXIMUM_EXPANSION_SIZE + 1) == STATUS_INVALID_PARAMETER_3);
        CHECK_FALSE(waited);
        CHECK(KeExpandKernelStackAndCalloutEx([](PVOID) { waited = true; }, nullptr, 16, TRUE, nullptr) ==
              STATUS_SUCCESS);
        CHECK(waited);
        KeRaiseIrqlToDpcLevel();
        CHECK(KeExpandKernelStackAndCalloutEx(routine, nullptr, 16, TRUE, nullptr) == STATUS_INVALID_PARAMETER_4);
        waited = false;
        CHECK(KeExpandKernelStackAndCalloutEx([](PVOID) { waited = true; }, nullptr, MAXIMUM_EXPANSION_SIZE, FALSE,
                                              nullptr) == STATUS_SUCCESS);
        CHECK(waited);
        KeLowerIrql(PASSIVE_LEVEL);
    }));
}

TEST_CASE("without memory no stack is expanded; in a DPC the limits are those of its stack", "[ke][stack]") {
    KernelFixture kernel({}, small_stacks());
    check_finished(kernel.run([&] {
        static ULONG_PTR low, high;
        static KDPC dpc;
        KeInitializeDpc(
            &dpc, [](PKDPC, PVOID, PVOID, PVOID) { IoGetStackLimits(&low, &high); }, nullptr);
        KeInsertQueueDpc(&dpc, nullptr, nullptr);
        CHECK(low == reinterpret_cast<ULONG_PTR>(ke::current_processor()->dpc_stack_low));
        CHECK(high == reinterpret_cast<ULONG_PTR>(ke::current_processor()->dpc_stack_top));
        while (kernel.slot().allocate_pages(1) != nullptr) {
        }
        CHECK(KeExpandKernelStackAndCallout([](PVOID) { FAIL("called"); }, nullptr, MAXIMUM_EXPANSION_SIZE) ==
              STATUS_NO_MEMORY);
    }));
}

TEST_CASE("an exception is handled on the expanded stack that it was raised on; none leaves it", "[ke][stack]") {
    KernelFixture kernel({}, small_stacks());
    static ULONG_PTR low, high, low_after, high_after;
    static NTSTATUS inside;
    static bool caught_outside;
    inside = STATUS_SUCCESS;
    caught_outside = false;
    const ke::Stop stop = kernel.run([] {
        IoGetStackLimits(&low, &high);
        const auto handles = [](PVOID) {
            inside = test::status_raised_by([] {
                sleep_us(10); // the flow keeps its frames
                ExRaiseStatus(STATUS_INVALID_PARAMETER);
            });
        };
        (void)KeExpandKernelStackAndCallout(handles, nullptr, MAXIMUM_EXPANSION_SIZE);
        IoGetStackLimits(&low_after, &high_after);
        const auto leaves = [](PVOID) { ExRaiseStatus(STATUS_INVALID_PARAMETER); };
        (void)test::status_raised_by(
            [&] { (void)KeExpandKernelStackAndCallout(leaves, nullptr, MAXIMUM_EXPANSION_SIZE); });
        caught_outside = true;
    });
    CHECK(inside == STATUS_INVALID_PARAMETER);
    CHECK(low_after == low);
    CHECK(high_after == high);
    CHECK_FALSE(caught_outside);
    check_bug_check(stop, KMODE_EXCEPTION_NOT_HANDLED);
    CHECK(static_cast<NTSTATUS>(stop.parameters[0]) == STATUS_INVALID_PARAMETER);
}

TEST_CASE("a routine with room enough on the stack handles its own exceptions, too", "[ke][stack]") {
    static NTSTATUS inside, outside;
    static bool called;
    inside = outside = STATUS_SUCCESS;
    called = false;
    const auto handles = [](PVOID) {
        inside = test::status_raised_by([] { ExRaiseStatus(STATUS_INVALID_PARAMETER); });
    };
    const auto leaves = [](PVOID) {
        called = true;
        ExRaiseStatus(STATUS_DEVICE_BUSY);
    };
    const ke::Stop stop = KernelFixture().run([&] {
        CHECK(KeExpandKernelStackAndCallout(handles, nullptr, 16) == STATUS_SUCCESS);
        outside = test::status_raised_by([] { ExRaiseStatus(STATUS_NO_MEMORY); }); // the frames outside are there again
        (void)test::status_raised_by(
            [&] { (void)KeExpandKernelStackAndCalloutEx(leaves, nullptr, 16, TRUE, nullptr); });
        FAIL("an exception left the routine");
    });
    CHECK(inside == STATUS_INVALID_PARAMETER);
    CHECK(outside == STATUS_NO_MEMORY);
    CHECK(called);
    check_bug_check(stop, KMODE_EXCEPTION_NOT_HANDLED);
    CHECK(static_cast<NTSTATUS>(stop.parameters[0]) == STATUS_DEVICE_BUSY);
}

TEST_CASE("a thread must not end on an expanded stack", "[ke][stack]") {
    KernelFixture kernel({}, small_stacks());
    const ke::Stop stop = kernel.run([] {
        (void)KeExpandKernelStackAndCallout([](PVOID) { ke::exit_current_thread(0); }, nullptr, MAXIMUM_EXPANSION_SIZE);
    });
    check_bug_check(stop, KERNEL_STACK_LOCKED_AT_EXIT);
}
