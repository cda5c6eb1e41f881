// How pool memory is laid out.
//
//   small block   a page holds blocks of one size, each a BlockHeader, the caller's bytes, then a guard:
//                 | PoolPage | header | bytes of the caller | guard | slack | header | ...
//   big block     whole pages of its own, so the caller's bytes begin on a page; described by a BigBlock elsewhere, and
//                 guarded behind its last byte, in one more page where the last has no room.
//
// So requests of PAGE_SIZE and more are page-aligned, smaller ones never cross a page, and all are aligned to 16 bytes.
#pragma once

#include "ke/address_space.hpp"

#include <ntifs.h>

#include <array>
#include <cstdint>

namespace dirql::ex {

// The kinds of pages. Cache-aligned blocks start on a line of their own.
enum class PoolKind : std::uint8_t { nonpaged, paged, nonpaged_aligned, paged_aligned };
inline constexpr unsigned pool_kinds = 4;

[[nodiscard]] constexpr bool is_paged(PoolKind kind) noexcept { return (static_cast<unsigned>(kind) & 1) != 0; }
[[nodiscard]] constexpr bool is_aligned(PoolKind kind) noexcept { return (static_cast<unsigned>(kind) & 2) != 0; }
[[nodiscard]] constexpr PoolKind pool_kind(ULONG pool_type) noexcept {
    const unsigned paged = (pool_type & PagedPool) != 0;
    const unsigned aligned = (pool_type & NonPagedPoolCacheAligned) != 0;
    return static_cast<PoolKind>(paged | aligned << 1);
}

// Sixteen bytes in front of each small block.
struct BlockHeader {
    std::uint32_t tag;
    std::uint16_t size; // as requested, bytes
    std::uint8_t state; // BlockState
    std::uint8_t owner; // index of State::owners
    // Allocated: a mark made of the block's address, which an underrun or a wrong pointer does not match.
    // Free: the next free block of the size, in the same disguise.
    std::uint64_t mark;
};
static_assert(sizeof(BlockHeader) == 16);

enum BlockState : std::uint8_t {
    block_free = 0x5F,
    block_allocated = 0xA1,
    block_charged = 0xA3, // allocated, and charged to a process: see pool_quota.cpp
};
[[nodiscard]] constexpr bool is_allocated(std::uint8_t state) noexcept {
    return state == block_allocated || state == block_charged;
}

struct PoolPage {
    std::uint64_t mark;
    PoolPage* next; // of the same kind
    PoolKind kind;
    std::uint8_t size_class;
    std::uint16_t first;       // offset of the first block's header
    std::uint16_t count;       // blocks in the page
    std::uint16_t free_blocks; // for give_back_pages() alone
};

struct BigBlock {
    LIST_ENTRY entry; // Pool::big_blocks
    std::byte* address;
    std::size_t size; // as requested
    std::size_t pages;
    std::uint32_t tag;
    PoolKind kind;
    std::uint8_t owner;
    bool charged;
};

inline constexpr std::uint64_t guard_mark = 0xD1A2'7E0F'5AFE'600Dull;
inline constexpr std::size_t guard_size = sizeof guard_mark;
// What memory holds that nobody has written yet, and that nobody may use any more.
inline constexpr std::uint64_t fresh_pattern = 0xBAAD'F00D'BAAD'F00Dull;
inline constexpr std::uint64_t freed_pattern = 0xDEAD'BEEF'DEAD'BEEFull;

[[nodiscard]] inline std::uint64_t allocated_mark(const void* block) noexcept {
    return reinterpret_cast<std::uint64_t>(block) ^ 0xA110'CA7E'D000'0000ull;
}
[[nodiscard]] inline std::uint64_t page_mark(const void* page) noexcept {
    return reinterpret_cast<std::uint64_t>(page) ^ 0x9A6E'0F60'01D5'11ABull;
}
inline constexpr std::uint64_t link_disguise = 0xF4EE'0000'0000'0000ull;

// Sizes of small blocks, header and guard included: multiples of the granule while several fit a page, then fractions
// of it.
struct SizeClasses {
    static constexpr unsigned most = 40;
    static constexpr std::size_t units = ke::page_size / 16 + 1;
    std::array<std::uint16_t, most> size{};
    std::array<std::uint8_t, units> of_units{}; // index: block size in 16-byte units
    std::uint16_t first_offset = 0;
    std::uint16_t largest = 0;
    unsigned count = 0;

    consteval SizeClasses(std::size_t granule, std::size_t offset) : first_offset(static_cast<std::uint16_t>(offset)) {
        const std::size_t room = ke::page_size - offset;
        for (std::size_t bytes = granule < 32 ? 32 : granule; bytes <= room / 8; bytes += granule) add(bytes);
        for (std::size_t parts = 7; parts != 0; --parts) add(room / parts / granule * granule);
        for (std::size_t unit = 0, index = 0; unit < units; ++unit) {
            while (index < count && size[index] < unit * 16) ++index;
            of_units[unit] = static_cast<std::uint8_t>(index);
        }
        largest = size[count - 1];
    }
    consteval void add(std::size_t bytes) {
        if (count == 0 || size[count - 1] < bytes) size[count++] = static_cast<std::uint16_t>(bytes);
    }
};
// A cache-aligned block's header ends where the line begins.
inline constexpr SizeClasses plain_classes{16, 32};
inline constexpr SizeClasses aligned_classes{64, 48};
static_assert(sizeof(PoolPage) <= 32);

[[nodiscard]] constexpr const SizeClasses& classes_of(PoolKind kind) noexcept {
    return is_aligned(kind) ? aligned_classes : plain_classes;
}

[[nodiscard]] inline std::byte* data_of(BlockHeader* header) noexcept {
    return reinterpret_cast<std::byte*>(header + 1);
}
[[nodiscard]] inline BlockHeader* header_of(void* block) noexcept { return static_cast<BlockHeader*>(block) - 1; }
[[nodiscard]] inline PoolPage* page_of(const void* block) noexcept {
    return reinterpret_cast<PoolPage*>(reinterpret_cast<std::uintptr_t>(block) & ~(ke::page_size - 1));
}
[[nodiscard]] inline BlockHeader* block_in(PoolPage* page, unsigned index) noexcept {
    const std::size_t size = classes_of(page->kind).size[page->size_class];
    return reinterpret_cast<BlockHeader*>(reinterpret_cast<std::byte*>(page) + page->first + index * size);
}

} // namespace dirql::ex
