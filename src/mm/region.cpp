#include "mm/region.hpp"

#include "ex/pool.hpp"
#include "mm/section.hpp"
#include "mm/state.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::mm {
namespace {

constexpr ULONG region_tag = ex::pool_tag("MmRg");
// ArenaPage::shift of a view's page that has a frame of the process's own, copied on write.
constexpr std::uint8_t own_copy = 1;
// The page is mapped.
constexpr std::uint64_t mapped_mark = std::uint64_t{1} << 32;

Region* region_of(LIST_ENTRY* entry) noexcept { return CONTAINING_RECORD(entry, Region, entry); }

// The lowest or highest place for so many pages, on the granularity; page_count: there is none.
std::uint32_t find_place(const Arena& arena, std::uint32_t count, bool top_down) noexcept {
    const auto room_at = [&](std::uint32_t first) {
        for (std::uint32_t page = first; page < first + count; ++page) {
            const ArenaPage* entry = arena.find(page);
            if (entry != nullptr && entry->state != PageState::hole) return false;
        }
        return true;
    };
    if (count > Arena::page_count) return Arena::page_count;
    const std::uint32_t last = (Arena::page_count - count) / granularity_pages * granularity_pages;
    for (std::uint32_t step = 0; step <= last; step += granularity_pages) {
        const std::uint32_t first = top_down ? last - step : step;
        if (room_at(first)) return first;
    }
    return Arena::page_count;
}

void insert_in_order(Arena& arena, Region& region) noexcept {
    LIST_ENTRY* before = arena.regions.Flink;
    while (before != &arena.regions && region_of(before)->first < region.first) before = before->Flink;
    InsertTailList(before, &region.entry); // in front of it
}

void release_frame(Arena& arena, std::uint32_t page) noexcept {
    const ke::Pfn frame = arena.slot->frame_of(arena.address_of(page));
    if (frame != ke::no_frame) arena.slot->free_pages(arena.slot->address_of_frame(frame), 1);
}

} // namespace

PageRange pages_of(const Arena& arena, const void* address, std::size_t bytes) noexcept {
    const std::uint32_t first = arena.page_of(address);
    const auto* last = static_cast<const std::byte*>(address) + (bytes == 0 ? 0 : bytes - 1);
    return {first, arena.page_of(last) - first + 1};
}

bool arena_holds(const Arena& arena, const void* address, std::size_t bytes) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - arena.base);
    return offset < Arena::usable && bytes <= Arena::usable - offset;
}

Region* region_at(const Arena& arena, std::uint32_t page) noexcept {
    for (LIST_ENTRY* e = arena.regions.Flink; e != &arena.regions; e = e->Flink) {
        Region* region = region_of(e);
        if (page - region->first < region->count) return region;
    }
    return nullptr;
}

NTSTATUS make_region(Arena& arena, const void* at, std::size_t bytes, bool top_down, Region*& region) noexcept {
    if (bytes > Arena::usable) return at == nullptr ? STATUS_NO_MEMORY : STATUS_CONFLICTING_ADDRESSES;
    PageRange pages{0, static_cast<std::uint32_t>(ke::pages_for(bytes))};
    if (at != nullptr) {
        const auto slack = reinterpret_cast<std::uintptr_t>(at) % granularity;
        const void* start = static_cast<const std::byte*>(at) - slack;
        if (!arena_holds(arena, start, bytes + slack)) return STATUS_CONFLICTING_ADDRESSES;
        pages = pages_of(arena, start, bytes + slack);
        if (!all_holes(arena, pages.first, pages.count)) return STATUS_CONFLICTING_ADDRESSES;
    } else {
        pages.first = find_place(arena, pages.count, top_down);
        if (pages.first == Arena::page_count) return STATUS_NO_MEMORY;
    }
    auto* made = static_cast<Region*>(ex::allocate_pool(NonPagedPoolNx, sizeof(Region), region_tag, ex::Fill::zero));
    if (made == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    if (!mark_pages(arena, pages.first, pages.count, PageState::reserved)) {
        ex::free_pool(made, region_tag);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    made->arena = &arena;
    made->first = pages.first;
    made->count = pages.count;
    insert_in_order(arena, *made);
    region = made;
    return STATUS_SUCCESS;
}

void release_region(Region& region) noexcept {
    Arena& arena = *region.arena;
    for (std::uint32_t page = region.first; page < region.first + region.count; ++page) decommit_page(arena, page);
    (void)mark_pages(arena, region.first, region.count, PageState::hole);
    RemoveEntryList(&region.entry);
    if (region.section != nullptr) leave_section(region);
    ex::free_pool(&region, region_tag);
}

void release_all_regions(Arena& arena) noexcept {
    while (!IsListEmpty(&arena.regions)) release_region(*region_of(arena.regions.Flink));
    while (!IsListEmpty(&arena.secures)) {
        LIST_ENTRY* entry = RemoveHeadList(&arena.secures);
        ex::free_pool(CONTAINING_RECORD(entry, Secure, entry), 0);
    }
}

bool is_backed(const ArenaPage& page) noexcept { return (page.used & mapped_mark) != 0; }

bool map_page(Arena& arena, std::uint32_t page, ke::Pfn frame, ULONG protect) noexcept {
    std::byte* address = arena.address_of(page);
    if (!arena.slot->map_frames(address, frame, 1, true)) return false;
    ArenaPage& entry = *arena.find(page);
    entry.state = PageState::view;
    entry.used = mapped_mark;
    protect_page(arena, page, protect);
    return true;
}

bool commit_page(Arena& arena, std::uint32_t page, ULONG protect) noexcept {
    if (ke::current_machine().choice.allocation_fails()) return false;
    std::byte* memory = arena.slot->allocate_pages(1);
    if (memory == nullptr) return false;
    std::memset(memory, 0, ke::page_size);
    if (!map_page(arena, page, arena.slot->frame_of(memory), protect)) {
        arena.slot->free_pages(memory, 1);
        return false;
    }
    arena.find(page)->state = PageState::committed;
    return true;
}

void decommit_page(Arena& arena, std::uint32_t page) noexcept {
    ArenaPage& entry = *arena.find(page);
    if (!is_backed(entry)) return;
    if (entry.state == PageState::committed || entry.shift == own_copy) release_frame(arena, page);
    arena.slot->unmap(arena.address_of(page), 1);
    entry = {0, 0, PageState::reserved, 0};
}

void protect_page(Arena& arena, std::uint32_t page, ULONG protect) noexcept {
    ArenaPage& entry = *arena.find(page);
    entry.used = mapped_mark | protect;
    constexpr ULONG copied = PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY;
    int host = host_protection(protect);
    // A page that is copied on write is read-only until then.
    if ((protect & copied) != 0 && entry.shift != own_copy) host &= ~PROT_WRITE;
    arena.slot->protect(arena.address_of(page), 1, host);
}

bool secures_allow(const Arena& arena, PageRange pages, ULONG protect, KPROCESSOR_MODE mode) noexcept {
    for (const LIST_ENTRY* e = arena.secures.Flink; e != &arena.secures; e = e->Flink) {
        const Secure& secure = *CONTAINING_RECORD(const_cast<LIST_ENTRY*>(e), Secure, entry);
        if (secure.first >= pages.end() || pages.first >= secure.first + secure.count) continue;
        if ((secure.flags & MM_SECURE_USER_MODE_ONLY) != 0 && mode == KernelMode) continue;
        const bool enough = secure.probe_mode == PAGE_READWRITE ? allows_write(protect) : allows_read(protect);
        if (protect == 0 || !enough || (secure.flags & MM_SECURE_NO_CHANGE) != 0) return false;
    }
    return true;
}

bool is_guard_page(const void* address) noexcept {
    if (!ke::current_machine().slot->in_user_half(address)) return false;
    const Arena* arena = arena_at(address);
    if (arena == nullptr || !arena_holds(*arena, address, 1)) return false;
    const ArenaPage* entry = arena->find(arena->page_of(address));
    const bool of_region =
        entry != nullptr && (entry->state == PageState::committed || entry->state == PageState::view);
    return of_region && is_backed(*entry) && (protection_of(*entry) & PAGE_GUARD) != 0;
}

ke::UserFault user_fault(ke::Machine& machine, void* address, bool write) noexcept {
    if (!machine.slot->in_user_half(address)) return ke::UserFault::none;
    Arena* arena = arena_at(address);
    if (arena == nullptr || !arena_holds(*arena, address, 1)) return ke::UserFault::none;
    const std::uint32_t page = arena->page_of(address);
    ArenaPage* entry = arena->find(page);
    if (entry == nullptr || (entry->state != PageState::committed && entry->state != PageState::view) ||
        !is_backed(*entry))
        return ke::UserFault::none;
    const ULONG protect = protection_of(*entry);
    if ((protect & PAGE_GUARD) != 0) {
        protect_page(*arena, page, protect & ~ULONG{PAGE_GUARD});
        ++state_of(machine).guards_hit;
        return ke::UserFault::guard_page;
    }
    constexpr ULONG copied = PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY;
    if (!write || (protect & copied) == 0 || entry->shift == own_copy) return ke::UserFault::none;
    std::byte* copy = arena->slot->allocate_pages(1);
    if (copy == nullptr) return ke::UserFault::none;
    std::memcpy(copy, arena->address_of(page), ke::page_size);
    if (!map_page(*arena, page, arena->slot->frame_of(copy), protect)) {
        arena->slot->free_pages(copy, 1);
        return ke::UserFault::none;
    }
    entry->shift = own_copy;
    protect_page(*arena, page, (protect & PAGE_WRITECOPY) != 0 ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE);
    return ke::UserFault::resolved;
}

} // namespace dirql::mm
