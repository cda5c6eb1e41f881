// Big blocks: whole pages, described beside them.
#include "ex/pool.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::ex::detail {
namespace {

constexpr std::size_t frames_per_leaf = 512;
constexpr ULONG descriptor_tag = pool_tag("PBig");
// Filling more than this would cost more than it shows.
constexpr std::size_t most_filled = std::size_t{1} << 20;

std::size_t frame_of(const Pool& pool, const void* address) noexcept {
    return (reinterpret_cast<std::uintptr_t>(address) - pool.base) >> ke::page_shift;
}

// Where a block that begins at this page is entered. Null when its leaf cannot be made.
std::uint64_t* slot_for(Pool& pool, const void* address) noexcept {
    const std::size_t frame = frame_of(pool, address);
    std::uint64_t*& leaf = pool.big_leaves[frame / frames_per_leaf];
    if (leaf == nullptr) {
        std::byte* page = allocate_pool_pages(pool, 1);
        if (page == nullptr) return nullptr;
        fill_units(page, ke::page_size, 0);
        leaf = reinterpret_cast<std::uint64_t*>(page);
    }
    return leaf + frame % frames_per_leaf;
}

bool is_block(std::uint64_t entry) noexcept { return entry != 0 && (entry & freed_big) == 0; }

void fill(const BigBlock& big, Fill how, std::uint64_t pattern) noexcept {
    const std::size_t bytes = (big.size + 15) / 16 * 16;
    if (how == Fill::zero) std::memset(big.address, 0, big.size);
    if (how == Fill::pattern) fill_units(big.address, std::min(bytes, most_filled), pattern);
}

void enter(Pool& pool, BigBlock& big) noexcept {
    std::memcpy(big.address + big.size, &guard_mark, guard_size);
    InsertTailList(&pool.big_blocks, &big.entry);
    pool.owners[big.owner].bytes[is_paged(big.kind)] += big.size;
    ++pool.owners[big.owner].blocks;
}

} // namespace

std::uint64_t big_entry(const Pool& pool, const void* address) noexcept {
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    if (where - pool.base >= pool.size || where % ke::page_size != 0) return 0;
    const std::size_t frame = frame_of(pool, address);
    const std::uint64_t* leaf = pool.big_leaves[frame / frames_per_leaf];
    return leaf == nullptr ? 0 : leaf[frame % frames_per_leaf];
}

BigBlock* find_big(const Pool& pool, const void* address) noexcept {
    const std::uint64_t entry = big_entry(pool, address);
    return is_block(entry) ? reinterpret_cast<BigBlock*>(entry) : nullptr;
}

void* allocate_big(Pool& pool, PoolKind kind, std::size_t bytes, ULONG tag, unsigned owner, Fill how) noexcept {
    if (bytes > pool.size) return nullptr;
    const std::size_t pages = ke::pages_for(bytes + guard_size);
    auto* big = static_cast<BigBlock*>(allocate_pool(NonPagedPool, sizeof(BigBlock), descriptor_tag, Fill::none));
    if (big == nullptr) return nullptr;
    std::byte* address = allocate_pool_pages(pool, pages);
    std::uint64_t* entry = address == nullptr ? nullptr : slot_for(pool, address);
    if (entry == nullptr) {
        if (address != nullptr) pool.slot->free_pages(address, pages);
        free_pool(big, descriptor_tag);
        return nullptr;
    }
    *entry = reinterpret_cast<std::uint64_t>(big);
    *big = {{}, address, bytes, pages, tag, kind, static_cast<std::uint8_t>(owner), false};
    fill(*big, how, fresh_pattern);
    enter(pool, *big);
    return address;
}

void free_big(Pool& pool, void* block, ULONG tag) noexcept {
    const std::uint64_t entry = big_entry(pool, block);
    if (!is_block(entry)) {
        if ((entry & freed_big) != 0) freed_twice(entry, block, static_cast<ULONG>(entry >> 32));
        bad_free(pool, block);
    }
    auto& big = *reinterpret_cast<BigBlock*>(entry);
    if (std::memcmp(big.address + big.size, &guard_mark, guard_size) != 0) overrun(block, big.size, big.tag);
    if (tag != 0 && tag != big.tag) wrong_tag(block, big.tag, tag);
    check_free_irql(big.kind, block);
    if (big.charged) return_charge(block, big.size, is_paged(big.kind));
    fill(big, Fill::pattern, freed_pattern);
    pool.owners[big.owner].bytes[is_paged(big.kind)] -= big.size;
    --pool.owners[big.owner].blocks;
    *slot_for(pool, block) = freed_big | std::uint64_t{big.tag} << 32;
    RemoveEntryList(&big.entry);
    forget_paged(big.kind, big.address, big.pages);
    pool.slot->free_pages(big.address, big.pages);
    free_pool(&big, descriptor_tag);
}

} // namespace dirql::ex::detail
