// What is done to an MDL that is there: its beginning advanced, its mapping protected; and MDLs of other origins.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "mm/protection.hpp"
#include "mm/state.hpp"

#include <algorithm>

namespace dirql::mm {
namespace {

constexpr ULONG protected_tag = ex::pool_tag("MmPr");

// A mapping in the direct map that has another protection than its memory has.
struct ProtectedMapping {
    LIST_ENTRY entry; // State::protected_
    std::byte* base;
    std::size_t pages;
};

ProtectedMapping* find_protected(const void* base) noexcept {
    LIST_ENTRY& list = current_state().protected_;
    for (LIST_ENTRY* e = list.Flink; e != &list; e = e->Flink) {
        auto* mapping = CONTAINING_RECORD(e, ProtectedMapping, entry);
        if (mapping->base == base) return mapping;
    }
    return nullptr;
}

// MDLs may share pages: what is remembered at an address is the longest of their mappings.
bool remember_protected(std::byte* base, std::size_t pages) noexcept {
    if (ProtectedMapping* known = find_protected(base)) {
        known->pages = std::max(known->pages, pages);
        return true;
    }
    auto* mapping = static_cast<ProtectedMapping*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(ProtectedMapping), protected_tag, ex::Fill::none));
    if (mapping == nullptr) return false;
    mapping->base = base;
    mapping->pages = pages;
    InsertTailList(&current_state().protected_, &mapping->entry);
    return true;
}

// What of [base, end) is in it is as its memory was. What has parts on both sides of that stays remembered whole.
void unprotect_range(ProtectedMapping& mapping, std::byte* base, std::byte* end) noexcept {
    std::byte* const mapping_end = mapping.base + mapping.pages * ke::page_size;
    base = std::max(base, mapping.base);
    end = std::min(end, mapping_end);
    if (base >= end) return;
    const std::size_t count = static_cast<std::size_t>(end - base) / ke::page_size;
    ke::current_machine().slot->protect(base, count, PROT_READ | PROT_WRITE);
    if (base != mapping.base && end != mapping_end) return;
    if (base == mapping.base) mapping.base = end;
    mapping.pages -= count;
    if (mapping.pages != 0) return;
    RemoveEntryList(&mapping.entry);
    ex::free_pool(&mapping, protected_tag);
}

bool protectable(ULONG protect) noexcept {
    constexpr ULONG all =
        PAGE_NOACCESS | PAGE_READONLY | PAGE_READWRITE | PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE;
    return (protect & ~all) == 0 && valid_protection(protect);
}

NTSTATUS protect_mapping(const MDL* mdl, ULONG protect) noexcept {
    if (!protectable(protect)) return STATUS_INVALID_PAGE_PROTECTION;
    if ((mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) == 0) return STATUS_NOT_MAPPED_VIEW;
    ke::Slot& slot = *ke::current_machine().slot;
    auto* base = static_cast<std::byte*>(PAGE_ALIGN(mdl->MappedSystemVa));
    for (std::size_t i = 0; i < std::max<std::size_t>(page_count(mdl), 1); ++i) {
        if (slot.frame_of(base + i * ke::page_size) != ke::no_frame) continue;
        ke::bug_check(MEMORY_MANAGEMENT, 0x1235, ke::parameter(mdl), ke::parameter(base + i * ke::page_size), 0,
                      {.rule = "the mapping of an MDL was protected, and the MDL tells no valid mapping",
                       .document = "MmProtectMdlSystemAddress function (wdm.h)"});
    }
    // The mapping of a kernel buffer whose frames follow one another is the buffer itself, with neighbours in its pages.
    const bool shared = !detail::is_view(slot, base) && mdl->Process == nullptr && mdl->StartVa != nullptr;
    if (shared) return STATUS_NOT_MAPPED_VIEW;
    if (!detail::is_view(slot, base) && !remember_protected(base, page_count(mdl)))
        return STATUS_INSUFFICIENT_RESOURCES;
    return slot.protect(base, page_count(mdl), host_protection(protect)) ? STATUS_SUCCESS
                                                                         : STATUS_INSUFFICIENT_RESOURCES;
}

// The pages in front of the new beginning are the MDL's no more.
void give_up_pages(PMDL mdl, std::size_t count) noexcept {
    const bool locked = (mdl->MdlFlags & MDL_PAGES_LOCKED) != 0;
    const bool own_mapping = locked || (mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED) != 0;
    const ke::Slot& slot = *ke::current_machine().slot;
    if (own_mapping && (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0 && detail::is_view(slot, mdl->MappedSystemVa)) {
        detail::check_not_reserved(mdl->MappedSystemVa, mdl);
        detail::release_first(mdl, count);
    } else if (own_mapping && (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0) {
        detail::unprotect_mapping(static_cast<std::byte*>(PAGE_ALIGN(mdl->MappedSystemVa)), count);
    }
    if (locked) detail::unlock_first(mdl, count);
    const std::size_t pages = page_count(mdl);
    std::copy(frames(mdl) + count, frames(mdl) + pages, frames(mdl));
}

NTSTATUS advance(PMDL mdl, ULONG bytes) noexcept {
    if (bytes >= mdl->ByteCount) return STATUS_INVALID_PARAMETER_2;
    const ULONG offset = mdl->ByteOffset + bytes;
    const std::size_t passed = offset >> ke::page_shift;
    if (passed != 0) give_up_pages(mdl, passed);
    if ((mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0)
        mdl->MappedSystemVa = static_cast<std::byte*>(mdl->MappedSystemVa) + bytes;
    mdl->StartVa = static_cast<std::byte*>(mdl->StartVa) + passed * ke::page_size;
    mdl->ByteOffset = static_cast<ULONG>(offset & (ke::page_size - 1));
    mdl->ByteCount -= bytes;
    return STATUS_SUCCESS;
}

bool is_io_space(const MM_PHYSICAL_ADDRESS_LIST& range) noexcept {
    const auto first = static_cast<std::uint64_t>(range.PhysicalAddress.QuadPart);
    const bool whole_pages = first % ke::page_size == 0 && range.NumberOfBytes % ke::page_size == 0;
    return whole_pages && range.NumberOfBytes != 0 && first + range.NumberOfBytes > first &&
           first >= ke::current_machine().slot->physical_pages() * ke::page_size;
}

NTSTATUS make_io_space_mdl(const MM_PHYSICAL_ADDRESS_LIST* list, std::size_t count, PMDL& result) noexcept {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (!is_io_space(list[i]) || list[i].NumberOfBytes > 0xFFFF'FFFF) return STATUS_INVALID_PARAMETER_1;
        bytes += list[i].NumberOfBytes;
        if (bytes > 0xFFFF'FFFF) return STATUS_INVALID_PARAMETER_1;
    }
    if (bytes == 0) return STATUS_INVALID_PARAMETER_2;
    PMDL mdl = allocate_mdl(nullptr, bytes);
    if (mdl == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    PFN_NUMBER* frame = frames(mdl);
    for (std::size_t i = 0; i < count; ++i) {
        const PFN_NUMBER first = static_cast<std::uint64_t>(list[i].PhysicalAddress.QuadPart) >> ke::page_shift;
        for (std::size_t page = 0; page < list[i].NumberOfBytes >> ke::page_shift; ++page) *frame++ = first + page;
    }
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags | MDL_IO_SPACE);
    result = mdl;
    return STATUS_SUCCESS;
}

} // namespace

namespace detail {

void unprotect_mapping(std::byte* base, std::size_t pages) noexcept {
    if (IsListEmpty(&current_state().protected_)) [[likely]]
        return;
    LIST_ENTRY& list = current_state().protected_;
    std::byte* const end = base + pages * ke::page_size;
    for (LIST_ENTRY *e = list.Flink, *next = e->Flink; e != &list; e = next, next = e->Flink)
        unprotect_range(*CONTAINING_RECORD(e, ProtectedMapping, entry), base, end);
}

} // namespace detail
} // namespace dirql::mm

using namespace dirql;

extern "C" {

NTSTATUS NTAPI MmAdvanceMdl(PMDL Mdl, ULONG NumberOfBytes) {
    DIRQL_DOOR(MmAdvanceMdl);
    return mm::advance(Mdl, NumberOfBytes);
}

NTSTATUS NTAPI MmProtectMdlSystemAddress(PMDL MemoryDescriptorList, ULONG NewProtect) {
    DIRQL_DOOR(MmProtectMdlSystemAddress);
    return mm::protect_mapping(MemoryDescriptorList, NewProtect);
}

// The older form of IoAllocateMdl, which also fills memory of the caller's.
PMDL NTAPI MmCreateMdl(PMDL MemoryDescriptorList, PVOID Base, SIZE_T Length) {
    DIRQL_DOOR(MmCreateMdl);
    if (MemoryDescriptorList == nullptr)
        return Length > ~ULONG{0} - PAGE_SIZE ? nullptr : mm::allocate_mdl(Base, Length);
    MmInitializeMdl(MemoryDescriptorList, Base, Length);
    return MemoryDescriptorList;
}

NTSTATUS NTAPI MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList, SIZE_T NumberOfEntries,
                                       PMDL* NewMdl) {
    DIRQL_DOOR(MmAllocateMdlForIoSpace);
    *NewMdl = nullptr;
    return mm::make_io_space_mdl(PhysicalAddressList, NumberOfEntries, *NewMdl);
}
}
