#include "catch.hpp"
#include "ex/pool.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>
#include <set>

using namespace dirql;
using test::KernelFixture;

namespace {

constexpr ULONG tag = ex::pool_tag("Test");

std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

bool all_bytes(const void* memory, std::size_t bytes, unsigned char value) {
    const auto* p = static_cast<const unsigned char*>(memory);
    for (std::size_t i = 0; i < bytes; ++i) {
        if (p[i] != value) return false;
    }
    return true;
}

constexpr std::size_t sizes[] = {1,    8,    15,   16,   17,   63,   64,   100,  488,  489,  500,  1000, 2008,  2009,
                                 4039, 4040, 4041, 4088, 4089, 4095, 4096, 4097, 8183, 8184, 8192, 9000, 65536, 100000};

} // namespace

TEST_CASE("blocks of every size are aligned, whole and apart", "[pool]") {
    KernelFixture kernel;
    const POOL_TYPE type = GENERATE(NonPagedPool, PagedPool, NonPagedPoolNx, NonPagedPoolCacheAligned,
                                    PagedPoolCacheAligned, NonPagedPoolNxCacheAligned);
    const ke::Stop stop = kernel.run([&] {
        const std::size_t before = ex::pool_totals().blocks;
        for (const std::size_t size : sizes) {
            INFO("size " << size);
            std::vector<unsigned char*> blocks;
            for (unsigned char i = 0; i < 20; ++i) {
                auto* block = static_cast<unsigned char*>(ExAllocatePoolWithTag(type, size, tag));
                REQUIRE(block != nullptr);
                CHECK(address_of(block) % ((type & NonPagedPoolCacheAligned) != 0 ? 64 : 16) == 0);
                if (size >= PAGE_SIZE) CHECK(address_of(block) % PAGE_SIZE == 0);
                if (size != 0 && size < PAGE_SIZE)
                    CHECK(address_of(block) / PAGE_SIZE == address_of(block + size - 1) / PAGE_SIZE);
                CHECK(ex::pool_block_size(block) == size);
                std::memset(block, i, size);
                blocks.push_back(block);
            }
            for (unsigned char i = 0; i < 20; ++i) CHECK(all_bytes(blocks[i], size, i));
            for (unsigned char* block : blocks) ExFreePoolWithTag(block, tag);
        }
        CHECK(ex::pool_totals().blocks == before);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("fresh memory holds a pattern, or zeroes where the function promises them", "[pool]") {
    KernelFixture kernel;
    const std::size_t size = GENERATE(24u, 400u, 3000u, 20000u);
    const ke::Stop stop = kernel.run([&] {
        for (int round = 0; round < 2; ++round) { // the second time the blocks are used ones
            auto* plain = static_cast<std::uint64_t*>(ExAllocatePoolWithTag(NonPagedPool, size, tag));
            void* zeroed[] = {ExAllocatePool2(POOL_FLAG_NON_PAGED, size, tag), ExAllocatePoolZero(PagedPool, size, tag),
                              ExAllocatePoolQuotaZero(NonPagedPool, size, tag)};
            auto* uninitialized =
                static_cast<std::uint64_t*>(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, size, tag));
            CHECK(plain[0] == ex::fresh_pattern);
            CHECK(plain[size / 8 - 1] == ex::fresh_pattern);
            CHECK(uninitialized[size / 8 - 1] == ex::fresh_pattern);
            ExFreePool(plain);
            ExFreePool(uninitialized);
            for (void* block : zeroed) {
                CHECK(all_bytes(block, size, 0));
                std::memset(block, 0x77, size);
                ExFreePoolWithTag(block, tag);
            }
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("a block without a tag of its own has the tag that Windows gives it", "[pool]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        for (const POOL_TYPE type : {NonPagedPool, PagedPool}) {
            void* block = ExAllocatePool(type, 100);
            REQUIRE(block != nullptr);
            CHECK(ex::find_pool_block(block).tag == ex::pool_tag("None"));
            CHECK(ex::find_pool_block(block).paged == (type == PagedPool));
            CHECK(ex::pool_block_size(block) == 100);
            CHECK(*static_cast<std::uint64_t*>(block) == ex::fresh_pattern);
            ExFreePool(block);
        }
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("freed memory is filled, so that a use after free shows", "[pool]") {
    KernelFixture kernel;
    const std::size_t size = GENERATE(64u, 2000u, 8192u);
    (void)kernel.run([&] {
        auto* block = static_cast<std::uint64_t*>(ExAllocatePoolWithTag(NonPagedPool, size, tag));
        std::memset(block, 0, size);
        ExFreePool(block);
        CHECK(block[0] == ex::freed_pattern);
        CHECK(block[size / 8 - 1] == ex::freed_pattern);
    });
}

TEST_CASE("a machine whose memory is used up says so in each function's way", "[pool]") {
    ke::MachineOptions options;
    options.physical_memory = std::size_t{8} << 20;
    KernelFixture kernel({}, options);
    constexpr std::size_t too_much = std::size_t{9} << 20;
    const ke::Stop stop = kernel.run([&] {
        CHECK(ExAllocatePoolWithTag(NonPagedPool, too_much, tag) == nullptr);
        CHECK(ExAllocatePoolWithTag(PagedPool, ~SIZE_T{0}, tag) == nullptr);
        CHECK(ExAllocatePool(NonPagedPool, ~SIZE_T{0} - 24) == nullptr);
        CHECK(ExAllocatePool2(POOL_FLAG_PAGED, too_much, tag) == nullptr);
        CHECK(ExAllocatePoolWithQuotaTag(static_cast<POOL_TYPE>(NonPagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE),
                                         too_much, tag) == nullptr);
        CHECK(test::status_raised_by([&] { ExAllocatePoolWithQuotaTag(NonPagedPool, too_much, tag); }) ==
              STATUS_INSUFFICIENT_RESOURCES);
        CHECK(test::status_raised_by([&] {
                  ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, too_much, tag);
              }) == STATUS_INSUFFICIENT_RESOURCES);
        CHECK(test::status_raised_by([&] {
                  ExAllocatePoolWithTag(static_cast<POOL_TYPE>(PagedPool | POOL_RAISE_IF_ALLOCATION_FAILURE), too_much,
                                        tag);
              }) == STATUS_INSUFFICIENT_RESOURCES);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pages of small blocks come back when memory is short", "[pool]") {
    ke::MachineOptions options;
    options.physical_memory = std::size_t{8} << 20;
    KernelFixture kernel({}, options);
    const ke::Stop stop = kernel.run([&] {
        std::vector<void*> blocks;
        while (void* block = ExAllocatePoolWithTag(NonPagedPool, 1000, tag)) blocks.push_back(block);
        CHECK(blocks.size() > 4000);
        void* kept = blocks.back();
        blocks.pop_back();
        std::memset(kept, 0x11, 1000);
        for (void* block : blocks) ExFreePoolWithTag(block, tag);
        void* big = ExAllocatePoolWithTag(PagedPool, std::size_t{3} << 20, tag);
        CHECK(big != nullptr);
        CHECK(all_bytes(kept, 1000, 0x11));
        std::set<void*> again;
        for (int i = 0; i < 100; ++i) again.insert(ExAllocatePoolWithTag(NonPagedPool, 1000, tag));
        CHECK(again.size() == 100);
        CHECK(again.count(kept) == 0);
        ExFreePoolWithTag(big, tag);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("ExAllocatePool2 refuses what it does not understand", "[pool]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        CHECK(ExAllocatePool2(POOL_FLAG_PAGED, 16, 0) == nullptr);
        CHECK(ExAllocatePool2(0, 16, tag) == nullptr);
        CHECK(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_NON_PAGED, 16, tag) == nullptr);
        CHECK(ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RESERVED2, 16, tag) == nullptr);
        CHECK(test::status_raised_by([&] { ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 16, 0); }) ==
              STATUS_INVALID_PARAMETER);
        void* block =
            ExAllocatePool2(POOL_FLAG_PAGED | (POOL_FLAG_OPTIONAL_START << 5), 16, tag); // optional: may be ignored
        CHECK(block != nullptr);
        ExFreePoolWithTag(block, 0);
        void* aligned = ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_CACHE_ALIGNED, 16, tag);
        CHECK(address_of(aligned) % 64 == 0);
        POOL_EXTENDED_PARAMETER secure{};
        secure.Type = PoolExtendedParameterSecurePool;
        CHECK(ExAllocatePool3(POOL_FLAG_PAGED, 16, tag, &secure, 1) == nullptr);
        secure.Optional = 1;
        CHECK(ExAllocatePool3(POOL_FLAG_PAGED, 16, tag, &secure, 1) != nullptr);
    });
}

TEST_CASE("what an image has not freed is known at its unload", "[pool]") {
    KernelFixture kernel;
    const auto here = address_of(reinterpret_cast<const void*>(&address_of)) & ~std::uintptr_t{0xFFFFF};
    const ke::CodeRange image{here - (64 << 20), here + (64 << 20), "test"};
    REQUIRE(ke::add_code_range(kernel.machine(), image));
    const ke::Stop stop = kernel.run([&] {
        CHECK(ex::report_leaks(image).blocks == 0);
        void* freed = ExAllocatePoolWithTag(PagedPool, 1000, tag);
        void* kept = ExAllocatePoolWithTag(NonPagedPool, 100, tag);
        (void)ExAllocatePoolWithTag(PagedPool, 5000, tag);
        (void)ExAllocatePoolWithTag(PagedPool, 10, tag);
        (void)ex::allocate_pool(NonPagedPool, 77, tag); // the kernel's own
        ExFreePool(freed);
        const ex::PoolLeaks leaks = ex::report_leaks(image);
        CHECK(leaks.blocks == 3);
        CHECK(leaks.nonpaged_bytes == 100);
        CHECK(leaks.paged_bytes == 5010);
        CHECK(leaks.first.tag == tag);
        CHECK(leaks.first.data != nullptr);
        ExFreePool(kept); // late, but accounted
        CHECK(ex::report_leaks(image).blocks == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("an address inside a block leads to the block", "[pool]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        auto* small = static_cast<std::byte*>(ExAllocatePoolWithTag(PagedPool, 100, tag));
        auto* big = static_cast<std::byte*>(ExAllocatePoolWithTag(NonPagedPool, 10000, tag));
        CHECK(ex::find_pool_block(small + 99).data == small);
        CHECK(ex::find_pool_block(small + 99).paged);
        CHECK(ex::find_pool_block(big + 9999).data == big);
        CHECK(ex::find_pool_block(big + 9999).size == 10000);
        ExFreePool(small);
        CHECK(ex::find_pool_block(small).data == nullptr);
        CHECK(ex::find_pool_block(&kernel).data == nullptr);
    });
}

TEST_CASE("the same requests lead to the same addresses", "[pool]") {
    const auto addresses = [] {
        KernelFixture kernel;
        std::vector<std::uintptr_t> found;
        (void)kernel.run([&] {
            for (const std::size_t size : sizes) {
                found.push_back(address_of(ExAllocatePoolWithTag(NonPagedPool, size, tag)) -
                                address_of(kernel.slot().system_base()));
                if (size % 3 == 0)
                    ExFreePool(reinterpret_cast<void*>(found.back() + address_of(kernel.slot().system_base())));
            }
        });
        return found;
    };
    CHECK(addresses() == addresses());
}
