// The pages behind the pool: new ones for small blocks, and back to the machine when memory runs short.
#include "ex/pool.hpp"

#include "ke/pageable.hpp"
#include "ke/stop.hpp"
#include "ke/user_copy.hpp"

#include <cstring>

namespace dirql::ex {
namespace {

using namespace detail;

BlockHeader* next_free(const BlockHeader* header) noexcept {
    return reinterpret_cast<BlockHeader*>(header->mark ^ link_disguise);
}

void link_free(BlockHeader*& head, BlockHeader* header) noexcept {
    header->mark = reinterpret_cast<std::uint64_t>(head) ^ link_disguise;
    head = header;
}

// How many of each page's blocks are free.
void count_free_blocks(Pool& pool, unsigned kind) noexcept {
    for (PoolPage* page = pool.pages[kind]; page != nullptr; page = page->next) page->free_blocks = 0;
    for (const BlockHeader* list : pool.free[kind]) {
        for (const BlockHeader* header = list; header != nullptr; header = next_free(header))
            ++page_of(header)->free_blocks;
    }
}

bool is_empty(const PoolPage& page) noexcept { return page.free_blocks == page.count; }

// Takes the blocks of empty pages off their lists, and keeps the others' order.
void forget_blocks_of_empty_pages(BlockHeader*& list) noexcept {
    BlockHeader* kept = nullptr;
    BlockHeader* rest = list;
    while (rest != nullptr) {
        BlockHeader* header = rest;
        rest = next_free(header);
        if (!is_empty(*page_of(header))) link_free(kept, header);
    }
    list = nullptr;
    while (kept != nullptr) {
        BlockHeader* header = kept;
        kept = next_free(header);
        link_free(list, header);
    }
}

bool free_empty_pages(Pool& pool, unsigned kind) noexcept {
    bool any = false;
    PoolPage** link = &pool.pages[kind];
    while (PoolPage* page = *link) {
        if (!is_empty(*page)) {
            link = &page->next;
            continue;
        }
        *link = page->next;
        page->mark = 0;
        detail::forget_paged(page->kind, page, 1);
        pool.slot->free_pages(page, 1);
        any = true;
    }
    return any;
}

bool is_pool_page(PoolPage* page) noexcept {
    std::uint64_t mark = 0; // guard pages cannot be read
    return ke::copy_guarded(&mark, &page->mark, sizeof mark) && mark == page_mark(page);
}

} // namespace

bool give_back_pages(Pool& pool) noexcept {
    const ke::PageableLook look; // memory may run short at DISPATCH_LEVEL
    bool any = false;
    for (unsigned kind = 0; kind < pool_kinds; ++kind) {
        count_free_blocks(pool, kind);
        for (BlockHeader*& list : pool.free[kind]) forget_blocks_of_empty_pages(list);
        any |= free_empty_pages(pool, kind);
    }
    return any;
}

namespace detail {

void feel_paged(void* block, std::size_t bytes) noexcept {
    ke::make_pageable(ke::current_machine(), block,
                      ke::pages_for(reinterpret_cast<std::uintptr_t>(block) % ke::page_size + bytes));
}

void forget_paged(PoolKind kind, void* pages, std::size_t count) noexcept {
    if (is_paged(kind)) ke::make_nonpageable(ke::current_machine(), pages, count);
}

std::byte* allocate_pool_pages(Pool& pool, std::size_t count) noexcept {
    std::byte* pages = pool.slot->allocate_pages(count);
    if (pages == nullptr && give_back_pages(pool)) pages = pool.slot->allocate_pages(count);
    return pages;
}

BlockHeader* refill(Pool& pool, PoolKind kind, unsigned size_class) noexcept {
    auto* page = reinterpret_cast<PoolPage*>(allocate_pool_pages(pool, 1));
    if (page == nullptr) return nullptr;
    const SizeClasses& classes = classes_of(kind);
    const std::size_t count = (ke::page_size - classes.first_offset) / classes.size[size_class];
    fill_units(page, ke::page_size, freed_pattern);
    *page = {page_mark(page),      pool.pages[static_cast<unsigned>(kind)], kind, static_cast<std::uint8_t>(size_class),
             classes.first_offset, static_cast<std::uint16_t>(count),       0};
    pool.pages[static_cast<unsigned>(kind)] = page;
    BlockHeader*& head = pool.free[static_cast<unsigned>(kind)][size_class];
    for (std::size_t i = count; i-- != 0;) {
        BlockHeader* header = block_in(page, static_cast<unsigned>(i));
        *header = {0, 0, block_free, 0, 0};
        link_free(head, header);
    }
    return head;
}

} // namespace detail

PoolBlock find_pool_block(const void* address) noexcept {
    const ke::PageableLook look;
    const Pool& pool = current_pool();
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    if (where - pool.base >= pool.size) return {};
    for (LIST_ENTRY* e = pool.big_blocks.Flink; e != &pool.big_blocks; e = e->Flink) {
        const BigBlock& big = *CONTAINING_RECORD(e, BigBlock, entry);
        if (where - reinterpret_cast<std::uintptr_t>(big.address) < big.size)
            return {big.address, big.size, big.tag, is_paged(big.kind), big.owner};
    }
    PoolPage* page = page_of(address);
    const std::size_t offset = where % ke::page_size;
    if (!is_pool_page(page) || offset < page->first) return {};
    const std::size_t index = (offset - page->first) / classes_of(page->kind).size[page->size_class];
    if (index >= page->count) return {};
    BlockHeader* header = block_in(page, static_cast<unsigned>(index));
    if (!is_allocated(header->state)) return {};
    return {data_of(header), header->size, header->tag, is_paged(page->kind), header->owner};
}

namespace detail {
namespace {

// Tells a block freed twice from a pointer that never was a block, and both from a block whose header was overwritten.
[[noreturn]] void bad_small_free(void* block) noexcept {
    PoolPage* page = page_of(block);
    const std::size_t offset = reinterpret_cast<std::uintptr_t>(block) % ke::page_size - sizeof(BlockHeader);
    const BlockHeader* header = header_of(block);
    const std::size_t size = classes_of(page->kind).size[page->size_class];
    const bool starts_here = offset >= page->first && (offset - page->first) % size == 0;
    if (!starts_here) {
        ke::bug_check(BAD_POOL_CALLER, 0x99, ke::parameter(block), 0, 0,
                      {.rule = "a pointer into the middle of a pool block was freed",
                       .document = "Bug Check 0xC2: BAD_POOL_CALLER"});
    }
    std::uint64_t contents;
    std::memcpy(&contents, header, sizeof contents);
    if (header->state == block_free) freed_twice(contents, block, header->tag);
    ke::bug_check(BAD_POOL_CALLER, 1, ke::parameter(header), contents, 0,
                  {.rule = "the header of a pool block was overwritten: by its owner before the block's first byte, or "
                           "by the block in front",
                   .document = "Bug Check 0xC2: BAD_POOL_CALLER"});
}

} // namespace

void bad_free(const Pool& pool, void* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    if (address < ke::halves().system) {
        ke::bug_check(
            BAD_POOL_CALLER, 0x40, address, ke::halves().system, 0,
            {.rule = "pool was freed at an address of the user half", .document = "Bug Check 0xC2: BAD_POOL_CALLER"});
    }
    if (address - pool.base < pool.size && (address & 15) == 0 && address % ke::page_size >= sizeof(PoolPage) &&
        is_pool_page(page_of(block))) {
        bad_small_free(block);
    }
    ke::bug_check(
        BAD_POOL_CALLER, 0x46, address, 0, 0,
        {.rule = "the address that was freed is no pool block", .document = "Bug Check 0xC2: BAD_POOL_CALLER"});
}

} // namespace detail
} // namespace dirql::ex
