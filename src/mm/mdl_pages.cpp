// Pages that belong to an MDL alone: physical memory without an address.
#include "ex/pool.hpp"
#include "ke/exports/mm.hpp"
#include "ke/stop.hpp"
#include "mm/mdl.hpp"
#include "mm/state.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace dirql::mm {
namespace {

constexpr std::uint64_t most_bytes = (std::uint64_t{4} << 30) - ke::page_size;
constexpr std::uint64_t large_page = std::uint64_t{2} << 20;

struct PagesWanted {
    std::uint64_t low;
    std::uint64_t high; // inclusive
    std::uint64_t skip;
    std::size_t bytes;
    ULONG flags;

    [[nodiscard]] bool has(ULONG flag) const noexcept { return (flags & flag) != 0; }
    [[nodiscard]] std::size_t pages() const noexcept { return ke::pages_for(bytes); }
};

bool valid(const PagesWanted& wanted, MEMORY_CACHING_TYPE cache) noexcept {
    if (wanted.bytes == 0 || wanted.bytes > most_bytes || wanted.low > wanted.high) return false;
    if (wanted.skip % ke::page_size != 0 || cache < MmNonCached || cache >= MmMaximumCacheType) return false;
    if (wanted.has(MM_ALLOCATE_AND_HOT_REMOVE) && wanted.has(MM_ALLOCATE_FULLY_REQUIRED)) return false;
    const bool chunks = wanted.has(MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS);
    if (chunks && wanted.skip != 0 && (!std::has_single_bit(wanted.skip) || wanted.bytes % wanted.skip != 0))
        return false;
    return !wanted.has(MM_ALLOCATE_FAST_LARGE_PAGES) || (chunks && wanted.skip != 0 && wanted.skip % large_page == 0);
}

// The frames found so far, of an MDL.
class FrameList {
public:
    explicit FrameList(PMDL mdl) noexcept : frames_(frames(mdl)) {}
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    void add(const std::byte* pages, std::size_t count, const ke::Slot& slot) noexcept {
        const ke::Pfn first = slot.frame_of(pages);
        for (std::size_t i = 0; i < count; ++i) frames_[count_++] = first + i;
    }

private:
    PFN_NUMBER* frames_;
    std::size_t count_ = 0;
};

ke::Slot::FrameRange frames_between(std::uint64_t low, std::uint64_t high, std::uint64_t align = 1) noexcept {
    const std::uint64_t end = high == ~std::uint64_t{0} ? high : (high + 1) >> ke::page_shift;
    return {(low >> ke::page_shift) + (low % ke::page_size != 0), end, align, 0};
}

// Page after page, from one range after another.
void find_pages(ke::Slot& slot, const PagesWanted& wanted, FrameList& found) noexcept {
    const std::uint64_t memory = slot.physical_pages() * ke::page_size;
    std::uint64_t high = wanted.high;
    for (std::uint64_t low = wanted.low; low < memory; low += wanted.skip) {
        while (found.count() != wanted.pages()) {
            const std::byte* page = slot.allocate_pages_in(1, frames_between(low, high));
            if (page == nullptr) break;
            found.add(page, 1, slot);
        }
        if (found.count() == wanted.pages() || wanted.skip == 0) return;
        high = high > ~std::uint64_t{0} - wanted.skip ? ~std::uint64_t{0} : high + wanted.skip;
    }
}

// Blocks of `skip` bytes, each on its boundary; one block of all bytes where that is zero.
void find_chunks(ke::Slot& slot, const PagesWanted& wanted, FrameList& found) noexcept {
    const std::size_t chunk = wanted.skip == 0 ? wanted.pages() : wanted.skip >> ke::page_shift;
    const std::uint64_t align = wanted.skip == 0 ? 1 : chunk;
    while (found.count() < wanted.pages()) {
        const std::byte* pages = slot.allocate_pages_in(chunk, frames_between(wanted.low, wanted.high, align));
        if (pages == nullptr) return;
        found.add(pages, chunk, slot);
    }
}

void free_frames(PMDL mdl) noexcept {
    ke::Slot& slot = *ke::current_machine().slot;
    for (std::size_t i = 0; i < page_count(mdl); ++i)
        slot.free_pages(slot.address_of_frame(static_cast<ke::Pfn>(frames(mdl)[i])), 1);
}

// A block is as long as it was when it was allocated, whatever a driver has written into the MDL.
std::size_t room_for_frames(const MDL* mdl) noexcept {
    const ex::PoolBlock block = ex::find_pool_block(mdl);
    const auto* const list = reinterpret_cast<const std::byte*>(frames(mdl));
    const std::size_t bytes = block.data != nullptr ? static_cast<std::size_t>(block.data + block.size - list)
                                                    : static_cast<std::uint16_t>(mdl->Size) - sizeof(MDL);
    return bytes / sizeof(PFN_NUMBER);
}

void check_frames(const MDL* mdl) noexcept {
    const std::size_t room = room_for_frames(mdl);
    const std::size_t memory = ke::current_machine().slot->physical_pages();
    for (std::size_t i = 0; i < page_count(mdl); ++i) {
        if (i < room && frames(mdl)[i] < memory) continue;
        detail::bad_frame(mdl, &frames(mdl)[i], i < room ? frames(mdl)[i] : 0,
                          "MmFreePagesFromMdl was given an MDL that describes other pages than were allocated",
                          "MmFreePagesFromMdl function (wdm.h)");
    }
}

void zero_frames(const MDL* mdl) noexcept {
    const ke::Slot& slot = *ke::current_machine().slot;
    for (std::size_t i = 0; i < page_count(mdl); ++i)
        std::memset(slot.address_of_frame(static_cast<ke::Pfn>(frames(mdl)[i])), 0, ke::page_size);
}

PMDL allocate_pages(const PagesWanted& wanted, MEMORY_CACHING_TYPE cache) noexcept {
    ke::Slot& slot = *ke::current_machine().slot;
    if (!valid(wanted, cache) || ke::current_machine().choice.allocation_fails()) return nullptr;
    // What there is: an MDL for more would be as much too long.
    const std::size_t most = std::min(wanted.pages(), slot.free_page_count());
    if (most < wanted.pages() && wanted.has(MM_ALLOCATE_FULLY_REQUIRED)) return nullptr;
    PMDL mdl = most == 0 ? nullptr : allocate_mdl(nullptr, wanted.pages() * ke::page_size);
    if (mdl == nullptr) return nullptr;
    FrameList found(mdl);
    (wanted.has(MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) ? find_chunks : find_pages)(slot, wanted, found);
    mdl->ByteCount = static_cast<ULONG>(found.count() * ke::page_size);
    const bool short_of = found.count() < wanted.pages();
    if (found.count() == 0 || (short_of && wanted.has(MM_ALLOCATE_FULLY_REQUIRED))) {
        free_frames(mdl);
        free_mdl(mdl);
        return nullptr;
    }
    mdl->MdlFlags = static_cast<CSHORT>(mdl->MdlFlags | MDL_PAGES_LOCKED);
    if (!wanted.has(MM_DONT_ZERO_ALLOCATION)) zero_frames(mdl);
    return mdl;
}

void check_irql() noexcept {
    if (ke::current_processor()->irql <= DISPATCH_LEVEL) [[likely]]
        return;
    detail::bad_irql(0x7E, DISPATCH_LEVEL, 0, "pages for an MDL were allocated or freed above DISPATCH_LEVEL",
                     "MmAllocatePagesForMdlEx function (wdm.h)");
}

PMDL allocate_pages_checked(PHYSICAL_ADDRESS low, PHYSICAL_ADDRESS high, PHYSICAL_ADDRESS skip, SIZE_T bytes,
                            MEMORY_CACHING_TYPE cache, ULONG flags) noexcept {
    check_irql();
    return allocate_pages({static_cast<std::uint64_t>(low.QuadPart), static_cast<std::uint64_t>(high.QuadPart),
                           static_cast<std::uint64_t>(skip.QuadPart), bytes, flags},
                          cache);
}

// The pages are those of a MmAllocatePagesForMdl that were not freed yet.
void check_owned(const MDL* mdl) noexcept {
    constexpr unsigned origin = MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL | MDL_IO_SPACE;
    const bool owned =
        (mdl->MdlFlags & origin) == MDL_PAGES_LOCKED && mdl->Process == nullptr && mdl->StartVa == nullptr;
    if (owned) [[likely]]
        return;
    detail::bad_frame(mdl, frames(mdl), page_count(mdl) == 0 ? 0 : frames(mdl)[0],
                      "MmFreePagesFromMdl was given an MDL whose pages MmAllocatePagesForMdl did not allocate, or that "
                      "have been freed",
                      "MmFreePagesFromMdl function (wdm.h)");
}

} // namespace
} // namespace dirql::mm

using namespace dirql;

extern "C" {

PMDL NTAPI MmAllocatePagesForMdl(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                 SIZE_T TotalBytes) {
    DIRQL_DOOR(MmAllocatePagesForMdl);
    return mm::allocate_pages_checked(LowAddress, HighAddress, SkipBytes, TotalBytes, MmCached, 0);
}

PMDL NTAPI MmAllocatePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                   PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType,
                                   ULONG Flags) {
    DIRQL_DOOR(MmAllocatePagesForMdlEx);
    return mm::allocate_pages_checked(LowAddress, HighAddress, SkipBytes, TotalBytes, CacheType, Flags);
}

PMDL NTAPI MmAllocateNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                       PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType,
                                       ULONG IdealNode, ULONG Flags) {
    DIRQL_DOOR(MmAllocateNodePagesForMdlEx);
    UNREFERENCED_PARAMETER(IdealNode); // there is one
    return mm::allocate_pages_checked(LowAddress, HighAddress, SkipBytes, TotalBytes, CacheType, Flags);
}

// The MDL itself stays, and is the caller's to free.
VOID NTAPI MmFreePagesFromMdl(PMDLX MemoryDescriptorList) {
    DIRQL_DOOR(MmFreePagesFromMdl);
    mm::check_irql();
    mm::check_owned(MemoryDescriptorList);
    mm::check_frames(MemoryDescriptorList);
    if ((MemoryDescriptorList->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0)
        mm::unmap_pages(MemoryDescriptorList->MappedSystemVa, MemoryDescriptorList);
    mm::free_frames(MemoryDescriptorList);
    MemoryDescriptorList->MdlFlags = static_cast<CSHORT>(MemoryDescriptorList->MdlFlags & ~MDL_PAGES_LOCKED);
}
}
