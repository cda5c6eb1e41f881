// KeSaveExtendedProcessorState: the registers of x87, SSE, AVX and AVX-512, by the processor's own XSAVE and XRSTOR.
//
// A state goes by way of the stack: the library's functions between the two instructions and the pool use the registers, too. Of a
// processor without XSAVE the two legacy features are kept as one, by FXSAVE.
#include "ex/pool.hpp"
#include "ke/exports/ke_system.hpp"
#include "ke/floating_point.hpp"
#include "ke/processor.hpp"

#include <cpuid.h>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dirql::ex {
namespace {

constexpr ULONG tag = pool_tag("XSav");
constexpr std::size_t alignment = 64;
constexpr std::size_t legacy_size = 512 + 64; // FXSAVE's area and XSAVE's header
constexpr std::size_t most_size = 3072; // up to AVX-512 and the protection keys; AMX's tiles are no kernel's business
constexpr unsigned features = 63;

struct alignas(alignment) Area {
    std::byte bytes[most_size];
};

std::uint64_t enabled_by_system() noexcept {
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return 0;
    std::uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | std::uint64_t{high} << 32;
}

// Where in the area a feature's registers end; beyond all areas when the processor has no such feature.
std::size_t end_of(unsigned feature) noexcept {
    unsigned size, offset, c, d;
    if (feature <= XSTATE_LEGACY_SSE) return legacy_size;
    if (__get_cpuid_count(0xD, feature, &size, &offset, &c, &d) == 0 || size == 0) return most_size + 1;
    return std::size_t{offset} + size;
}

struct Features {
    std::uint64_t mask;
    std::size_t size; // of an area with all of them
};

Features enabled_features(std::uint64_t asked) noexcept {
    const std::uint64_t enabled = enabled_by_system() & asked;
    Features result{0, legacy_size};
    for (unsigned i = 0; i < features; ++i) {
        const std::size_t end = (enabled >> i & 1) != 0 ? end_of(i) : most_size + 1;
        if (end > most_size) continue;
        result.mask |= std::uint64_t{1} << i;
        if (end > result.size) result.size = end;
    }
    return result;
}

// The header's other words must be zero for XRSTOR.
[[gnu::always_inline]] inline void store_registers(Area& area, std::uint64_t mask) noexcept {
    if (mask == 0) {
        asm volatile("fxsave64 (%0)" : : "r"(&area) : "memory");
        return;
    }
    auto* header = reinterpret_cast<volatile std::uint64_t*>(area.bytes + 512);
    for (unsigned i = 0; i < 8; ++i) header[i] = 0;
    asm volatile("xsave64 (%0)"
                 :
                 : "r"(&area), "a"(static_cast<std::uint32_t>(mask)), "d"(static_cast<std::uint32_t>(mask >> 32))
                 : "memory");
}

[[gnu::always_inline]] inline void load_registers(const Area& area, std::uint64_t mask) noexcept {
    if (mask == 0) {
        asm volatile("fxrstor64 %0" : : "m"(area));
        return;
    }
    asm volatile("xrstor64 %0"
                 :
                 : "m"(area), "a"(static_cast<std::uint32_t>(mask)), "d"(static_cast<std::uint32_t>(mask >> 32)));
}

// In a frame of its own: the area is as large as a good part of a kernel stack.
NTSTATUS save(ULONG64 mask, XSTATE_SAVE& to) noexcept {
    Area area;
    const Features kept = enabled_features(mask);
    const bool legacy = kept.mask == 0 && (mask & XSTATE_MASK_LEGACY) != 0; // no XSAVE
    if (kept.mask != 0 || legacy) store_registers(area, kept.mask);
    to = {};
    to.Thread = KeGetCurrentThread();
    to.Level = ke::current_processor()->irql;
    to.XStateContext.Mask = mask;
    if (kept.mask != 0 || legacy) {
        to.XStateContext.Length = static_cast<ULONG>(kept.size);
        to.XStateContext.Buffer = allocate_pool(NonPagedPoolNx, kept.size + alignment, tag, Fill::none);
        if (to.XStateContext.Buffer == nullptr) return STATUS_INSUFFICIENT_RESOURCES;
        const auto address = reinterpret_cast<std::uintptr_t>(to.XStateContext.Buffer);
        to.XStateContext.Area = reinterpret_cast<PXSAVE_AREA>((address + alignment - 1) / alignment * alignment);
        std::memcpy(static_cast<void*>(to.XStateContext.Area), area.bytes, kept.size);
    }
    const NTSTATUS status = ke::save_floating_point(&to);
    if (!NT_SUCCESS(status) && to.XStateContext.Buffer != nullptr) free_pool(to.XStateContext.Buffer, tag);
    return status;
}

void restore(XSTATE_SAVE& from) noexcept {
    ke::refuse_other_thread(from.Thread);
    ke::restore_floating_point(&from);
    if (from.XStateContext.Buffer == nullptr) return;
    Area area;
    std::memcpy(area.bytes, static_cast<const void*>(from.XStateContext.Area), from.XStateContext.Length);
    const std::uint64_t mask = enabled_features(from.XStateContext.Mask).mask;
    free_pool(from.XStateContext.Buffer, tag);
    from.XStateContext.Buffer = nullptr;
    load_registers(area, mask);
}

} // namespace
} // namespace dirql::ex

using namespace dirql;

extern "C" {

NTSTATUS NTAPI KeSaveExtendedProcessorState(ULONG64 Mask, PXSTATE_SAVE XStateSave) {
    DIRQL_DOOR(KeSaveExtendedProcessorState);
    return ex::save(Mask, *XStateSave);
}

VOID NTAPI KeRestoreExtendedProcessorState(PXSTATE_SAVE XStateSave) {
    DIRQL_DOOR(KeRestoreExtendedProcessorState);
    ex::restore(*XStateSave);
}

// 0 where the processor or the host's system has no XSAVE.
ULONG64 NTAPI RtlGetEnabledExtendedFeatures(ULONG64 FeatureMask) {
    DIRQL_DOOR(RtlGetEnabledExtendedFeatures);
    return ex::enabled_features(FeatureMask).mask;
}
}
