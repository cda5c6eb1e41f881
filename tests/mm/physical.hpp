// Physical addresses in short words, and pages for an MDL.
#pragma once

#include <ntifs.h>

#include <cstdint>

namespace dirql::test {

inline PHYSICAL_ADDRESS at(std::uint64_t address) {
    PHYSICAL_ADDRESS result;
    result.QuadPart = static_cast<LONGLONG>(address);
    return result;
}

inline constexpr std::uint64_t anywhere = ~std::uint64_t{0};
inline constexpr std::uint64_t mib = 1 << 20;

inline PMDL pages(std::uint64_t low, std::uint64_t high, std::uint64_t skip, SIZE_T bytes, ULONG flags = 0) {
    return MmAllocatePagesForMdlEx(at(low), at(high), at(skip), bytes, MmCached, flags);
}

inline void give_back(PMDL mdl) {
    MmFreePagesFromMdl(mdl);
    ExFreePool(mdl);
}

} // namespace dirql::test
