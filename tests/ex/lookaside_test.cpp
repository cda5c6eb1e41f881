#include "catch.hpp"
#include "ex/active_objects.hpp"
#include "ex/pool.hpp"
#include "support/kernel_fixture.hpp"

using namespace dirql;
using test::KernelFixture;

namespace {

constexpr ULONG tag = ex::pool_tag("Look");
int allocations;
int frees;

PVOID NTAPI count_allocate(POOL_TYPE type, SIZE_T bytes, ULONG with_tag) {
    ++allocations;
    return ExAllocatePoolWithTag(type, bytes, with_tag);
}
VOID NTAPI count_free(PVOID block) {
    ++frees;
    ExFreePool(block);
}

} // namespace

TEST_CASE("a freed block is the next one allocated", "[lookaside]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        const std::size_t before = ex::pool_totals().blocks;
        NPAGED_LOOKASIDE_LIST list;
        ExInitializeNPagedLookasideList(&list, nullptr, nullptr, 0, 200, tag, 0);
        void* first = ExAllocateFromNPagedLookasideList(&list);
        void* second = ExAllocateFromNPagedLookasideList(&list);
        CHECK(first != second);
        CHECK(ex::pool_block_size(first) == 200);
        ExFreeToNPagedLookasideList(&list, first);
        CHECK(ex::pool_totals().blocks == before + 2);
        CHECK(ExAllocateFromNPagedLookasideList(&list) == first);
        ExFreeToNPagedLookasideList(&list, first);
        ExFreeToNPagedLookasideList(&list, second);
        CHECK(list.L.TotalAllocates == 3);
        CHECK(list.L.AllocateMisses == 2);
        CHECK(list.L.TotalFrees == 3);
        ExDeleteNPagedLookasideList(&list);
        CHECK(ex::pool_totals().blocks == before);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a driver's own functions are called, and a full list frees", "[lookaside]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        allocations = frees = 0;
        PAGED_LOOKASIDE_LIST list;
        ExInitializePagedLookasideList(&list, count_allocate, count_free, 0, 64, tag, 0);
        std::vector<void*> blocks;
        for (int i = 0; i < 300; ++i) blocks.push_back(ExAllocateFromPagedLookasideList(&list));
        for (void* block : blocks) ExFreeToPagedLookasideList(&list, block);
        CHECK(allocations == 300);
        CHECK(frees == 300 - EX_MAXIMUM_LOOKASIDE_DEPTH_BASE);
        ExDeletePagedLookasideList(&list);
        CHECK(frees == 300);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("lists of the newer kind", "[lookaside]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        LOOKASIDE_LIST_EX list;
        CHECK(ExInitializeLookasideListEx(&list, nullptr, nullptr, static_cast<POOL_TYPE>(99), 0, 64, tag, 0) ==
              STATUS_INVALID_PARAMETER_4);
        CHECK(ExInitializeLookasideListEx(&list, nullptr, nullptr, PagedPool, 0x10, 64, tag, 0) ==
              STATUS_INVALID_PARAMETER_5);
        CHECK(ExInitializeLookasideListEx(&list, nullptr, nullptr, PagedPool, 3, 64, tag, 0) ==
              STATUS_INVALID_PARAMETER_5);
        CHECK(ExInitializeLookasideListEx(&list, nullptr, nullptr, NonPagedPoolNx, 0, 64, tag, 0) == STATUS_SUCCESS);
        const std::size_t before = ex::pool_totals().blocks;
        void* block = ExAllocateFromLookasideListEx(&list);
        ExFreeToLookasideListEx(&list, block);
        ExFlushLookasideListEx(&list);
        CHECK(ex::pool_totals().blocks == before);
        ExDeleteLookasideListEx(&list);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("misuse of lookaside lists", "[lookaside][bugcheck]") {
    KernelFixture kernel;
    NPAGED_LOOKASIDE_LIST* list = nullptr;
    const auto make = [&](std::size_t size) {
        list = static_cast<NPAGED_LOOKASIDE_LIST*>(ExAllocatePoolWithTag(NonPagedPoolCacheAligned, sizeof *list, tag));
        ExInitializeNPagedLookasideList(list, nullptr, nullptr, 0, size, tag, 0);
    };
    ke::Stop stop{};
    std::uint64_t code = 0;
    SECTION("initialised while in use") {
        code = 0xCA;
        stop = kernel.run([&] {
            make(64);
            ExInitializeNPagedLookasideList(list, nullptr, nullptr, 0, 64, tag, 0);
        });
    }
    SECTION("deleted twice") {
        code = 0xCB;
        stop = kernel.run([&] {
            make(64);
            ExDeleteNPagedLookasideList(list);
            ExDeleteNPagedLookasideList(list);
        });
    }
    SECTION("its memory freed while in use") {
        code = 0xCC;
        stop = kernel.run([&] {
            make(64);
            ExFreePool(list);
        });
        CHECK(stop.parameters[2] == ke::parameter(list));
        CHECK(stop.parameters[3] == sizeof *list);
    }
    SECTION("blocks too small for a link") {
        code = 0xCD;
        stop = kernel.run([&] { make(7); });
        CHECK(stop.parameters[2] == 7);
        CHECK(stop.parameters[3] == 8);
    }
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == code);
    CHECK(stop.parameters[1] == ke::parameter(list));
}
