// Regions: the stretches of an arena that system services have reserved, and the views of sections in it.
//
// A region begins on a multiple of 64 KiB. Of its pages the arena knows: `reserved`, no memory; `committed`, a frame of the
// process's own; `view`, of a section's. A page's protection, of those two, is kept in ArenaPage::used.
#pragma once

#include "mm/arena.hpp"
#include "mm/protection.hpp"

#include <ntifs.h>

namespace dirql::mm {

struct Section;

inline constexpr std::size_t granularity = 0x10000;
inline constexpr std::uint32_t granularity_pages = granularity / ke::page_size;

struct Region {
    LIST_ENTRY entry; // Arena::regions, in the order of addresses
    Arena* arena;
    std::uint32_t first; // page of the arena
    std::uint32_t count;
    ULONG protect;            // as allocated
    Section* section;         // a view: referenced; null for private memory
    std::uint32_t offset;     // of the view in the section, pages
    ACCESS_MASK granted;      // SECTION_MAP_*: what the view may be used for
    LIST_ENTRY section_entry; // Section::views
};

// A range whose protection is held: MmSecureVirtualMemory.
struct Secure {
    LIST_ENTRY entry; // Arena::secures
    std::uint32_t first;
    std::uint32_t count;
    ULONG probe_mode; // PAGE_READONLY or PAGE_READWRITE
    ULONG flags;      // MM_SECURE_*
};

// Pages of an arena, [first, first + count).
struct PageRange {
    std::uint32_t first;
    std::uint32_t count;
    [[nodiscard]] std::uint32_t end() const noexcept { return first + count; }
};
// The pages that hold [address, address + bytes). The caller has seen that they lie in the arena.
[[nodiscard]] PageRange pages_of(const Arena& arena, const void* address, std::size_t bytes) noexcept;
[[nodiscard]] bool arena_holds(const Arena& arena, const void* address, std::size_t bytes) noexcept;

[[nodiscard]] Region* region_at(const Arena& arena, std::uint32_t page) noexcept;
[[nodiscard]] inline bool region_holds(const Region& region, PageRange pages) noexcept {
    return pages.first >= region.first && pages.end() <= region.first + region.count;
}

// A region of reserved pages at `at`, or anywhere (null), from the top where `top_down`. STATUS_CONFLICTING_ADDRESSES,
// STATUS_NO_MEMORY (no room), STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS make_region(Arena& arena, const void* at, std::size_t bytes, bool top_down,
                                   Region*& region) noexcept;
// Its memory goes, its addresses are free. A view's section is dereferenced.
void release_region(Region& region) noexcept;
void release_all_regions(Arena& arena) noexcept;

// One page, changed. False when memory is short, with the page as it was.
[[nodiscard]] bool commit_page(Arena& arena, std::uint32_t page, ULONG protect) noexcept;
void decommit_page(Arena& arena, std::uint32_t page) noexcept;
[[nodiscard]] bool map_page(Arena& arena, std::uint32_t page, ke::Pfn frame, ULONG protect) noexcept;
void protect_page(Arena& arena, std::uint32_t page, ULONG protect) noexcept;
// Committed, or of a view and mapped.
[[nodiscard]] bool is_backed(const ArenaPage& page) noexcept;
[[nodiscard]] inline ULONG protection_of(const ArenaPage& page) noexcept { return static_cast<ULONG>(page.used); }

// May these pages get this protection (0: none at all, they are freed) by a caller of this mode?
[[nodiscard]] bool secures_allow(const Arena& arena, PageRange pages, ULONG protect, KPROCESSOR_MODE mode) noexcept;

// The next touch of this page finds PAGE_GUARD.
[[nodiscard]] bool is_guard_page(const void* address) noexcept;

// Machine::hooks: guard pages, and the first write to a page that is copied on write.
[[nodiscard]] ke::UserFault user_fault(ke::Machine& machine, void* address, bool write) noexcept;

} // namespace dirql::mm
