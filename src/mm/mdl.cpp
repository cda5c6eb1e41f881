// Making MDLs, and describing with them what needs no lock.
#include "mm/mdl.hpp"

#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"
#include "ke/user_memory.hpp"

#include <algorithm>

namespace dirql::mm {
namespace {

constexpr ULONG mdl_tag = ex::pool_tag("Mdl ");
constexpr std::size_t fixed_size_pages = 23; // an MDL for no more is allocated in this size, as on NT

// The part of the pages that a device may be told about belongs to a partial MDL too.
constexpr unsigned inherited_flags =
    MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA | MDL_IO_PAGE_READ | MDL_IO_SPACE;

void initialize_mdl(PMDL mdl, const void* address, std::size_t bytes) noexcept {
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    mdl->Next = nullptr;
    mdl->MdlFlags = 0;
    mdl->Process = nullptr;
    mdl->MappedSystemVa = nullptr;
    mdl->StartVa = reinterpret_cast<PVOID>(where & ~(ke::page_size - 1));
    mdl->ByteOffset = static_cast<ULONG>(where & (ke::page_size - 1));
    mdl->ByteCount = static_cast<ULONG>(bytes);
    mdl->Size = static_cast<CSHORT>(mdl_size(page_count(mdl)));
}

std::size_t room_for_pages(const MDL* mdl) noexcept {
    return (static_cast<std::uint16_t>(mdl->Size) - sizeof(MDL)) / sizeof(PFN_NUMBER);
}

void append(PIRP irp, PMDL mdl) noexcept {
    PMDL* link = &irp->MdlAddress;
    while (*link != nullptr) link = &(*link)->Next;
    *link = mdl;
}

// [address, address + bytes) must lie in the source's buffer.
void check_subrange(const MDL* source, const void* address, std::size_t bytes) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) -
                                                 static_cast<const std::byte*>(virtual_address(source)));
    if (offset <= source->ByteCount && bytes <= source->ByteCount - offset) [[likely]]
        return;
    ke::bug_check(MEMORY_MANAGEMENT, 0x1236, ke::parameter(source), ke::parameter(frames(source) + page_count(source)),
                  0,
                  {.rule = "IoBuildPartialMdl was asked for memory outside of the source MDL",
                   .document = "IoBuildPartialMdl function (wdm.h)"});
}

void build_partial(const MDL* source, PMDL target, const void* address, std::size_t bytes) noexcept {
    const std::size_t room = room_for_pages(target);
    const auto allocation = target->MdlFlags & (MDL_ALLOCATED_FIXED_SIZE | MDL_ALLOCATED_MUST_SUCCEED);
    const auto size = target->Size;
    PMDL next = target->Next;
    initialize_mdl(target, address, bytes);
    target->Next = next;
    target->Size = size;
    if (page_count(target) > room) {
        ke::bug_check(TARGET_MDL_TOO_SMALL, 0, 0, 0, 0,
                      {.rule = "the target MDL of IoBuildPartialMdl has no room for the pages",
                       .document = "IoBuildPartialMdl function (wdm.h)"});
    }
    target->Process = source->Process;
    target->MdlFlags = static_cast<CSHORT>(allocation | (source->MdlFlags & inherited_flags) | MDL_PARTIAL);
    const auto offset = static_cast<const std::byte*>(address) - static_cast<const std::byte*>(virtual_address(source));
    if ((source->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA)) != 0) {
        target->MappedSystemVa = static_cast<std::byte*>(source->MappedSystemVa) + offset;
    }
    const auto first =
        (static_cast<const std::byte*>(target->StartVa) - static_cast<const std::byte*>(source->StartVa)) / PAGE_SIZE;
    std::copy_n(frames(source) + first, page_count(target), frames(target));
}

void check_nonpaged(PMDL mdl) noexcept {
    const ex::PoolBlock block = ex::find_pool_block(virtual_address(mdl));
    if (block.data == nullptr || !block.paged) [[likely]]
        return;
    detail::bad_irql(0x7F, ke::parameter(mdl), static_cast<std::uint16_t>(mdl->MdlFlags),
                     "MmBuildMdlForNonPagedPool was given a buffer in paged pool",
                     "MmBuildMdlForNonPagedPool function (wdm.h)");
}

} // namespace

namespace detail {

void bad_mdl(std::uint64_t code, const MDL* mdl, unsigned flags, const char* rule, const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::parameter(mdl),
                  static_cast<std::uint16_t>(mdl->MdlFlags), flags, {.rule = rule, .document = document});
}

void bad_frame(const MDL* mdl, const PFN_NUMBER* at, PFN_NUMBER frame, const char* rule,
               const char* document) noexcept {
    ke::bug_check(MEMORY_MANAGEMENT, 0x1236, ke::parameter(mdl), ke::parameter(at), frame,
                  {.rule = rule, .document = document});
}

void bad_irql(std::uint64_t code, std::uint64_t p3, std::uint64_t p4, const char* rule, const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::current_processor()->irql, p3, p4,
                  {.rule = rule, .document = document});
}

} // namespace detail

PMDL allocate_mdl(const void* address, std::size_t bytes) noexcept {
    const std::size_t pages = ke::pages_for(reinterpret_cast<std::uintptr_t>(address) % ke::page_size + bytes);
    const bool fixed = pages <= fixed_size_pages;
    auto* mdl = static_cast<PMDL>(
        ex::allocate_pool(NonPagedPoolNx, mdl_size(fixed ? fixed_size_pages : pages), mdl_tag, ex::Fill::none));
    if (mdl == nullptr) return nullptr;
    initialize_mdl(mdl, address, bytes);
    if (fixed) mdl->MdlFlags = MDL_ALLOCATED_FIXED_SIZE;
    return mdl;
}

// A partial MDL's own mapping goes with it; another one's must have been released, with its pages unlocked.
void free_mdl(PMDL mdl) noexcept {
    if ((mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED) != 0) unmap_pages(mdl->MappedSystemVa, mdl);
    constexpr unsigned own_mapping = MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL | MDL_SOURCE_IS_NONPAGED_POOL;
    if ((mdl->MdlFlags & own_mapping) == MDL_MAPPED_TO_SYSTEM_VA) [[unlikely]] {
        detail::bad_mdl(0xB8, mdl, 0, "an MDL was freed whose pages are still mapped", "IoFreeMdl function (wdm.h)");
    }
    ex::free_pool(mdl, 0); // 0: it may be a driver's own block
}

void build_for_nonpaged_pool(PMDL mdl) noexcept {
    check_nonpaged(mdl);
    const ke::Slot& slot = *ke::current_machine().slot;
    const std::size_t count = page_count(mdl);
    for (std::size_t i = 0; i < count; ++i) {
        const ke::Pfn frame = slot.frame_of(static_cast<std::byte*>(mdl->StartVa) + i * ke::page_size);
        frames(mdl)[i] = frame;
        if (frame != ke::no_frame) [[likely]]
            continue;
        ke::bug_check(MEMORY_MANAGEMENT, 0x1236, ke::parameter(mdl), ke::parameter(&frames(mdl)[i]), frame,
                      {.rule = "MmBuildMdlForNonPagedPool was given an address that is no memory of the machine",
                       .document = "MmBuildMdlForNonPagedPool function (wdm.h)"});
    }
    mdl->Process = nullptr;
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags | MDL_SOURCE_IS_NONPAGED_POOL);
    mdl->MappedSystemVa = virtual_address(mdl);
}

} // namespace dirql::mm

using namespace dirql;

extern "C" {

PMDL NTAPI IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp) {
    DIRQL_DOOR(IoAllocateMdl);
    UNREFERENCED_PARAMETER(ChargeQuota); // reserved
    constexpr ULONG longest = ~ULONG{0} - PAGE_SIZE;
    PMDL mdl = Length > longest ? nullptr : mm::allocate_mdl(VirtualAddress, Length);
    if (mdl == nullptr || Irp == nullptr) return mdl;
    if (SecondaryBuffer) {
        mm::append(Irp, mdl);
    } else {
        Irp->MdlAddress = mdl;
    }
    return mdl;
}

VOID NTAPI IoFreeMdl(PMDL Mdl) {
    DIRQL_DOOR(IoFreeMdl);
    mm::free_mdl(Mdl);
}

VOID NTAPI IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length) {
    DIRQL_DOOR(IoBuildPartialMdl);
    mm::check_subrange(SourceMdl, VirtualAddress, Length);
    const auto offset = static_cast<ULONG>(static_cast<std::byte*>(VirtualAddress) -
                                           static_cast<std::byte*>(mm::virtual_address(SourceMdl)));
    mm::build_partial(SourceMdl, TargetMdl, VirtualAddress, Length != 0 ? Length : SourceMdl->ByteCount - offset);
}

VOID NTAPI MmBuildMdlForNonPagedPool(PMDLX MemoryDescriptorList) {
    DIRQL_DOOR(MmBuildMdlForNonPagedPool);
    mm::build_for_nonpaged_pool(MemoryDescriptorList);
}

SIZE_T NTAPI MmSizeOfMdl(PVOID Base, SIZE_T Length) {
    DIRQL_DOOR(MmSizeOfMdl);
    return mm::mdl_size(ke::pages_for(BYTE_OFFSET(Base) + Length));
}
}
