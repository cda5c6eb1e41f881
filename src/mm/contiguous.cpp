// Contiguous and noncached memory: runs of pages of the direct map, which is contiguous and coherent throughout.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "mm/state.hpp"

#include <algorithm>
#include <new>

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
        return bytes - 1 <= highest && lowest <= highest - (bytes - 1) && (boundary == 0 || bytes <= boundary);
    }
    [[nodiscard]] bool allow(std::uint64_t first, std::size_t bytes) const noexcept {
        const std::uint64_t last = first + bytes - 1;
        return first >= lowest && last <= highest && (boundary == 0 || (first ^ last) < boundary);
    }
};

// A run that a constraint refuses is held back, so that the slot's next one lies higher.
struct Refused {
    Refused* next;
    std::size_t pages;
};

// How much of a refused run keeps the next one from being refused for the same reason: up to the boundary, or all.
std::size_t pages_to_hold(const Constraints& constraints, std::uint64_t first, std::size_t pages) noexcept {
    if (constraints.boundary == 0 || first < constraints.lowest) return pages;
    return std::min<std::size_t>(pages, (constraints.boundary - first % constraints.boundary) >> ke::page_shift);
}

std::byte* allocate_within(ke::Slot& slot, std::size_t pages, const Constraints& constraints) noexcept {
    Refused* refused = nullptr;
    std::byte* run;
    while ((run = slot.allocate_pages(pages)) != nullptr) {
        const auto physical = static_cast<std::uint64_t>(run - slot.system_base());
        if (constraints.allow(physical, pages * ke::page_size)) break;
        const std::size_t held = pages_to_hold(constraints, physical, pages);
        if (held < pages) slot.free_pages(run + held * ke::page_size, pages - held);
        refused = new (run) Refused{refused, held};
        if (physical > constraints.highest) {
            run = nullptr;
            break;
        }
    }
    while (refused != nullptr) {
        Refused* next = refused->next;
        slot.free_pages(refused, refused->pages);
        refused = next;
    }
    return run;
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
    return mm::allocate_contiguous(NumberOfBytes, {static_cast<std::uint64_t>(LowestAcceptableAddress.QuadPart),
                                                   static_cast<std::uint64_t>(HighestAcceptableAddress.QuadPart),
                                                   static_cast<std::uint64_t>(BoundaryAddressMultiple.QuadPart)});
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
