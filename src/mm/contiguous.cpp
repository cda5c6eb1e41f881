// Contiguous and noncached memory: runs of pages of the direct map, which is contiguous and coherent throughout.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "mm/state.hpp"

namespace dirql::mm {
namespace {

constexpr ULONG block_tag = ex::pool_tag("MmCm");

struct ContiguousBlock {
    LIST_ENTRY entry; // State::contiguous
    std::byte* address;
    std::size_t pages;
};

// What a device can reach. Physical addresses; `boundary` is zero, or a power of two that the block must not cross.
struct Constraints {
    std::uint64_t lowest = 0;
    std::uint64_t highest = ~std::uint64_t{0};
    std::uint64_t boundary = 0;

    [[nodiscard]] bool can_be_met(std::size_t bytes) const noexcept {
        return bytes - 1 <= highest && lowest <= highest - (bytes - 1) && (boundary == 0 || bytes <= boundary) &&
               (boundary & (boundary - 1)) == 0 && lowest <= ke::max_physical_memory;
    }
    [[nodiscard]] std::uint64_t end_frame() const noexcept {
        return highest == ~std::uint64_t{0} ? highest : (highest + 1) >> ke::page_shift;
    }
};

std::byte* allocate_within(ke::Slot& slot, std::size_t pages, const Constraints& constraints) noexcept {
    return slot.allocate_pages_in(
        pages, {ke::pages_for(constraints.lowest), constraints.end_frame(), 1, constraints.boundary >> ke::page_shift});
}

void* allocate_contiguous(std::size_t bytes, const Constraints& constraints) noexcept {
    State& state = current_state();
    if (bytes == 0 || bytes > ke::max_physical_memory) return nullptr;
    const std::size_t pages = ke::pages_for(bytes);
    if (!constraints.can_be_met(pages * ke::page_size)) return nullptr;
    auto* block = static_cast<ContiguousBlock*>(
        ex::allocate_pool(NonPagedPoolNx, sizeof(ContiguousBlock), block_tag, ex::Fill::none));
    if (block == nullptr) return nullptr;
    const bool short_of_memory = ke::current_machine().choice.allocation_fails();
    block->address = short_of_memory ? nullptr : allocate_within(*state.slot, pages, constraints);
    block->pages = pages;
    if (block->address == nullptr) {
        ex::free_pool(block, block_tag);
        return nullptr;
    }
    InsertTailList(&state.contiguous, &block->entry);
    return block->address;
}

Constraints constraints_of(PHYSICAL_ADDRESS lowest, PHYSICAL_ADDRESS highest, PHYSICAL_ADDRESS boundary) noexcept {
    return {static_cast<std::uint64_t>(lowest.QuadPart), static_cast<std::uint64_t>(highest.QuadPart),
            static_cast<std::uint64_t>(boundary.QuadPart)};
}

// One of the two kinds of access, at most one of the two kinds of caching.
bool valid_contiguous_protection(ULONG protect) noexcept {
    const ULONG caching = protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE);
    const ULONG access = protect & ~caching;
    return (access == PAGE_READWRITE || access == PAGE_EXECUTE_READWRITE) &&
           caching != (PAGE_NOCACHE | PAGE_WRITECOMBINE);
}

ContiguousBlock* find_block(const void* address) noexcept {
    State& state = current_state();
    for (LIST_ENTRY* e = state.contiguous.Flink; e != &state.contiguous; e = e->Flink) {
        auto* block = CONTAINING_RECORD(e, ContiguousBlock, entry);
        if (block->address == address) return block;
    }
    return nullptr;
}

void free_contiguous(void* address) noexcept {
    ContiguousBlock* block = find_block(address);
    if (block == nullptr) {
        ke::bug_check(BAD_POOL_CALLER, 0x60, ke::parameter(address), 0, 0,
                      {.rule = "the address that was freed is no block of contiguous memory",
                       .document = "MmFreeContiguousMemory function (wdm.h)"});
    }
    RemoveEntryList(&block->entry);
    current_state().slot->free_pages(block->address, block->pages);
    ex::free_pool(block, block_tag);
}

} // namespace
} // namespace dirql::mm

using namespace dirql;

extern "C" {

PVOID NTAPI MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress) {
    DIRQL_DOOR(MmAllocateContiguousMemory);
    return mm::allocate_contiguous(NumberOfBytes,
                                   {.highest = static_cast<std::uint64_t>(HighestAcceptableAddress.QuadPart)});
}

PVOID NTAPI MmAllocateContiguousMemorySpecifyCache(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                   PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                   PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                   MEMORY_CACHING_TYPE CacheType) {
    DIRQL_DOOR(MmAllocateContiguousMemorySpecifyCache);
    UNREFERENCED_PARAMETER(CacheType); // all memory is cached and coherent
    return mm::allocate_contiguous(
        NumberOfBytes, mm::constraints_of(LowestAcceptableAddress, HighestAcceptableAddress, BoundaryAddressMultiple));
}

// There is one node, which every request is satisfied from.
PVOID NTAPI MmAllocateContiguousMemorySpecifyCacheNode(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                       PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                       PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                       MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT PreferredNode) {
    DIRQL_DOOR(MmAllocateContiguousMemorySpecifyCacheNode);
    UNREFERENCED_PARAMETER(CacheType);
    UNREFERENCED_PARAMETER(PreferredNode);
    return mm::allocate_contiguous(
        NumberOfBytes, mm::constraints_of(LowestAcceptableAddress, HighestAcceptableAddress, BoundaryAddressMultiple));
}

PVOID NTAPI MmAllocateContiguousNodeMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                           PHYSICAL_ADDRESS HighestAcceptableAddress,
                                           PHYSICAL_ADDRESS BoundaryAddressMultiple, ULONG Protect,
                                           NODE_REQUIREMENT PreferredNode) {
    DIRQL_DOOR(MmAllocateContiguousNodeMemory);
    UNREFERENCED_PARAMETER(PreferredNode);
    if (!mm::valid_contiguous_protection(Protect)) return nullptr;
    return mm::allocate_contiguous(
        NumberOfBytes, mm::constraints_of(LowestAcceptableAddress, HighestAcceptableAddress, BoundaryAddressMultiple));
}

NTSTATUS NTAPI MmAllocateContiguousMemoryEx(PSIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                            PHYSICAL_ADDRESS HighestAcceptableAddress,
                                            PHYSICAL_ADDRESS BoundaryAddressMultiple, NODE_REQUIREMENT PreferredNode,
                                            ULONG Protect, PVOID PartitionObject, ULONG Tag, ULONG Flags,
                                            PVOID* BaseAddress) {
    DIRQL_DOOR(MmAllocateContiguousMemoryEx);
    UNREFERENCED_PARAMETER(PreferredNode);
    UNREFERENCED_PARAMETER(Tag);
    *BaseAddress = nullptr;
    if (*NumberOfBytes == 0) return STATUS_INVALID_PARAMETER_1;
    if (!mm::valid_contiguous_protection(Protect)) return STATUS_INVALID_PAGE_PROTECTION;
    if (PartitionObject != nullptr) return STATUS_INVALID_PARAMETER_7; // there is the system partition alone
    if ((Flags & ~ULONG{MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY}) != 0) return STATUS_INVALID_PARAMETER_9;
    void* memory = mm::allocate_contiguous(
        *NumberOfBytes, mm::constraints_of(LowestAcceptableAddress, HighestAcceptableAddress, BoundaryAddressMultiple));
    if (memory == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
    *BaseAddress = memory;
    *NumberOfBytes = ROUND_TO_PAGES(*NumberOfBytes);
    return STATUS_SUCCESS;
}

VOID NTAPI MmFreeContiguousMemory(PVOID BaseAddress) {
    DIRQL_DOOR(MmFreeContiguousMemory);
    mm::free_contiguous(BaseAddress);
}

VOID NTAPI MmFreeContiguousMemorySpecifyCache(PVOID BaseAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType) {
    DIRQL_DOOR(MmFreeContiguousMemorySpecifyCache);
    UNREFERENCED_PARAMETER(NumberOfBytes); // the block knows its size
    UNREFERENCED_PARAMETER(CacheType);
    mm::free_contiguous(BaseAddress);
}

PVOID NTAPI MmAllocateNonCachedMemory(SIZE_T NumberOfBytes) {
    DIRQL_DOOR(MmAllocateNonCachedMemory);
    return mm::allocate_contiguous(NumberOfBytes, {});
}

VOID NTAPI MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes) {
    DIRQL_DOOR(MmFreeNonCachedMemory);
    UNREFERENCED_PARAMETER(NumberOfBytes);
    mm::free_contiguous(BaseAddress);
}
}
