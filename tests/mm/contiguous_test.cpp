#include "catch.hpp"
#include "ke/machine.hpp"
#include "physical.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>

using namespace dirql;
using namespace dirql::test;

namespace {

std::uint64_t where(void* address) { return static_cast<std::uint64_t>(MmGetPhysicalAddress(address).QuadPart); }

} // namespace

TEST_CASE("contiguous memory lies where the device can reach it", "[contiguous]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        const std::size_t before = kernel.slot().free_page_count();
        void* plain = MmAllocateContiguousMemory(10000, at(~0ull));
        CHECK(where(plain) % PAGE_SIZE == 0);
        CHECK(where(static_cast<std::byte*>(plain) + 8192) == where(plain) + 8192);
        std::memset(plain, 1, 10000);
        void* high = MmAllocateContiguousMemorySpecifyCache(10000, at(32 << 20), at(~0ull), at(0), MmNonCached);
        CHECK(where(high) >= 32 << 20);
        std::vector<void*> bounded;
        for (int i = 0; i < 20; ++i) {
            bounded.push_back(MmAllocateContiguousMemorySpecifyCache(0x3000, at(0), at(~0ull), at(0x10000), MmCached));
            CHECK(where(bounded.back()) / 0x10000 == (where(bounded.back()) + 0x2FFF) / 0x10000);
        }
        CHECK(MmAllocateContiguousMemory(10000, at(100)) == nullptr);
        CHECK(MmAllocateContiguousMemorySpecifyCache(0x3000, at(0), at(~0ull), at(0x1000), MmCached) == nullptr);
        CHECK(MmAllocateContiguousMemory(0, at(~0ull)) == nullptr);
        CHECK(MmAllocateContiguousMemory(~SIZE_T{0}, at(~0ull)) == nullptr);
        MmFreeContiguousMemory(plain);
        MmFreeContiguousMemorySpecifyCache(high, 10000, MmNonCached);
        for (void* block : bounded) MmFreeContiguousMemory(block);
        void* noncached = MmAllocateNonCachedMemory(5000);
        CHECK(noncached != nullptr);
        MmFreeNonCachedMemory(noncached, 5000);
        CHECK(kernel.slot().free_page_count() + 1 >= before); // but for a page of the pool
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("contiguous memory freed at a bad address", "[contiguous][bugcheck]") {
    KernelFixture kernel;
    void* block = nullptr;
    const bool twice = GENERATE(false, true);
    const ke::Stop stop = kernel.run([&] {
        block = MmAllocateContiguousMemory(8192, at(~0ull));
        if (twice) MmFreeContiguousMemory(block);
        MmFreeContiguousMemory(twice ? block : static_cast<std::byte*>(block) + 4096);
    });
    CHECK(stop.code == BAD_POOL_CALLER);
    CHECK(stop.parameters[0] == 0x60);
    CHECK(stop.parameters[1] == ke::parameter(block) + (twice ? 0 : 4096));
}

TEST_CASE("noncached memory is for IRQL <= APC_LEVEL", "[contiguous][bugcheck]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([] {
        KeRaiseIrqlToDpcLevel();
        MmAllocateNonCachedMemory(100);
    });
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == 0x00020019);
    CHECK(stop.parameters[2] == APC_LEVEL);
}

TEST_CASE("contiguous memory of the newer functions", "[contiguous]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        void* memory = MmAllocateContiguousMemorySpecifyCacheNode(3 * PAGE_SIZE, at(16 * mib), at(anywhere), at(0),
                                                                  MmCached, MM_ANY_NODE_OK);
        REQUIRE(memory != nullptr);
        CHECK(MmGetPhysicalAddress(memory).QuadPart == 16 * mib);
        MmFreeContiguousMemory(memory);
        memory =
            MmAllocateContiguousNodeMemory(PAGE_SIZE, at(0), at(anywhere), at(0), PAGE_READWRITE | PAGE_NOCACHE, 0);
        REQUIRE(memory != nullptr);
        MmFreeContiguousMemory(memory);
        for (const ULONG wrong : {0, PAGE_READONLY, PAGE_READWRITE | PAGE_NOCACHE | PAGE_WRITECOMBINE})
            CHECK(MmAllocateContiguousNodeMemory(PAGE_SIZE, at(0), at(anywhere), at(0), wrong, 0) == nullptr);
        SIZE_T bytes = 5000;
        const auto extended = [&](std::uint64_t high, std::uint64_t boundary, ULONG protect, ULONG flags) {
            return MmAllocateContiguousMemoryEx(&bytes, at(0), at(high), at(boundary), MM_ANY_NODE_OK, protect, nullptr,
                                                0x54616721, flags, &memory);
        };
        CHECK(extended(anywhere, 64 * 1024, PAGE_EXECUTE_READWRITE, 0) == STATUS_SUCCESS);
        CHECK(bytes == 2 * PAGE_SIZE);
        REQUIRE(memory != nullptr);
        std::memset(memory, 1, bytes);
        MmFreeContiguousMemory(memory);
        CHECK(extended(100, 0, PAGE_READWRITE, 0) == STATUS_INSUFFICIENT_RESOURCES);
        CHECK(memory == nullptr);
        CHECK(extended(anywhere, 0, PAGE_READONLY, 0) == STATUS_INVALID_PAGE_PROTECTION);
        CHECK(extended(anywhere, 0, PAGE_READWRITE, 0x80) == STATUS_INVALID_PARAMETER_9);
        bytes = 0;
        CHECK(extended(anywhere, 0, PAGE_READWRITE, 0) == STATUS_INVALID_PARAMETER_1);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a driver's paging is reset at IRQL <= APC_LEVEL: its sections stay where they are", "[pageable][bugcheck]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        const auto code = reinterpret_cast<std::uintptr_t>(&MmResetDriverPaging);
        REQUIRE(ke::add_code_range(kernel.machine(), {code, code + 1, "driver"}));
        KfRaiseIrql(APC_LEVEL);
        MmResetDriverPaging(reinterpret_cast<void*>(code));
        CHECK(MmIsAddressValid(reinterpret_cast<void*>(code)));
        KeRaiseIrqlToDpcLevel();
        MmResetDriverPaging(reinterpret_cast<void*>(code));
    });
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == 0x00020019);
    CHECK(stop.parameters[2] == APC_LEVEL);
}
