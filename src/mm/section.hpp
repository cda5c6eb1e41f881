// Sections: memory that has frames of its own, and views of it in processes and in the system's range.
//
// All sections are backed by the paging file, that is, by memory: no file system's files are here yet. A section of SEC_COMMIT
// has all its frames from the start, one of SEC_RESERVE gets them as a view's pages are committed, and then all views see them.
#pragma once

#include "mm/region.hpp"
#include "ob/object_type.hpp"

#include <ntifs.h>

namespace dirql::mm {

extern const ob::ObjectType section_type;

struct Section {
    std::uint64_t size; // bytes, as asked for
    std::uint32_t pages;
    ULONG protect;
    ULONG attributes;      // SEC_*
    std::uint32_t* frames; // frame + 1 each; 0: not committed. Pool memory
    LIST_ENTRY views;      // Region::section_entry
};

// The section's body, zeroed by the object manager, becomes one of so many bytes. STATUS_INVALID_PAGE_PROTECTION,
// STATUS_INVALID_PARAMETER_4 (no size), STATUS_INVALID_PARAMETER_6 (attributes), STATUS_SECTION_TOO_BIG, STATUS_COMMITMENT_LIMIT,
// STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS check_section(std::int64_t size, ULONG protect, ULONG attributes) noexcept;
[[nodiscard]] NTSTATUS initialize_section(Section& section, std::int64_t size, ULONG protect,
                                          ULONG attributes) noexcept;
void destroy_section(Section& section) noexcept;

struct ViewRequest {
    const void* base = nullptr; // where; null: anywhere
    std::uint64_t offset = 0;   // in the section, a multiple of the granularity
    std::size_t bytes = 0;      // 0: to the section's end
    std::size_t commit = 0;     // of a reserved section: so many bytes from the view's beginning
    bool top_down = false;
    ULONG protect = PAGE_READWRITE;
    ACCESS_MASK granted = SECTION_ALL_ACCESS; // to the section, by the handle
};
// STATUS_INVALID_VIEW_SIZE, STATUS_SECTION_PROTECTION, and what make_region returns.
[[nodiscard]] NTSTATUS map_view_of(Section& section, Arena& arena, const ViewRequest& request,
                                   Region*& region) noexcept;
// For release_region: the view is the section's no more, which may go with it.
void leave_section(Region& region) noexcept;

// Does a section of this protection allow that one?
[[nodiscard]] bool section_allows(ULONG section_protect, ULONG protect) noexcept;
// Does a view? It may be written or executed only where the handle that it was mapped with allowed that.
[[nodiscard]] bool view_allows(const Region& view, ULONG protect) noexcept;
// The right to a section that a view of this protection asks for.
[[nodiscard]] ACCESS_MASK section_access_for(ULONG protect) noexcept;

// Commits pages of a view. Those that are stay as they are.
[[nodiscard]] NTSTATUS commit_view(Region& region, PageRange pages, ULONG protect) noexcept;

// As MmMapViewInSystemSpace.
[[nodiscard]] NTSTATUS map_system_view(Section& section, void*& base, std::size_t& bytes) noexcept;
[[nodiscard]] NTSTATUS unmap_system_view(void* base) noexcept;

// At boot, after ob: the type becomes known.
[[nodiscard]] bool initialize_sections(ke::Machine& machine) noexcept;

} // namespace dirql::mm
