// Mapping an MDL's pages at another address.
//
// Frames that follow one another have a system address already, in the direct map: that is the mapping, and costs
// nothing. Scattered or read-only ones get a view.
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/seh.hpp"
#include "ke/stop.hpp"
#include "ke/user_memory.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"

namespace dirql::mm {

using namespace detail;

namespace {

constexpr const char* map_document = "MmMapLockedPagesSpecifyCache function (wdm.h)";
constexpr const char* unmap_document = "MmUnmapLockedPages function (wdm.h)";

ke::Slot& current_slot() noexcept { return *ke::current_machine().slot; }

// How many frames from the i-th on follow one another.
std::size_t run_length(const MDL* mdl, std::size_t i) noexcept {
    const std::size_t count = page_count(mdl);
    std::size_t length = 1;
    while (i + length < count && frames(mdl)[i + length] == frames(mdl)[i] + length) ++length;
    return length;
}

} // namespace

namespace detail {

bool map_runs(ke::Slot& slot, const MDL* mdl, std::byte* at, bool writable) noexcept {
    for (std::size_t i = 0; i < page_count(mdl);) {
        const std::size_t run = run_length(mdl, i);
        if (!slot.map_frames(at + i * ke::page_size, static_cast<ke::Pfn>(frames(mdl)[i]), run, writable)) return false;
        i += run;
    }
    return true;
}

bool is_view(const ke::Slot& slot, const void* address) noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - slot.system_base() - ke::views_offset) <
           ke::views_size;
}

void check_map(const MDL* mdl, KPROCESSOR_MODE mode) noexcept {
    const unsigned flags = static_cast<std::uint16_t>(mdl->MdlFlags);
    const unsigned wrong =
        mode == KernelMode
            ? flags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED)
            : 0;
    if (wrong != 0) [[unlikely]]
        detail::bad_mdl(0xB2, mdl, wrong, "an MDL was mapped that has a system address already", map_document);
    constexpr unsigned any_of = MDL_PAGES_LOCKED | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL | MDL_IO_SPACE;
    if ((flags & any_of) == 0) [[unlikely]] {
        detail::bad_mdl(0xB3, mdl, MDL_PAGES_LOCKED | MDL_PARTIAL, "an MDL was mapped whose pages are not locked",
                        map_document);
    }
    if ((flags & MDL_IO_SPACE) != 0) return; // no memory, and it says so
    const std::size_t memory = current_slot().physical_pages();
    for (std::size_t i = 0, count = page_count(mdl); i < count; ++i) {
        if (frames(mdl)[i] < memory) [[likely]]
            continue;
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x89, ke::parameter(mdl), ke::parameter(&frames(mdl)[i]),
                      frames(mdl)[i],
                      {.rule = "an MDL was mapped that is not marked as I/O space and has a page that is no memory",
                       .document = "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION"});
    }
}

void release_first(const MDL* mdl, std::size_t count) noexcept {
    ke::Slot& slot = current_slot();
    auto* base = static_cast<std::byte*>(PAGE_ALIGN(mdl->MappedSystemVa));
    const std::size_t mapped = slot.view_pages(base);
    if (mapped != page_count(mdl)) [[unlikely]] {
        ke::bug_check(SYSTEM_PTE_MISUSE, 2, ke::parameter(mdl), mapped, page_count(mdl),
                      {.rule =
                           "the mapping of an MDL was released, and the MDL describes more or fewer pages than were "
                           "mapped",
                       .document = "Bug Check 0xDA: SYSTEM_PTE_MISUSE"});
    }
    slot.release_views(base, count);
}

void mark_mapped(PMDL mdl, void* address) noexcept {
    const unsigned partial = (mdl->MdlFlags & MDL_PARTIAL) != 0 ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0;
    mdl->MappedSystemVa = address;
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags | MDL_MAPPED_TO_SYSTEM_VA | partial);
}

void mark_unmapped(PMDL mdl) noexcept {
    mdl->MappedSystemVa = nullptr;
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags & ~(MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED));
}

} // namespace detail

namespace {

std::byte* map_view(const MDL* mdl, bool writable) noexcept {
    if (ke::current_machine().choice.allocation_fails()) return nullptr;
    ke::Slot& slot = current_slot();
    std::byte* view = slot.reserve_views(page_count(mdl));
    if (view == nullptr || map_runs(slot, mdl, view, writable)) return view;
    slot.release_views(view, page_count(mdl));
    return nullptr;
}

NTSTATUS map_for_kernel(PMDL mdl, bool writable, void*& address) noexcept {
    if ((mdl->MdlFlags & MDL_IO_SPACE) != 0) return STATUS_INSUFFICIENT_RESOURCES; // nothing answers there
    const bool direct = writable && run_length(mdl, 0) >= page_count(mdl);
    std::byte* base =
        direct ? current_slot().address_of_frame(static_cast<ke::Pfn>(frames(mdl)[0])) : map_view(mdl, writable);
    if (base == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    mark_mapped(mdl, base + mdl->ByteOffset);
    address = mdl->MappedSystemVa;
    return STATUS_SUCCESS;
}

NTSTATUS map_for_process(const MDL* mdl, const MapOptions& options, void*& address) noexcept {
    Arena* arena = arena_of(*ke::current_thread()->process);
    const void* at = PAGE_ALIGN(options.requested);
    if (arena == nullptr || (mdl->MdlFlags & MDL_IO_SPACE) != 0) return STATUS_INSUFFICIENT_RESOURCES;
    if (at != nullptr && !arena->holds(at)) return STATUS_CONFLICTING_ADDRESSES;
    std::byte* view = reserve_view(*arena, page_count(mdl), at);
    if (view == nullptr) return at != nullptr ? STATUS_CONFLICTING_ADDRESSES : STATUS_INSUFFICIENT_RESOURCES;
    if (!map_runs(*arena->slot, mdl, view, options.writable)) {
        release_view(*arena, view);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    address = view + mdl->ByteOffset;
    return STATUS_SUCCESS;
}

void check_map_irql(std::uint64_t kernel_code, const MDL* mdl, KPROCESSOR_MODE mode) noexcept {
    if (ke::current_processor()->irql <= (mode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL)) [[likely]]
        return;
    detail::bad_irql(kernel_code + (mode == KernelMode ? 0 : 1), ke::parameter(mdl), static_cast<std::uint8_t>(mode),
                     mode == KernelMode ? "an MDL was mapped above DISPATCH_LEVEL"
                                        : "an MDL was mapped for a process above APC_LEVEL",
                     map_document);
}

void unmap_from_process(void* address, PMDL mdl) noexcept {
    if (ke::current_processor()->irql > APC_LEVEL) {
        detail::bad_irql(0x7A, ke::parameter(address), ke::parameter(mdl),
                         "a process's mapping was released above APC_LEVEL", unmap_document);
    }
    Arena* arena = arena_of(*ke::current_thread()->process);
    if (arena != nullptr && release_view(*arena, static_cast<std::byte*>(PAGE_ALIGN(address)))) return;
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0xB9, ke::parameter(address), ke::parameter(mdl), 0,
                  {.rule = "MmUnmapLockedPages was given a user address that is no mapping of the current process",
                   .document = unmap_document});
}

void check_unmap(const void* address, PMDL mdl) noexcept {
    const unsigned flags = static_cast<std::uint16_t>(mdl->MdlFlags);
    if (ke::current_processor()->irql > DISPATCH_LEVEL) [[unlikely]] {
        detail::bad_irql(0x79, ke::parameter(address), ke::parameter(mdl),
                         "a mapping was released above DISPATCH_LEVEL", unmap_document);
    }
    if ((flags & MDL_MAPPED_TO_SYSTEM_VA) == 0) [[unlikely]] {
        detail::bad_mdl(0xB6, mdl, MDL_MAPPED_TO_SYSTEM_VA, "the mapping of an MDL was released that is not mapped",
                        unmap_document);
    }
    if ((flags & (MDL_PARTIAL | MDL_PARTIAL_HAS_BEEN_MAPPED)) == MDL_PARTIAL) [[unlikely]] {
        detail::bad_mdl(0xB5, mdl, MDL_PARTIAL, "a mapping was released through a partial MDL that shares it",
                        unmap_document);
    }
    if (address != mdl->MappedSystemVa) [[unlikely]] {
        ke::bug_check(SYSTEM_PTE_MISUSE, 3, ke::parameter(mdl), ke::parameter(mdl->MappedSystemVa),
                      ke::parameter(address),
                      {.rule = "MmUnmapLockedPages was given another address than the MDL is mapped at",
                       .document = unmap_document});
    }
}

// What both mapping functions do when they cannot.
void* map_or_fail(PMDL mdl, const MapOptions& options, bool bug_check_on_failure) {
    void* address = nullptr;
    const NTSTATUS status = map_pages(mdl, options, address);
    if (NT_SUCCESS(status)) return address;
    if (options.mode != KernelMode) ke::raise_status(status);
    if (bug_check_on_failure) {
        ke::bug_check(NO_MORE_SYSTEM_PTES, 0, page_count(mdl), 0, 0,
                      {.rule = "an MDL could not be mapped, and its driver asked for a bug check then",
                       .document = map_document});
    }
    return nullptr;
}

} // namespace

NTSTATUS map_pages(PMDL mdl, const MapOptions& options, void*& address) noexcept {
    check_map(mdl, options.mode);
    return options.mode == KernelMode ? map_for_kernel(mdl, options.writable, address)
                                      : map_for_process(mdl, options, address);
}

void unmap_pages(void* address, PMDL mdl) noexcept {
    if (reinterpret_cast<std::uintptr_t>(address) < ke::user_probe_address()) return unmap_from_process(address, mdl);
    check_unmap(address, mdl);
    check_not_reserved(address, mdl);
    if (is_view(current_slot(), address)) {
        release_first(mdl, page_count(mdl));
    } else {
        unprotect_mapping(static_cast<std::byte*>(PAGE_ALIGN(address)), page_count(mdl));
    }
    mark_unmapped(mdl);
}

} // namespace dirql::mm

using namespace dirql;

extern "C" {

PVOID NTAPI MmMapLockedPagesSpecifyCache(PMDLX MemoryDescriptorList, KPROCESSOR_MODE AccessMode,
                                         MEMORY_CACHING_TYPE CacheType, PVOID RequestedAddress, ULONG BugCheckOnFailure,
                                         ULONG Priority) {
    DIRQL_DOOR(MmMapLockedPagesSpecifyCache);
    UNREFERENCED_PARAMETER(CacheType); // all memory is cached and coherent
    mm::check_map_irql(0x76, MemoryDescriptorList, AccessMode);
    return mm::map_or_fail(MemoryDescriptorList, {AccessMode, RequestedAddress, (Priority & MdlMappingNoWrite) == 0},
                           BugCheckOnFailure != 0);
}

PVOID NTAPI MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode) {
    DIRQL_DOOR(MmMapLockedPages);
    mm::check_map_irql(0x74, MemoryDescriptorList, AccessMode);
    return mm::map_or_fail(MemoryDescriptorList, {AccessMode, nullptr, true}, true);
}

VOID NTAPI MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList) {
    DIRQL_DOOR(MmUnmapLockedPages);
    mm::unmap_pages(BaseAddress, MemoryDescriptorList);
}
}
