// Reserved mappings: addresses taken beforehand, so that a driver can map an MDL when memory is short.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "mm/mdl.hpp"
#include "mm/state.hpp"

namespace dirql::mm {
namespace {

constexpr ULONG reserved_tag = ex::pool_tag("MmRs");
constexpr const char* map_document = "MmMapLockedPagesWithReservedMapping function (wdm.h)";
constexpr const char* unmap_document = "MmUnmapReservedMapping function (wdm.h)";
constexpr const char* free_document = "MmFreeMappingAddress function (wdm.h)";

struct ReservedMapping {
    LIST_ENTRY entry; // State::reserved
    std::byte* base;
    std::size_t pages;
    std::size_t mapped; // pages, from the base on
    ULONG tag;
};

[[noreturn]] void misuse(std::uint64_t code, const void* base, std::uint64_t p3, std::uint64_t p4, const char* rule,
                         const char* document) noexcept {
    ke::bug_check(SYSTEM_PTE_MISUSE, code, ke::parameter(base), p3, p4, {.rule = rule, .document = document});
}

ReservedMapping* find(const void* address) noexcept {
    LIST_ENTRY& list = current_state().reserved;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* mapping = CONTAINING_RECORD(e, ReservedMapping, entry);
        if (mapping->base == PAGE_ALIGN(address)) return mapping;
    }
    return nullptr;
}

void* reserve(SIZE_T bytes, ULONG tag, const void* caller) noexcept {
    if (bytes == 0)
        misuse(0x100, nullptr, tag, ke::parameter(caller), "a mapping of no bytes was reserved",
               "MmAllocateMappingAddress function (wdm.h)");
    ke::Slot& slot = *ke::current_machine().slot;
    const std::size_t pages = bytes > ke::views_size ? 0 : ke::pages_for(bytes);
    if (pages == 0) return nullptr;
    auto* mapping = static_cast<ReservedMapping*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(ReservedMapping), reserved_tag, ex::Fill::zero));
    const bool room = mapping != nullptr && !ke::current_machine().choice.allocation_fails();
    std::byte* base = room ? slot.reserve_views(pages) : nullptr;
    if (base == nullptr) {
        if (mapping != nullptr) ex::free_pool(mapping, reserved_tag);
        return nullptr;
    }
    mapping->base = base;
    mapping->pages = pages;
    mapping->tag = tag;
    InsertTailList(&current_state().reserved, &mapping->entry);
    return base;
}

void free_reserved(void* base, ULONG tag) noexcept {
    ReservedMapping* mapping = find(base);
    if (mapping == nullptr)
        misuse(0x102, base, tag, 0, "an address was freed that no mapping is reserved at", free_document);
    if (mapping->tag != tag)
        misuse(0x101, base, tag, mapping->tag, "a reserved mapping was freed with another tag", free_document);
    if (mapping->mapped != 0)
        misuse(0x103, base, tag, mapping->pages, "a reserved mapping was freed while an MDL is mapped there",
               free_document);
    ke::current_machine().slot->release_views(mapping->base, mapping->pages);
    RemoveEntryList(&mapping->entry);
    ex::free_pool(mapping, reserved_tag);
}

// MappedSystemVa is the mapping's beginning, and the address returned the buffer's, as documented.
void* map_reserved(void* base, ULONG tag, PMDL mdl) noexcept {
    ReservedMapping* mapping = find(base);
    if (mapping == nullptr)
        misuse(0x105, base, tag, 0, "an MDL was mapped at an address that no mapping is reserved at", map_document);
    if (mapping->tag != tag)
        misuse(0x104, base, tag, mapping->tag, "an MDL was mapped into a reserved mapping with another tag",
               map_document);
    if (mapping->mapped != 0)
        misuse(0x107, base, ke::parameter(base), ke::parameter(mapping->base + (mapping->pages - 1) * ke::page_size),
               "an MDL was mapped into a reserved mapping where another one is mapped still", map_document);
    detail::check_map(mdl, KernelMode);
    const std::size_t count = page_count(mdl);
    if (count == 0 || count > mapping->pages || (mdl->MdlFlags & MDL_IO_SPACE) != 0) return nullptr;
    ke::Slot& slot = *ke::current_machine().slot;
    if (!detail::map_runs(slot, mdl, mapping->base, true)) {
        slot.unmap(mapping->base, count);
        return nullptr;
    }
    mapping->mapped = count;
    detail::mark_mapped(mdl, mapping->base);
    return mapping->base + mdl->ByteOffset;
}

void unmap_reserved(void* base, ULONG tag, PMDL mdl) noexcept {
    ReservedMapping* mapping = find(base);
    if (mapping == nullptr || mapping->mapped == 0)
        misuse(0x109, base, tag, 0, "a reserved mapping was released where nothing is mapped", unmap_document);
    if (mapping->tag != tag)
        misuse(0x108, base, tag, mapping->tag, "a reserved mapping was released with another tag", unmap_document);
    const std::size_t count = page_count(mdl);
    if (count > mapping->pages)
        misuse(0x10A, base, mapping->pages, count, "more pages were unmapped than a reserved mapping has",
               unmap_document);
    if (count > mapping->mapped)
        misuse(0x10B, base, tag, count, "pages of a reserved mapping were unmapped that are not mapped",
               unmap_document);
    if (count < mapping->mapped)
        misuse(0x10C, base, tag, count, "a part of a reserved mapping was unmapped", unmap_document);
    ke::current_machine().slot->unmap(mapping->base, mapping->mapped);
    mapping->mapped = 0;
    detail::mark_unmapped(mdl);
}

} // namespace

namespace detail {

void check_not_reserved(const void* address, const MDL* mdl) noexcept {
    if (IsListEmpty(&current_state().reserved) || find(address) == nullptr) [[likely]]
        return;
    misuse(0x103, address, ke::parameter(mdl), 0,
           "the mapping of an MDL was released as a plain one, and it is in a reserved mapping: MmUnmapReservedMapping "
           "comes first",
           unmap_document);
}

} // namespace detail
} // namespace dirql::mm

using namespace dirql;

extern "C" {

PVOID NTAPI MmAllocateMappingAddress(SIZE_T NumberOfBytes, ULONG PoolTag) {
    DIRQL_DOOR(MmAllocateMappingAddress);
    return mm::reserve(NumberOfBytes, PoolTag, __builtin_return_address(0));
}

PVOID NTAPI MmAllocateMappingAddressEx(SIZE_T NumberOfBytes, ULONG PoolTag, ULONG Flags) {
    DIRQL_DOOR(MmAllocateMappingAddressEx);
    return Flags != 0 ? nullptr : mm::reserve(NumberOfBytes, PoolTag, __builtin_return_address(0));
}

VOID NTAPI MmFreeMappingAddress(PVOID BaseAddress, ULONG PoolTag) {
    DIRQL_DOOR(MmFreeMappingAddress);
    mm::free_reserved(BaseAddress, PoolTag);
}

PVOID NTAPI MmMapLockedPagesWithReservedMapping(PVOID MappingAddress, ULONG PoolTag, PMDL MemoryDescriptorList,
                                                MEMORY_CACHING_TYPE CacheType) {
    DIRQL_DOOR(MmMapLockedPagesWithReservedMapping);
    UNREFERENCED_PARAMETER(CacheType); // all memory is cached and coherent
    return mm::map_reserved(MappingAddress, PoolTag, MemoryDescriptorList);
}

VOID NTAPI MmUnmapReservedMapping(PVOID BaseAddress, ULONG PoolTag, PMDL MemoryDescriptorList) {
    DIRQL_DOOR(MmUnmapReservedMapping);
    mm::unmap_reserved(BaseAddress, PoolTag, MemoryDescriptorList);
}
}
