// The pool against a map of what is allocated, and pool that processes pay for.
#include "catch.hpp"

#include "ex/pool.hpp"
#include "ex/pool_quota.hpp"
#include "ke/system_service.hpp"
#include "support/kernel_fixture.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <random>

using namespace dirql;
using test::KernelFixture;

namespace {

constexpr ULONG tag = 0x70616D50;

// What an application's thread does in the kernel: quota is its process's to pay.
void in_kernel_of(KernelFixture& kernel, ke::Process& process, const std::function<void()>& body) {
    const ke::Stop stop = kernel.run_as_application(process, [&] {
        (void)ke::system_service([&] {
            body();
            return STATUS_SUCCESS;
        });
    });
    CHECK(stop.kind == ke::StopKind::none);
}

struct Block {
    std::size_t size;
    ULONG tag;
    unsigned char pattern;
    bool paged;
    bool charged;
};

class PoolRun {
public:
    explicit PoolRun(ke::Process& process) : process_(process), before_(ex::pool_totals()) {}

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            if (blocks_.size() < 20 || (blocks_.size() < 400 && random_() % 100 < 52)) {
                allocate();
            } else {
                auto victim = blocks_.begin();
                std::advance(victim, random_() % blocks_.size());
                release(victim);
            }
            if (i % 64 == 0) check_totals();
        }
        while (!blocks_.empty()) release(blocks_.begin());
        check_totals();
        CHECK(charged_[0] + charged_[1] == 0);
        CHECK(process_.pool_quota[1].peak > 0);
    }

private:
    std::size_t pick_size() {
        switch (random_() % 8) {
        case 0: return 1 + random_() % 32;
        case 1: return PAGE_SIZE - 40 + random_() % 80;
        case 2: return 2 * PAGE_SIZE - 12 + random_() % 24;
        case 3: return 1 + random_() % 40'000;
        case 4: return (std::size_t{1} << (random_() % 15)) + random_() % 3;
        default: return 1 + random_() % 1500;
        }
    }

    void allocate() {
        const std::size_t size = pick_size();
        const bool paged = random_() % 2 == 0;
        const bool aligned = random_() % 5 == 0;
        const ULONG own_tag = tag + static_cast<ULONG>(random_() % 4);
        const auto type =
            static_cast<POOL_TYPE>((paged ? PagedPool : NonPagedPool) | (aligned ? NonPagedPoolCacheAligned : 0));
        POOL_FLAGS flags = (paged ? POOL_FLAG_PAGED : POOL_FLAG_NON_PAGED) | (aligned ? POOL_FLAG_CACHE_ALIGNED : 0);
        void* block = nullptr;
        bool zeroed = false;
        bool charged = false;
        switch (random_() % 5) {
        case 0: block = ExAllocatePoolWithTag(type, size, own_tag); break;
        case 1:
            block = ExAllocatePool2(flags, size, own_tag);
            zeroed = true;
            break;
        case 2:
            block = ExAllocatePoolWithQuotaTag(type, size, own_tag);
            charged = true;
            break;
        case 3:
            block = ExAllocatePool2(flags | POOL_FLAG_USE_QUOTA, size, own_tag);
            zeroed = charged = true;
            break;
        default: block = ExAllocatePoolWithTagPriority(type, size, own_tag, NormalPoolPriority); break;
        }
        const auto address = reinterpret_cast<std::uintptr_t>(block);
        bool sound = block != nullptr && address % (aligned ? 64 : 16) == 0;
        if (size >= PAGE_SIZE) sound = sound && address % PAGE_SIZE == 0;
        if (size < PAGE_SIZE) sound = sound && address / PAGE_SIZE == (address + size - 1) / PAGE_SIZE;
        const auto after = blocks_.lower_bound(address);
        if (after != blocks_.end()) sound = sound && address + size <= after->first;
        if (after != blocks_.begin()) {
            const auto& [start, neighbour] = *std::prev(after);
            sound = sound && start + neighbour.size <= address;
        }
        REQUIRE(sound);
        auto* bytes = static_cast<unsigned char*>(block);
        if (zeroed) REQUIRE(std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; }));
        const auto pattern = static_cast<unsigned char>(random_());
        std::memset(bytes, pattern, size);
        const ex::PoolBlock found = ex::find_pool_block(bytes + random_() % size);
        REQUIRE((found.data == block && found.size == size && found.tag == own_tag && found.paged == paged));
        blocks_[address] = {size, own_tag, pattern, paged, charged};
        bytes_[paged] += size;
        charged_[paged] += charged ? size : 0;
    }

    void release(std::map<std::uintptr_t, Block>::iterator victim) {
        const Block& block = victim->second;
        auto* bytes = reinterpret_cast<unsigned char*>(victim->first);
        REQUIRE(std::all_of(bytes, bytes + block.size, [&](unsigned char byte) { return byte == block.pattern; }));
        switch (random_() % 3) {
        case 0: ExFreePool(bytes); break;
        case 1: ExFreePool2(bytes, block.tag, nullptr, 0); break;
        default: ExFreePoolWithTag(bytes, block.tag); break;
        }
        bytes_[block.paged] -= block.size;
        charged_[block.paged] -= block.charged ? block.size : 0;
        blocks_.erase(victim);
    }

    void check_totals() {
        const ex::PoolOwner now = ex::pool_totals();
        bool sound = true;
        for (const unsigned paged : {0u, 1u}) {
            // Big blocks have descriptors, which are nonpaged pool too.
            sound = sound && (paged != 0 ? now.bytes[1] == before_.bytes[1] + bytes_[1]
                                         : now.bytes[0] >= before_.bytes[0] + bytes_[0]);
            sound = sound && process_.pool_quota[paged].used == charged_[paged];
        }
        if (blocks_.empty()) sound = sound && now.blocks == before_.blocks && now.bytes[0] == before_.bytes[0];
        REQUIRE(sound);
    }

    ke::Process& process_;
    ex::PoolOwner before_;
    std::minstd_rand random_{2026};
    std::map<std::uintptr_t, Block> blocks_;
    std::size_t bytes_[2] = {};
    std::size_t charged_[2] = {};
};

template <class Allocate> NTSTATUS raised(Allocate allocate) {
    return test::status_raised_by([&] { (void)allocate(); });
}

} // namespace

TEST_CASE("the pool does what a map of blocks does", "[pool][property]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    in_kernel_of(kernel, process, [&] { PoolRun(process).run(15'000); });
}

TEST_CASE("a process pays for pool until it is freed, and not more than it may", "[pool][quota]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    ke::PoolQuota& nonpaged = process.pool_quota[0];
    ke::PoolQuota& paged = process.pool_quota[1];
    void* kept = nullptr;
    in_kernel_of(kernel, process, [&] {
        nonpaged.limit = 1000;
        void* first = ExAllocatePoolWithQuotaTag(NonPagedPool, 600, tag);
        CHECK(nonpaged.used == 600);
        CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_USE_QUOTA, 401, tag) == nullptr);
        CHECK(raised([] { return ExAllocatePoolWithQuotaTag(NonPagedPool, 401, tag); }) == STATUS_QUOTA_EXCEEDED);
        CHECK(raised([] { return ExAllocatePoolWithQuota(NonPagedPool, ~SIZE_T{0}); }) == STATUS_QUOTA_EXCEEDED);
        CHECK(raised([] {
                  return ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_USE_QUOTA | POOL_FLAG_RAISE_ON_FAILURE, 401,
                                         tag);
              }) == STATUS_QUOTA_EXCEEDED);
        constexpr auto no_raise = static_cast<POOL_TYPE>(NonPagedPool | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE);
        CHECK(ExAllocatePoolWithQuotaTag(no_raise, 401, tag) == nullptr);
        CHECK(nonpaged.used == 600);
        void* second = ExAllocatePoolWithQuotaTag(no_raise, 400, tag); // to the byte
        CHECK(second != nullptr);
        CHECK(nonpaged.peak == 1000);
        void* other = ExAllocatePoolWithQuota(PagedPool, 50'000); // without a limit, and another kind of pool
        CHECK(paged.used == 50'000);
        CHECK(raised([] { return ExAllocatePoolWithQuotaTag(PagedPool, ~SIZE_T{0}, tag); }) == STATUS_QUOTA_EXCEEDED);
        CHECK(raised([] { return ExAllocatePoolQuotaUninitialized(PagedPool, SIZE_T{1} << 40, tag); }) ==
              STATUS_INSUFFICIENT_RESOURCES);
        CHECK(paged.used == 50'000);
        ExFreePoolWithTag(first, tag);
        ExFreePool(other);
        CHECK(nonpaged.used == 400);
        CHECK(paged.used == 0);
        kept = second;
    });
    const ke::Stop stop = kernel.run([&] { // a system thread: nobody pays here, but what was charged is returned
        void* free_of_charge = ExAllocatePoolWithQuotaTag(NonPagedPool, 5000, tag);
        CHECK(nonpaged.used == 400);
        CHECK(kernel.machine().system_process->pool_quota[0].used == 0);
        ExFreePoolWithTag(free_of_charge, tag);
        ExFreePoolWithTag(kept, tag);
        CHECK(nonpaged.used == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("an overrun of charged pool is found, and a process may end before its blocks", "[pool][quota]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    unsigned char* block = nullptr;
    in_kernel_of(kernel, process,
                 [&] { block = static_cast<unsigned char*>(ExAllocatePoolWithQuotaTag(NonPagedPool, 77, tag)); });
    const bool overrun = GENERATE(false, true);
    const ke::Stop stop = kernel.run([&] {
        process.id = 4444; // nobody has this block's number any more
        if (overrun) block[77] = 1;
        ExFreePoolWithTag(block, tag);
    });
    CHECK(stop.kind == (overrun ? ke::StopKind::bug_check : ke::StopKind::none));
    if (overrun) CHECK(stop.code == BAD_POOL_HEADER);
}

TEST_CASE("extended parameters of ExAllocatePool3", "[pool]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        const auto allocate = [](POOL_FLAGS flags, std::initializer_list<POOL_EXTENDED_PARAMETER> parameters) {
            void* block = ExAllocatePool3(flags, 64, tag, parameters.begin(), static_cast<ULONG>(parameters.size()));
            if (block != nullptr) ExFreePool2(block, tag, nullptr, 0);
            return block != nullptr;
        };
        const auto parameter = [](ULONG type, ULONG value, bool optional = false) {
            POOL_EXTENDED_PARAMETER result{};
            result.Type = type;
            result.Optional = optional;
            result.PreferredNode = value;
            return result;
        };
        CHECK(allocate(POOL_FLAG_PAGED, {}));
        CHECK(allocate(POOL_FLAG_PAGED, {parameter(PoolExtendedParameterPriority, HighPoolPriority)}));
        CHECK(allocate(POOL_FLAG_NON_PAGED, {parameter(PoolExtendedParameterNumaNode, 0)}));
        CHECK(allocate(POOL_FLAG_NON_PAGED, {parameter(PoolExtendedParameterNumaNode, 0x8000'0003)}));
        CHECK_FALSE(allocate(POOL_FLAG_NON_PAGED, {parameter(PoolExtendedParameterNumaNode, 3)}));
        CHECK_FALSE(allocate(POOL_FLAG_PAGED, {parameter(PoolExtendedParameterNumaNode, 0)}));
        CHECK(allocate(POOL_FLAG_PAGED, {parameter(PoolExtendedParameterNumaNode, 0, true)}));
        CHECK_FALSE(allocate(POOL_FLAG_PAGED, {parameter(PoolExtendedParameterInvalidType, 0)}));
        CHECK_FALSE(allocate(POOL_FLAG_PAGED, {parameter(PoolExtendedParameterPriority, NormalPoolPriority),
                                               parameter(PoolExtendedParameterMax, 0)}));
        CHECK(allocate(POOL_FLAG_PAGED, {parameter(77, 0, true)}));
        CHECK(ExAllocatePool3(POOL_FLAG_PAGED, 64, tag, nullptr, 1) == nullptr);
        POOL_EXTENDED_PARAMETER secure = parameter(PoolExtendedParameterSecurePool, 0);
        CHECK(raised([&] {
                  return ExAllocatePool3(POOL_FLAG_PAGED | POOL_FLAG_RAISE_ON_FAILURE, 64, tag, &secure, 1);
              }) == STATUS_NOT_SUPPORTED);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("pool of no bytes", "[pool][bugcheck]") {
    KernelFixture kernel;
    const int which = GENERATE(0, 1, 2);
    const ke::Stop stop = kernel.run([&] {
        if (which == 0) (void)ExAllocatePoolWithTag(PagedPool, 0, tag);
        if (which == 1) (void)ExAllocatePool2(POOL_FLAG_PAGED, 0, tag);
        if (which == 2) (void)ExAllocatePoolWithQuotaTag(PagedPool, 0, tag);
    });
    CHECK(stop.code == DRIVER_VERIFIER_DETECTED_VIOLATION);
    CHECK(stop.parameters[0] == 0);
    CHECK(stop.parameters[1] == PASSIVE_LEVEL);
    CHECK(stop.parameters[2] == PagedPool);
    CHECK(stop.parameters[3] == 0);
}
