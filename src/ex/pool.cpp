// The small blocks: where nearly every allocation goes.
#include "ex/pool.hpp"

#include "ex/state.hpp"
#include "ke/processor.hpp"

#include <cstring>

namespace dirql::ex {

using namespace detail;

namespace detail {
namespace {

// Sixteen bytes at a time; blocks are multiples of that.
using Unit = std::uint64_t __attribute__((vector_size(16), aligned(16), may_alias));

[[gnu::cold, gnu::noinline]] const std::byte* locate_difference(const void* memory, std::uint64_t pattern) noexcept {
    const auto* byte = static_cast<const unsigned char*>(memory);
    std::size_t i = 0;
    while (byte[i] == static_cast<unsigned char>(pattern >> (i % 8 * 8))) ++i;
    return static_cast<const std::byte*>(memory) + i;
}

} // namespace

void fill_units(void* memory, std::size_t bytes, std::uint64_t pattern) noexcept {
    const Unit unit{pattern, pattern};
    auto* at = static_cast<Unit*>(memory);
#pragma GCC unroll 4
    for (auto* end = at + bytes / sizeof(Unit); at != end; ++at) *at = unit;
}

const std::byte* first_difference(const void* memory, std::size_t bytes, std::uint64_t pattern) noexcept {
    const Unit unit{pattern, pattern};
    Unit seen{0, 0};
    const auto* at = static_cast<const Unit*>(memory);
#pragma GCC unroll 4
    for (const auto* end = at + bytes / sizeof(Unit); at != end; ++at) seen |= *at ^ unit;
    if ((seen[0] | seen[1]) == 0) [[likely]]
        return nullptr;
    return locate_difference(memory, pattern);
}

} // namespace detail

namespace {

BlockHeader* next_of(const BlockHeader* header) noexcept {
    return reinterpret_cast<BlockHeader*>(header->mark ^ link_disguise);
}

// Takes a free block from its list. A link or pattern that changed since it was freed is a driver's doing.
BlockHeader* take_free(Pool& pool, PoolKind kind, unsigned size_class, std::size_t block_size) noexcept {
    BlockHeader*& head = pool.free[static_cast<unsigned>(kind)][size_class];
    BlockHeader* header = head;
    if (header == nullptr) [[unlikely]] {
        header = refill(pool, kind, size_class);
        if (header == nullptr) return nullptr;
    }
    BlockHeader* next = next_of(header);
    const bool link_sound = next == nullptr || reinterpret_cast<std::uintptr_t>(next) - pool.base < pool.size;
    if (header->state != block_free || !link_sound) [[unlikely]]
        free_list_corrupt(header);
    const std::byte* changed = first_difference(data_of(header), block_size - sizeof *header, freed_pattern);
    if (changed != nullptr) [[unlikely]]
        modified_after_free(changed, header->tag);
    head = next;
    return header;
}

void* allocate(Pool& pool, PoolKind kind, std::size_t bytes, ULONG tag, unsigned owner, Fill fill) noexcept {
    if (pool.failures != nullptr && pool.failures->allocation_fails()) [[unlikely]]
        return nullptr;
    const SizeClasses& classes = classes_of(kind);
    const std::size_t whole = bytes + sizeof(BlockHeader) + guard_size;
    if (whole > classes.largest || whole < bytes) [[unlikely]]
        return allocate_big(pool, kind, bytes, tag, owner, fill);
    const unsigned size_class = classes.of_units[(whole + 15) / 16];
    const std::size_t block_size = classes.size[size_class];
    BlockHeader* header = take_free(pool, kind, size_class, block_size);
    if (header == nullptr) return nullptr;
    std::byte* data = data_of(header);
    header->tag = tag;
    header->size = static_cast<std::uint16_t>(bytes);
    header->state = block_allocated;
    header->owner = static_cast<std::uint8_t>(owner);
    header->mark = allocated_mark(data);
    if (fill != Fill::none) fill_units(data, block_size - sizeof *header, fill == Fill::zero ? 0 : fresh_pattern);
    std::memcpy(data + bytes, &guard_mark, guard_size);
    pool.owners[owner].bytes[is_paged(kind)] += bytes;
    ++pool.owners[owner].blocks;
    return data;
}

bool can_be_small(const Pool& pool, const void* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    return address - pool.base < pool.size && (address & 15) == 0 &&
           (address & (ke::page_size - 1)) >= sizeof(BlockHeader);
}

void free_small(Pool& pool, void* block, ULONG tag) noexcept {
    BlockHeader* header = header_of(block);
    PoolPage* page = page_of(block);
    if (header->mark != allocated_mark(block) || page->mark != page_mark(page)) [[unlikely]]
        bad_free(pool, block);
    std::uint64_t guard;
    std::memcpy(&guard, static_cast<std::byte*>(block) + header->size, guard_size);
    if (guard != guard_mark) [[unlikely]]
        overrun(block, header->size, header->tag);
    if (tag != 0 && tag != header->tag) [[unlikely]]
        wrong_tag(block, header->tag, tag);
    check_free_irql(page->kind, block);
    if (header->state == block_charged) [[unlikely]]
        return_charge(block, header->size, is_paged(page->kind));
    PoolOwner& owner = pool.owners[header->owner];
    owner.bytes[is_paged(page->kind)] -= header->size;
    --owner.blocks;
    const std::size_t block_size = classes_of(page->kind).size[page->size_class];
    fill_units(block, block_size - sizeof *header, freed_pattern);
    BlockHeader*& head = pool.free[static_cast<unsigned>(page->kind)][page->size_class];
    header->state = block_free;
    header->mark = reinterpret_cast<std::uint64_t>(head) ^ link_disguise;
    head = header;
}

} // namespace

void initialize_pool(Pool& pool, ke::Slot& slot) noexcept {
    pool.slot = &slot;
    pool.base = reinterpret_cast<std::uintptr_t>(slot.system_base());
    pool.size = slot.physical_pages() * ke::page_size;
    InitializeListHead(&pool.big_blocks);
}

void allow_allocation_failures(ke::Machine& machine, bool allow) noexcept {
    state_of(machine).pool.failures = allow ? &machine.choice : nullptr;
}

Pool& current_pool() noexcept { return current_state().pool; }

void* allocate_pool(POOL_TYPE type, std::size_t bytes, ULONG tag, Fill fill) noexcept {
    return allocate(current_pool(), pool_kind(type), bytes, tag, 0, fill);
}

void* allocate_pool_for(const void* caller, ULONG type, std::size_t bytes, ULONG tag, Fill fill) noexcept {
    Pool& pool = current_pool();
    void* block = allocate(pool, pool_kind(type), bytes, tag, owner_of(pool, caller), fill);
    if ((type & PagedPool) != 0 && block != nullptr) detail::feel_paged(block, bytes);
    return block;
}

void free_pool(void* block, ULONG tag) noexcept {
    Pool& pool = current_pool();
    if (can_be_small(pool, block)) [[likely]]
        return free_small(pool, block, tag);
    free_big(pool, block, tag);
}

std::size_t pool_block_size(void* block) noexcept {
    const BigBlock* big = find_big(current_pool(), block);
    return big != nullptr ? big->size : header_of(block)->size;
}

} // namespace dirql::ex
