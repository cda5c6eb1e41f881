// The pools: nonpaged and paged, tagged, each block accounted to the image that allocated it.
//
// Errors end as NT's free build ends them, and each of these is looked for in every allocation and free:
//   freed twice 0xC2/7, with the wrong tag 0xC2/0xA, an address that is no block 0xC2/0x46, or the user half's 0xC2/0x40
//   written past its end 0x19/0x21, before its beginning 0xC2/1, after it was freed 0xC6
//   paged pool above APC_LEVEL 0xC4/1 and 0xC4/0x11, nonpaged above DISPATCH_LEVEL 0xC4/2 and 0xC4/0x12
//
// Paged pool that a driver has allocated is out of reach at DISPATCH_LEVEL and above: see ke/pageable.hpp.
// The pool is shared by all processors of a machine; no code of it passes a preemption point.
#pragma once

#include "ex/pool_layout.hpp"
#include "ke/machine.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::ex {

// An image that allocates. Index 0 is the kernel itself.
struct PoolOwner {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::size_t bytes[2]; // nonpaged, paged; as requested
    std::size_t blocks;
};

struct Pool {
    BlockHeader* free[pool_kinds][SizeClasses::most];
    ke::Choice* failures; // null but in a machine whose memory is to run short: then it is asked before each allocation
    ke::Slot* slot;
    std::uintptr_t base; // of the memory that blocks can lie in
    std::size_t size;
    unsigned recent_owner; // the image that allocated last
    PoolOwner owners[ke::Machine::max_images + 2];
    PoolPage* pages[pool_kinds];
    LIST_ENTRY big_blocks;
    // Big blocks by frame: a leaf covers 512 frames. An entry is a BigBlock*, or freed_big | tag << 32, or 0.
    std::uint64_t* big_leaves[ke::max_physical_memory / ke::page_size / 512];
};
inline constexpr std::uint64_t freed_big = 1;

void initialize_pool(Pool& pool, ke::Slot& slot) noexcept;
[[nodiscard]] Pool& current_pool() noexcept;
// Gives pages without allocated blocks back. True when there were any.
bool give_back_pages(Pool& pool) noexcept;

// From now on allocations may fail, as the choice door decides: see Choice::fail_allocation. Or no longer.
void allow_allocation_failures(ke::Machine& machine, bool allow) noexcept;

// What fresh memory holds. `none`: the caller writes all of it at once.
enum class Fill : std::uint8_t { pattern, zero, none };

// A tag as the tools show it.
[[nodiscard]] consteval ULONG pool_tag(const char (&text)[5]) noexcept {
    ULONG tag = 0;
    for (unsigned i = 0; i < 4; ++i) tag |= static_cast<ULONG>(static_cast<unsigned char>(text[i])) << (8 * i);
    return tag;
}

// The kernel's own allocations: no door, no IRQL check. Null when memory is short.
[[nodiscard]] void* allocate_pool(POOL_TYPE type, std::size_t bytes, ULONG tag, Fill fill = Fill::pattern) noexcept;
// For an image: the one that holds `caller`.
[[nodiscard]] void* allocate_pool_for(const void* caller, ULONG type, std::size_t bytes, ULONG tag, Fill fill) noexcept;

// Checks the block as described above, the tag unless it is 0.
void free_pool(void* block, ULONG tag) noexcept;

// What the exports do with a driver's request: they check the type, the tag and the IRQL, and raise where the type asks
// for it.
[[nodiscard]] void* allocate_pool_checked(const void* caller, ULONG type, std::size_t bytes, ULONG tag);
// Looks for kernel objects in the block that are in use still.
void free_pool_checked(void* block, ULONG tag) noexcept;

// The size that was asked for. The block is a valid one.
[[nodiscard]] std::size_t pool_block_size(void* block) noexcept;

// The block that an address lies in; null data when it lies in none that is allocated.
struct PoolBlock {
    std::byte* data;
    std::size_t size;
    ULONG tag;
    bool paged;
    std::uint8_t owner;
};
[[nodiscard]] PoolBlock find_pool_block(const void* address) noexcept;

// What an image has not freed. ldr or io asks when the image is unloaded, and bug checks with 0xC4/0x62 when blocks >
// 0; the image is then forgotten as an owner.
struct PoolLeaks {
    std::size_t paged_bytes;
    std::size_t nonpaged_bytes;
    std::size_t blocks;
    PoolBlock first; // the one at the lowest address
};
[[nodiscard]] PoolLeaks report_leaks(const ke::CodeRange& image) noexcept;

// Bytes that are allocated, of all owners, and blocks.
[[nodiscard]] PoolOwner pool_totals() noexcept;

namespace detail {
// Fills or compares whole 16-byte units.
void fill_units(void* memory, std::size_t bytes, std::uint64_t pattern) noexcept;
[[nodiscard]] const std::byte* first_difference(const void* memory, std::size_t bytes, std::uint64_t pattern) noexcept;

// A free block of the class, carved from a new page. Null when memory is short.
[[nodiscard]] BlockHeader* refill(Pool& pool, PoolKind kind, unsigned size_class) noexcept;
[[nodiscard]] std::byte* allocate_pool_pages(Pool& pool, std::size_t count) noexcept;

[[nodiscard]] void* allocate_big(Pool& pool, PoolKind kind, std::size_t bytes, ULONG tag, unsigned owner,
                                 Fill fill) noexcept;
void free_big(Pool& pool, void* block, ULONG tag) noexcept;
// A charged block is freed: its process may have others for it.
[[gnu::cold]] void return_charge(void* block, std::size_t bytes, bool paged) noexcept;
[[nodiscard]] BigBlock* find_big(const Pool& pool, const void* address) noexcept;
[[nodiscard]] std::uint64_t big_entry(const Pool& pool, const void* address) noexcept;

// The pages of a paged block that a driver has got are pageable from now on; these pages are no pool any more. See
// ke/pageable.hpp.
void feel_paged(void* block, std::size_t bytes) noexcept;
void forget_paged(PoolKind kind, void* pages, std::size_t count) noexcept;

[[nodiscard]] unsigned owner_of(Pool& pool, const void* caller) noexcept;

// The highest IRQL at which blocks of a kind may be allocated and freed.
[[nodiscard]] constexpr KIRQL highest_irql(PoolKind kind) noexcept {
    return is_paged(kind) ? APC_LEVEL : DISPATCH_LEVEL;
}
[[noreturn, gnu::cold]] void free_irql_violation(PoolKind kind, const void* block) noexcept;
[[noreturn, gnu::cold]] void allocate_irql_violation(ULONG type, std::size_t bytes) noexcept;

inline void check_free_irql(PoolKind kind, const void* block) noexcept {
    if (ke::current_processor()->irql > highest_irql(kind)) [[unlikely]]
        free_irql_violation(kind, block);
}

// Diagnoses why a pointer is not an allocated block.
[[noreturn, gnu::cold]] void bad_free(const Pool& pool, void* block) noexcept;
[[noreturn, gnu::cold]] void freed_twice(std::uint64_t header, const void* block, ULONG tag) noexcept;
[[noreturn, gnu::cold]] void wrong_tag(const void* block, ULONG allocated, ULONG freed) noexcept;
[[noreturn, gnu::cold]] void overrun(const void* block, std::size_t size, ULONG tag) noexcept;
[[noreturn, gnu::cold]] void modified_after_free(const std::byte* where, ULONG tag) noexcept;
[[noreturn, gnu::cold]] void free_list_corrupt(const BlockHeader* header) noexcept;
} // namespace detail

} // namespace dirql::ex
