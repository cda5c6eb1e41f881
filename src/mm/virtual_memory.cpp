#include "mm/virtual_memory.hpp"

#include "mm/section.hpp"

#include <algorithm>

namespace dirql::mm {
namespace {

constexpr ULONG_PTR most_zero_bits = 21;
constexpr ULONG copied_on_write = PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY;

void* page_base(const void* address) noexcept { return PAGE_ALIGN(address); }

VirtualRange range_of(const Arena& arena, PageRange pages) noexcept {
    return {arena.address_of(pages.first), std::size_t{pages.count} * ke::page_size};
}

// The pages of the range, where they lie in one region.
Region* find_region(const Arena& arena, const VirtualRange& range, PageRange& pages) noexcept {
    if (!arena_holds(arena, range.base, range.bytes)) return nullptr;
    pages = pages_of(arena, range.base, range.bytes);
    Region* region = region_at(arena, pages.first);
    return region != nullptr && region_holds(*region, pages) ? region : nullptr;
}

// ArenaPage::shift of a private page, while the commit under way may have to be undone.
constexpr std::uint8_t being_committed = 2;

void undo_commit(Arena& arena, PageRange pages) noexcept {
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) {
        if (arena.find(page)->shift == being_committed) decommit_page(arena, page);
    }
}

// All or nothing: what was not committed before is not afterwards, when memory runs out.
NTSTATUS commit_private(Region& region, PageRange pages, ULONG protect) noexcept {
    Arena& arena = *region.arena;
    std::uint32_t missing = 0;
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) missing += !is_backed(*arena.find(page));
    if (missing > arena.slot->free_page_count()) return STATUS_COMMITMENT_LIMIT;
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) {
        ArenaPage& entry = *arena.find(page);
        if (is_backed(entry)) continue;
        entry.shift = being_committed;
        if (commit_page(arena, page, protect)) continue;
        entry.shift = 0;
        undo_commit(arena, {pages.first, page - pages.first});
        return STATUS_COMMITMENT_LIMIT;
    }
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) {
        arena.find(page)->shift = 0;
        protect_page(arena, page, protect);
    }
    return STATUS_SUCCESS;
}

bool fully_committed(const Section& section) noexcept { return (section.attributes & SEC_COMMIT) != 0; }

NTSTATUS commit(Region& region, PageRange pages, ULONG protect) noexcept {
    if (region.section == nullptr)
        return (protect & copied_on_write) != 0 ? STATUS_INVALID_PAGE_PROTECTION
                                                : commit_private(region, pages, protect);
    return fully_committed(*region.section) ? STATUS_ALREADY_COMMITTED : commit_view(region, pages, protect);
}

NTSTATUS reserve(Arena& arena, VirtualRange& range, ULONG type, ULONG protect) noexcept {
    if ((protect & copied_on_write) != 0) return STATUS_INVALID_PAGE_PROTECTION;
    Region* region = nullptr;
    NTSTATUS status = make_region(arena, range.base, range.bytes, (type & MEM_TOP_DOWN) != 0, region);
    if (!NT_SUCCESS(status)) return status;
    region->protect = protect;
    const PageRange pages{region->first, region->count};
    if ((type & MEM_COMMIT) != 0) status = commit_private(*region, pages, protect);
    if (NT_SUCCESS(status)) {
        range = range_of(arena, pages);
    } else {
        release_region(*region);
    }
    return status;
}

NTSTATUS decommit(Region& region, PageRange pages) noexcept {
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) decommit_page(*region.arena, page);
    return STATUS_SUCCESS;
}

// What a page is like, for queries: neighbours that are alike make a region.
struct PageView {
    void* allocation_base;
    ULONG allocation_protect;
    ULONG state;
    ULONG protect;
    ULONG type;
    bool operator==(const PageView&) const noexcept = default;
};

PageView of_region(const Region& region, const ArenaPage& entry) noexcept {
    const ULONG type = region.section != nullptr ? MEM_MAPPED : MEM_PRIVATE;
    const bool backed = is_backed(entry);
    return {region.arena->address_of(region.first), region.protect, backed ? ULONG{MEM_COMMIT} : ULONG{MEM_RESERVE},
            backed ? protection_of(entry) : 0, type};
}

// What the kernel has made in the arena: the heap that the host program allocates from, stacks, mapped MDLs.
PageView of_arena(const Arena& arena, std::uint32_t page) noexcept {
    const ArenaPage* entry = arena.find(page);
    const PageState state = entry == nullptr ? PageState::hole : entry->state;
    if (state == PageState::hole) return {nullptr, 0, MEM_FREE, PAGE_NOACCESS, 0};
    const ULONG type = state == PageState::view ? MEM_MAPPED : MEM_PRIVATE;
    if (state == PageState::guard) return {arena.base, PAGE_READWRITE, MEM_RESERVE, 0, type};
    return {arena.base, PAGE_READWRITE, MEM_COMMIT, PAGE_READWRITE, type};
}

PageView view_of(const Arena& arena, std::uint32_t page) noexcept {
    const Region* region = region_at(arena, page);
    return region != nullptr ? of_region(*region, *arena.find(page)) : of_arena(arena, page);
}

MEMORY_BASIC_INFORMATION free_range(void* base, std::uintptr_t end) noexcept {
    MEMORY_BASIC_INFORMATION information{};
    information.BaseAddress = base;
    information.RegionSize = end - reinterpret_cast<std::uintptr_t>(base);
    information.State = MEM_FREE;
    information.Protect = PAGE_NOACCESS;
    return information;
}

} // namespace

NTSTATUS check_allocation(const VirtualRange& range, ULONG_PTR zero_bits, ULONG type, ULONG protect) noexcept {
    constexpr ULONG known = MEM_COMMIT | MEM_RESERVE | MEM_RESET | MEM_TOP_DOWN;
    if (zero_bits > most_zero_bits) return STATUS_INVALID_PARAMETER_3;
    if ((type & ~known) != 0 || (type & (MEM_COMMIT | MEM_RESERVE | MEM_RESET)) == 0) return STATUS_INVALID_PARAMETER_5;
    if ((type & MEM_RESET) != 0 && type != MEM_RESET) return STATUS_INVALID_PARAMETER_5;
    if (!valid_protection(protect)) return STATUS_INVALID_PAGE_PROTECTION;
    const auto base = reinterpret_cast<std::uintptr_t>(range.base);
    if (base >= ke::user_probe_address()) return STATUS_INVALID_PARAMETER_2;
    return range.bytes == 0 || range.bytes > ke::user_probe_address() - base ? STATUS_INVALID_PARAMETER_4
                                                                             : STATUS_SUCCESS;
}

// Addresses have no high bits to spare: all of the arena is as good as any of it, whatever zero_bits says.
NTSTATUS allocate_virtual(Arena& arena, VirtualRange& range, ULONG_PTR zero_bits, ULONG type, ULONG protect,
                          KPROCESSOR_MODE mode) noexcept {
    const NTSTATUS checked = check_allocation(range, zero_bits, type, protect);
    if (!NT_SUCCESS(checked)) return checked;
    if ((type & MEM_RESERVE) != 0 || (range.base == nullptr && (type & MEM_COMMIT) != 0))
        return reserve(arena, range, type, protect);
    PageRange pages{};
    Region* region = find_region(arena, range, pages);
    if (region == nullptr) return STATUS_CONFLICTING_ADDRESSES;
    // MEM_RESET: the contents may go. They stay.
    if ((type & MEM_COMMIT) != 0 && !secures_allow(arena, pages, protect, mode)) return STATUS_INVALID_PAGE_PROTECTION;
    const NTSTATUS status = (type & MEM_COMMIT) != 0 ? commit(*region, pages, protect) : STATUS_SUCCESS;
    if (NT_SUCCESS(status)) range = range_of(arena, pages);
    return status;
}

NTSTATUS free_virtual(Arena& arena, VirtualRange& range, ULONG type, KPROCESSOR_MODE mode) noexcept {
    if (type != MEM_DECOMMIT && type != MEM_RELEASE) return STATUS_INVALID_PARAMETER_4;
    const auto base = reinterpret_cast<std::uintptr_t>(range.base);
    if (base >= ke::user_probe_address()) return STATUS_INVALID_PARAMETER_2;
    if (range.bytes > ke::user_probe_address() - base) return STATUS_INVALID_PARAMETER_3;
    if (!arena_holds(arena, range.base, 1)) return STATUS_MEMORY_NOT_ALLOCATED;
    Region* region = region_at(arena, arena.page_of(range.base));
    if (region == nullptr) return STATUS_MEMORY_NOT_ALLOCATED;
    if (region->section != nullptr) return STATUS_UNABLE_TO_DELETE_SECTION;
    PageRange pages{region->first, region->count};
    if (range.bytes == 0) {
        if (page_base(range.base) != arena.address_of(region->first)) return STATUS_FREE_VM_NOT_AT_BASE;
    } else {
        if (!arena_holds(arena, range.base, range.bytes)) return STATUS_UNABLE_TO_FREE_VM;
        pages = pages_of(arena, range.base, range.bytes);
        const bool whole = pages.first == region->first && pages.count == region->count;
        if (!region_holds(*region, pages) || (type == MEM_RELEASE && !whole)) return STATUS_UNABLE_TO_FREE_VM;
    }
    if (!secures_allow(arena, pages, 0, mode)) return STATUS_INVALID_PAGE_PROTECTION;
    range = range_of(arena, pages);
    if (type == MEM_DECOMMIT) return decommit(*region, pages);
    release_region(*region);
    return STATUS_SUCCESS;
}

NTSTATUS protect_virtual(Arena& arena, VirtualRange& range, ULONG protect, KPROCESSOR_MODE mode, ULONG& old) noexcept {
    if (!valid_protection(protect)) return STATUS_INVALID_PAGE_PROTECTION;
    const auto base = reinterpret_cast<std::uintptr_t>(range.base);
    if (base >= ke::user_probe_address()) return STATUS_INVALID_PARAMETER_2;
    if (range.bytes == 0 || range.bytes > ke::user_probe_address() - base) return STATUS_INVALID_PARAMETER_3;
    PageRange pages{};
    const Region* region = find_region(arena, range, pages);
    if (region == nullptr) return STATUS_CONFLICTING_ADDRESSES;
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) {
        if (!is_backed(*arena.find(page))) return STATUS_NOT_COMMITTED;
    }
    if (region->section == nullptr && (protect & copied_on_write) != 0) return STATUS_INVALID_PAGE_PROTECTION;
    if (region->section != nullptr && !view_allows(*region, protect)) return STATUS_SECTION_PROTECTION;
    if (!secures_allow(arena, pages, protect, mode)) return STATUS_INVALID_PAGE_PROTECTION;
    old = protection_of(*arena.find(pages.first));
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) protect_page(arena, page, protect);
    range = range_of(arena, pages);
    return STATUS_SUCCESS;
}

MEMORY_BASIC_INFORMATION query_virtual(const Arena* arena, void* address) noexcept {
    void* const base = page_base(address);
    if (arena == nullptr || !arena_holds(*arena, base, 1)) {
        const bool below = arena != nullptr && base < arena->base;
        return free_range(base, below ? reinterpret_cast<std::uintptr_t>(arena->base) : ke::user_probe_address());
    }
    const std::uint32_t first = arena->page_of(base);
    const PageView view = view_of(*arena, first);
    std::uint32_t end = first + 1;
    // Behind `top` there are holes alone.
    while (end < Arena::page_count && (end < arena->top || view.state != MEM_FREE) && view_of(*arena, end) == view)
        ++end;
    if (view.state == MEM_FREE && end >= arena->top) return free_range(base, ke::user_probe_address());
    MEMORY_BASIC_INFORMATION information{};
    information.BaseAddress = base;
    information.AllocationBase = view.allocation_base;
    information.AllocationProtect = view.allocation_protect;
    information.RegionSize = std::size_t{end - first} * ke::page_size;
    information.State = view.state;
    information.Protect = view.protect;
    information.Type = view.type;
    return information;
}

} // namespace dirql::mm
