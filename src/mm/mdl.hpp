// Memory descriptor lists: buffers as lists of page frames.
//
// The flags tell an MDL's life, and each function holds them against what its document allows:
//   allocate        0, or MDL_ALLOCATED_FIXED_SIZE
//   lock            MDL_PAGES_LOCKED, and MDL_WRITE_OPERATION for write and modify
//   nonpaged pool   MDL_SOURCE_IS_NONPAGED_POOL, with MappedSystemVa the buffer itself
//   partial         MDL_PARTIAL, and the source's mapping when it has one
//   map             MDL_MAPPED_TO_SYSTEM_VA, for a partial one also MDL_PARTIAL_HAS_BEEN_MAPPED
#pragma once

#include "ke/slot.hpp"

#include <ntifs.h>

#include <cstddef>

namespace dirql::mm {

// The kernel's own doors-less operations; each is what its export does. Null or a failure status when memory is short.
[[nodiscard]] PMDL allocate_mdl(const void* address, std::size_t bytes) noexcept;
void free_mdl(PMDL mdl) noexcept;

// STATUS_ACCESS_VIOLATION when a page is not mapped, not writable though the operation writes, or, in user mode, not in
// the user range; STATUS_GUARD_PAGE_VIOLATION, once, of a guard page. IRQL <= APC_LEVEL for the user range, else <= DISPATCH_LEVEL.
[[nodiscard]] NTSTATUS lock_pages(PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation) noexcept;
// Unmaps it first when it is mapped.
void unlock_pages(PMDL mdl) noexcept;

// Describes a buffer that is never paged out.
void build_for_nonpaged_pool(PMDL mdl) noexcept;

struct MapOptions {
    KPROCESSOR_MODE mode = KernelMode;
    void* requested = nullptr; // user mode: where
    bool writable = true;
};
// STATUS_INSUFFICIENT_RESOURCES, or for a requested address STATUS_CONFLICTING_ADDRESSES.
[[nodiscard]] NTSTATUS map_pages(PMDL mdl, const MapOptions& options, void*& address) noexcept;
void unmap_pages(void* address, PMDL mdl) noexcept;

// The system address of a locked MDL; null when no mapping can be made.
[[nodiscard]] inline void* system_address(PMDL mdl) noexcept {
    if ((mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0) return mdl->MappedSystemVa;
    void* address = nullptr;
    return NT_SUCCESS(map_pages(mdl, {}, address)) ? address : nullptr;
}

[[nodiscard]] inline void* virtual_address(const MDL* mdl) noexcept {
    return static_cast<std::byte*>(mdl->StartVa) + mdl->ByteOffset;
}
[[nodiscard]] inline std::size_t page_count(const MDL* mdl) noexcept {
    return ke::pages_for(std::size_t{mdl->ByteOffset} + mdl->ByteCount);
}
[[nodiscard]] inline PFN_NUMBER* frames(PMDL mdl) noexcept { return reinterpret_cast<PFN_NUMBER*>(mdl + 1); }
[[nodiscard]] inline const PFN_NUMBER* frames(const MDL* mdl) noexcept {
    return reinterpret_cast<const PFN_NUMBER*>(mdl + 1);
}
[[nodiscard]] constexpr std::size_t mdl_size(std::size_t pages) noexcept {
    return sizeof(MDL) + pages * sizeof(PFN_NUMBER);
}

namespace detail {
// Bug check 0xC4: `code` with the MDL, its flags and the flags in question.
[[noreturn, gnu::cold]] void bad_mdl(std::uint64_t code, const MDL* mdl, unsigned flags, const char* rule,
                                     const char* document) noexcept;
// Maps its frames one behind the other. False when the host refuses; some may be mapped then.
[[nodiscard]] bool map_runs(ke::Slot& slot, const MDL* mdl, std::byte* at, bool writable) noexcept;
[[nodiscard]] bool is_view(const ke::Slot& slot, const void* address) noexcept;
// A kernel mapping needs pages that are locked, and none yet; a user mapping may be one of several, also of nonpaged pool.
void check_map(const MDL* mdl, KPROCESSOR_MODE mode) noexcept;
// Releases the first pages of an MDL's view. Bug check 0xDA when the MDL tells of another number than the view has: it is
// in a driver's hands, and what lies behind the view is somebody else's.
void release_first(const MDL* mdl, std::size_t count) noexcept;
// Bug check 0x1A: the MDL has a frame there that cannot be its own.
[[noreturn, gnu::cold]] void bad_frame(const MDL* mdl, const PFN_NUMBER* at, PFN_NUMBER frame, const char* rule,
                                       const char* document) noexcept;
void mark_mapped(PMDL mdl, void* address) noexcept;
void mark_unmapped(PMDL mdl) noexcept;
// Of a locked MDL the first pages are so no more.
void unlock_first(PMDL mdl, std::size_t count) noexcept;
// Bug check 0xDA when an MDL is mapped there by MmMapLockedPagesWithReservedMapping.
void check_not_reserved(const void* address, const MDL* mdl) noexcept;
// A mapping in the direct map goes: its memory is as it was before MmProtectMdlSystemAddress.
void unprotect_mapping(std::byte* base, std::size_t pages) noexcept;

// Bug check 0xC4: `code` with the IRQL and two parameters.
[[noreturn, gnu::cold]] void bad_irql(std::uint64_t code, std::uint64_t p3, std::uint64_t p4, const char* rule,
                                      const char* document) noexcept;
} // namespace detail

} // namespace dirql::mm
