#include "catch.hpp"
#include "ex/active_objects.hpp"
#include "support/kernel_fixture.hpp"
#include "support/pause.hpp"

#include <string>

using namespace dirql;
using test::KernelFixture;

namespace {

// Stands for an image: its code and data are the addresses of this array.
alignas(64) unsigned char image_memory[1024];

ke::CodeRange image() {
    const auto begin = reinterpret_cast<std::uintptr_t>(image_memory);
    return {begin, begin + sizeof image_memory, "image"};
}

template <class T> T* in_image(std::size_t offset = 0) { return new (image_memory + offset) T{}; }

std::string left_behind() {
    const ex::ActiveObject active = ex::find_active_object(image());
    return active.address == nullptr ? "nothing" : active.what;
}

} // namespace

TEST_CASE("an image without anything left behind", "[active]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        KTIMER elsewhere;
        LARGE_INTEGER due;
        due.QuadPart = -1000;
        KeInitializeTimer(&elsewhere);
        KeSetTimer(&elsewhere, due, nullptr);
        CHECK(left_behind() == "nothing");
        KeCancelTimer(&elsewhere);
    });
}

TEST_CASE("a timer in an image's data, or with its routine", "[active]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        LARGE_INTEGER due;
        due.QuadPart = -1000;
        auto* timer = in_image<KTIMER>();
        KeInitializeTimer(timer);
        CHECK(left_behind() == "nothing");
        KeSetTimer(timer, due, nullptr);
        CHECK(ex::find_active_object(image()).address == timer);
        KeCancelTimer(timer);
        CHECK(left_behind() == "nothing");

        KTIMER elsewhere;
        KDPC dpc;
        KeInitializeTimer(&elsewhere);
        KeInitializeDpc(&dpc, reinterpret_cast<PKDEFERRED_ROUTINE>(image_memory + 16), nullptr);
        KeSetTimer(&elsewhere, due, &dpc);
        const ex::ActiveObject active = ex::find_active_object(image());
        CHECK(active.address == &elsewhere);
        CHECK(active.routine == image_memory + 16);
        KeCancelTimer(&elsewhere);
    });
}

TEST_CASE("a lookaside list in an image's data", "[active]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        auto* list = in_image<NPAGED_LOOKASIDE_LIST>();
        ExInitializeNPagedLookasideList(list, nullptr, nullptr, 0, 64, 1, 0);
        CHECK(ex::find_active_object(image()).address == list);
        ExDeleteNPagedLookasideList(list);
        CHECK(left_behind() == "nothing");
    });
}

TEST_CASE("a work item of an image, queued and under way", "[active]") {
    KernelFixture kernel;
    (void)kernel.run([] {
        auto* item = in_image<WORK_QUEUE_ITEM>();
        ExInitializeWorkItem(
            item, [](PVOID) {}, nullptr);
        const KIRQL old = KeRaiseIrqlToDpcLevel();
        ExQueueWorkItem(item, DelayedWorkQueue);
        const ex::ActiveObject active = ex::find_active_object(image());
        KeLowerIrql(old);
        CHECK(active.address == item);
        test::sleep_us(100);
        CHECK(left_behind() == "nothing");
    });
    (void)kernel.run([] {
        static WORK_QUEUE_ITEM elsewhere;
        elsewhere = {};
        const PWORKER_THREAD_ROUTINE routine = [](PVOID) { test::sleep_us(1000); };
        const auto code = reinterpret_cast<std::uintptr_t>(routine);
        ExInitializeWorkItem(&elsewhere, routine, nullptr);
        ExQueueWorkItem(&elsewhere, DelayedWorkQueue);
        test::sleep_us(100);
        const ex::ActiveObject active = ex::find_active_object({code, code + 1, "code"});
        CHECK(active.address == reinterpret_cast<const void*>(code));
        test::sleep_us(2000);
        CHECK(ex::find_active_object({code, code + 1, "code"}).address == nullptr);
    });
}
