#include "mm/section.hpp"

#include "ex/pool.hpp"
#include "mm/state.hpp"
#include "ob/object.hpp"
#include "ob/pool_tags.hpp"
#include "ob/state.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::mm {
namespace {

constexpr ULONG frames_tag = ex::pool_tag("MmSf");
constexpr ULONG view_tag = ex::pool_tag("MmSv");

// A view in the system's range.
struct SystemView {
    LIST_ENTRY entry; // State::system_views
    std::byte* base;
    std::uint32_t pages;
    Section* section; // referenced
};

bool commit_frame(Section& section, std::uint32_t page) noexcept {
    if (section.frames[page] != 0) return true;
    if (ke::current_machine().choice.allocation_fails()) return false;
    ke::Slot& slot = *ke::current_machine().slot;
    std::byte* memory = slot.allocate_pages(1);
    if (memory == nullptr) return false;
    std::memset(memory, 0, ke::page_size);
    section.frames[page] = slot.frame_of(memory) + 1;
    return true;
}

bool commit_frames(Section& section, std::uint32_t first, std::uint32_t count) noexcept {
    for (std::uint32_t page = first; page < first + count; ++page) {
        if (!commit_frame(section, page)) return false;
    }
    return true;
}

// A page of the section that is committed shows in this view.
bool show_page(Region& view, std::uint32_t page_of_view, ULONG protect) noexcept {
    const std::uint32_t page = view.first + page_of_view;
    if (is_backed(*view.arena->find(page))) return true;
    const std::uint32_t frame = view.section->frames[view.offset + page_of_view];
    return frame == 0 || map_page(*view.arena, page, frame - 1, protect);
}

bool show_in_all_views(Section& section, std::uint32_t page) noexcept {
    for (LIST_ENTRY* e = section.views.Flink; e != &section.views; e = e->Flink) {
        Region& view = *CONTAINING_RECORD(e, Region, section_entry);
        if (page - view.offset < view.count && !show_page(view, page - view.offset, view.protect)) return false;
    }
    return true;
}

// What of a section a view is of. False: it does not lie in it.
bool find_extent(const Section& section, const ViewRequest& request, std::size_t& bytes) noexcept {
    const std::uint64_t whole = std::uint64_t{section.pages} * ke::page_size;
    if (request.offset >= whole) return false;
    bytes = request.bytes == 0 ? whole - request.offset : request.bytes;
    return bytes <= whole - request.offset;
}

void destroy(void* body) noexcept { destroy_section(*static_cast<Section*>(body)); }

SystemView* find_system_view(const void* base) noexcept {
    LIST_ENTRY& list = current_state().system_views;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* view = CONTAINING_RECORD(e, SystemView, entry);
        if (view->base == PAGE_ALIGN(base)) return view;
    }
    return nullptr;
}

bool map_frames_of(const Section& section, std::byte* base, std::uint32_t pages) noexcept {
    ke::Slot& slot = *ke::current_machine().slot;
    const bool writable = allows_write(section.protect) && (section.protect & PAGE_WRITECOPY) == 0;
    for (std::uint32_t page = 0; page < pages; ++page) {
        if (!slot.map_frames(base + std::size_t{page} * ke::page_size, section.frames[page] - 1, 1, writable))
            return false;
    }
    return true;
}

} // namespace

constinit const ob::ObjectType section_type{
    .name = u"Section",
    .index = ob::TypeIndex::section,
    .tag = ob::pool_tag("Sect"),
    .mapping = ob::standard_mapping(SECTION_QUERY | SECTION_MAP_READ, SECTION_MAP_WRITE, SECTION_MAP_EXECUTE,
                                    SECTION_ALL_ACCESS),
    .valid_access = SECTION_ALL_ACCESS,
    .destroy = destroy,
};

NTSTATUS check_section(std::int64_t size, ULONG protect, ULONG attributes) noexcept {
    constexpr ULONG known = SEC_COMMIT | SEC_RESERVE | SEC_NOCACHE;
    const ULONG kind = attributes & (SEC_COMMIT | SEC_RESERVE);
    if ((attributes & ~known) != 0 || kind == 0 || kind == (SEC_COMMIT | SEC_RESERVE))
        return STATUS_INVALID_PARAMETER_6;
    if (!valid_protection(protect) || (protect & (protection_modifiers | PAGE_NOACCESS)) != 0)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (size <= 0) return STATUS_INVALID_PARAMETER_4;
    return static_cast<std::uint64_t>(size) > ke::max_physical_memory * 4 ? STATUS_SECTION_TOO_BIG : STATUS_SUCCESS;
}

NTSTATUS initialize_section(Section& section, std::int64_t size, ULONG protect, ULONG attributes) noexcept {
    InitializeListHead(&section.views);
    section.size = static_cast<std::uint64_t>(size);
    section.pages = static_cast<std::uint32_t>(ke::pages_for(section.size));
    section.protect = protect;
    section.attributes = attributes;
    if ((attributes & SEC_COMMIT) != 0 && section.pages > ke::current_machine().slot->free_page_count())
        return STATUS_COMMITMENT_LIMIT;
    section.frames = static_cast<std::uint32_t*>(
        ex::allocate_pool(NonPagedPoolNx, section.pages * sizeof(std::uint32_t), frames_tag, ex::Fill::zero));
    if (section.frames == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    const bool whole = (attributes & SEC_COMMIT) == 0 || commit_frames(section, 0, section.pages);
    return whole ? STATUS_SUCCESS : STATUS_COMMITMENT_LIMIT; // what it has goes with the object
}

void destroy_section(Section& section) noexcept {
    if (section.frames == nullptr) return;
    ke::Slot& slot = *ke::current_machine().slot;
    for (std::uint32_t page = 0; page < section.pages; ++page) {
        if (section.frames[page] != 0) slot.free_pages(slot.address_of_frame(section.frames[page] - 1), 1);
    }
    ex::free_pool(section.frames, frames_tag);
    section.frames = nullptr;
}

// Copied pages are never written back, so every section that may be read allows them.
bool section_allows(ULONG section_protect, ULONG protect) noexcept {
    const ULONG access = protect & ~protection_modifiers;
    if (allows_execute(access) && !allows_execute(section_protect)) return false;
    if (access == PAGE_READWRITE || access == PAGE_EXECUTE_READWRITE)
        return section_protect == PAGE_READWRITE || section_protect == PAGE_EXECUTE_READWRITE;
    return true;
}

bool view_allows(const Region& view, ULONG protect) noexcept {
    return section_allows(view.section->protect, protect) &&
           (section_access_for(protect) & ~(view.granted | SECTION_MAP_READ)) == 0;
}

ACCESS_MASK section_access_for(ULONG protect) noexcept {
    const ULONG access = protect & ~protection_modifiers;
    const bool writes = access == PAGE_READWRITE || access == PAGE_EXECUTE_READWRITE;
    return (writes ? SECTION_MAP_WRITE : SECTION_MAP_READ) | (allows_execute(access) ? SECTION_MAP_EXECUTE : 0);
}

NTSTATUS map_view_of(Section& section, Arena& arena, const ViewRequest& request, Region*& region) noexcept {
    std::size_t bytes = 0;
    if (!section_allows(section.protect, request.protect)) return STATUS_SECTION_PROTECTION;
    if (!find_extent(section, request, bytes)) return STATUS_INVALID_VIEW_SIZE;
    const void* at =
        request.base == nullptr
            ? nullptr
            : reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(request.base) & ~(granularity - 1));
    const NTSTATUS status = make_region(arena, at, bytes, request.top_down, region);
    if (!NT_SUCCESS(status)) return status;
    region->section = &section;
    region->offset = static_cast<std::uint32_t>(request.offset >> ke::page_shift);
    region->protect = request.protect;
    region->granted = request.granted;
    InsertTailList(&section.views, &region->section_entry);
    ob::reference(&section);
    const auto commit = std::min<std::uint32_t>(
        static_cast<std::uint32_t>(ke::pages_for(std::min(request.commit, bytes))), region->count);
    bool shown = commit_frames(section, region->offset, commit);
    for (std::uint32_t page = 0; shown && page < region->count; ++page)
        shown = show_page(*region, page, request.protect);
    if (shown) return STATUS_SUCCESS;
    release_region(*region);
    region = nullptr;
    return STATUS_COMMITMENT_LIMIT;
}

void leave_section(Region& region) noexcept {
    RemoveEntryList(&region.section_entry);
    ob::dereference(region.section);
}

NTSTATUS commit_view(Region& region, PageRange pages, ULONG protect) noexcept {
    Section& section = *region.section;
    if (!view_allows(region, protect)) return STATUS_SECTION_PROTECTION;
    for (std::uint32_t page = pages.first; page < pages.end(); ++page) {
        const std::uint32_t of_view = page - region.first;
        if (!commit_frame(section, region.offset + of_view)) return STATUS_COMMITMENT_LIMIT;
        if (!show_page(region, of_view, protect) || !show_in_all_views(section, region.offset + of_view))
            return STATUS_INSUFFICIENT_RESOURCES;
        protect_page(*region.arena, page, protect);
    }
    return STATUS_SUCCESS;
}

NTSTATUS map_system_view(Section& section, void*& base, std::size_t& bytes) noexcept {
    std::size_t extent = 0;
    if (!find_extent(section, {.bytes = bytes}, extent)) return STATUS_INVALID_VIEW_SIZE;
    const auto pages = static_cast<std::uint32_t>(ke::pages_for(extent));
    if (!commit_frames(section, 0, pages)) return STATUS_COMMITMENT_LIMIT;
    ke::Slot& slot = *ke::current_machine().slot;
    auto* view =
        static_cast<SystemView*>(ex::allocate_pool(NonPagedPoolNx, sizeof(SystemView), view_tag, ex::Fill::none));
    if (view == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    std::byte* const at = ke::current_machine().choice.allocation_fails() ? nullptr : slot.reserve_views(pages);
    if (at == nullptr || !map_frames_of(section, at, pages)) {
        if (at != nullptr) slot.release_views(at, pages);
        ex::free_pool(view, view_tag);
        return STATUS_NO_MEMORY;
    }
    *view = {{}, at, pages, &section};
    InsertTailList(&current_state().system_views, &view->entry);
    ob::reference(&section);
    base = at;
    bytes = std::size_t{pages} * ke::page_size;
    return STATUS_SUCCESS;
}

NTSTATUS unmap_system_view(void* base) noexcept {
    SystemView* view = find_system_view(base);
    if (view == nullptr) return STATUS_NOT_MAPPED_VIEW;
    ke::current_machine().slot->release_views(view->base, view->pages);
    RemoveEntryList(&view->entry);
    ob::dereference(view->section);
    ex::free_pool(view, view_tag);
    return STATUS_SUCCESS;
}

bool initialize_sections(ke::Machine& machine) noexcept { return ob::register_type(machine, section_type); }

} // namespace dirql::mm
