// Which image each block belongs to.
#include "ex/pool.hpp"

#include "ke/machine.hpp"

#include <iterator>

namespace dirql::ex {
namespace {

constexpr unsigned the_kernel = 0;

bool holds(const PoolOwner& owner, std::uintptr_t address) noexcept {
    return address - owner.begin < owner.end - owner.begin;
}

// Slot 0 is the kernel; a slot without a range is free. Images do not overlap, so there is room for all.
unsigned enter_owner(Pool& pool, const ke::CodeRange& image) noexcept {
    for (unsigned i = 1; i < std::size(pool.owners); ++i) {
        if (pool.owners[i].begin == image.begin && pool.owners[i].end == image.end) return i;
    }
    for (unsigned i = 1; i < std::size(pool.owners); ++i) {
        if (pool.owners[i].end != 0 || pool.owners[i].blocks != 0) continue;
        pool.owners[i] = {image.begin, image.end, {0, 0}, 0};
        return i;
    }
    return the_kernel;
}

// The first leaked block is what a report names.
void note_first(PoolLeaks& leaks, const PoolBlock& block) noexcept {
    if (leaks.first.data == nullptr || block.data < leaks.first.data) leaks.first = block;
}

void find_small_leaks(const Pool& pool, unsigned owner, PoolLeaks& leaks) noexcept {
    for (PoolPage* list : pool.pages) {
        for (PoolPage* page = list; page != nullptr; page = page->next) {
            for (unsigned i = 0; i < page->count; ++i) {
                BlockHeader* header = block_in(page, i);
                if (!is_allocated(header->state) || header->owner != owner) continue;
                note_first(leaks, {data_of(header), header->size, header->tag, is_paged(page->kind), header->owner});
            }
        }
    }
}

void find_big_leaks(const Pool& pool, unsigned owner, PoolLeaks& leaks) noexcept {
    for (LIST_ENTRY* e = pool.big_blocks.Flink; e != &pool.big_blocks; e = e->Flink) {
        const BigBlock& big = *CONTAINING_RECORD(e, BigBlock, entry);
        if (big.owner == owner) note_first(leaks, {big.address, big.size, big.tag, is_paged(big.kind), big.owner});
    }
}

} // namespace

namespace detail {

unsigned owner_of(Pool& pool, const void* caller) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(caller);
    if (holds(pool.owners[pool.recent_owner], address)) [[likely]]
        return pool.recent_owner;
    const ke::CodeRange* image = ke::find_code_range(ke::current_machine(), address);
    if (image == nullptr) return the_kernel;
    return pool.recent_owner = enter_owner(pool, *image);
}

} // namespace detail

PoolLeaks report_leaks(const ke::CodeRange& image) noexcept {
    Pool& pool = current_pool();
    for (unsigned i = 1; i < std::size(pool.owners); ++i) {
        PoolOwner& owner = pool.owners[i];
        if (owner.begin != image.begin || owner.end != image.end) continue;
        PoolLeaks leaks{owner.bytes[1], owner.bytes[0], owner.blocks, {}};
        if (leaks.blocks != 0) {
            find_small_leaks(pool, i, leaks);
            find_big_leaks(pool, i, leaks);
        }
        owner.begin = owner.end = 0; // its blocks, if any, keep the index until they are freed
        pool.recent_owner = the_kernel;
        return leaks;
    }
    return {};
}

PoolOwner pool_totals() noexcept {
    PoolOwner totals{};
    for (const PoolOwner& owner : current_pool().owners) {
        totals.bytes[0] += owner.bytes[0];
        totals.bytes[1] += owner.bytes[1];
        totals.blocks += owner.blocks;
    }
    return totals;
}

} // namespace dirql::ex
