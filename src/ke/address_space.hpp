// The address space of a machine: two halves at fixed places, as on NT.
//
//   user half    [user_base,   user_base   + slot_size * max_slots)   process arenas, application stacks
//   system half  [system_base, system_base + slot_size * max_slots)   everything of the kernel
//
// Slot i owns the i-th stretch of each half. Within the system half of a slot:
//
//   +0            the direct map: all physical memory, once, linear (pool, stacks, images, machine state are pages of it)
//   +views_offset system views: second mappings of frames that are not contiguous (MDLs, I/O space)
//
// MmSystemRangeStart is where the system half begins, for every machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dirql::ke {

inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t page_shift = 12;
inline constexpr std::size_t slot_size = std::size_t{2} << 30;
inline constexpr unsigned max_slots = 128;
inline constexpr std::size_t views_offset = std::size_t{1} << 30;
inline constexpr std::size_t views_size = std::size_t{256} << 20;
inline constexpr std::size_t max_physical_memory = views_offset;

// Where the halves begin. The preferred places are free in plain, ASan and TSan processes; an instrumenting emulator with a
// smaller address space (Valgrind) gets the fallback.
struct HalfBases {
    std::uintptr_t user;
    std::uintptr_t system;
};
inline constexpr HalfBases preferred_halves{0x7E80'0000'0000, 0x7EC0'0000'0000};
inline constexpr HalfBases fallback_halves{0x0800'0000'0000, 0x0840'0000'0000};

// The halves in force in this process, decided once, when the library is loaded.
namespace detail {
extern const HalfBases halves_in_force;
}
[[nodiscard]] inline const HalfBases& halves() noexcept { return detail::halves_in_force; }

[[nodiscard]] constexpr std::size_t pages_for(std::size_t bytes) noexcept {
    return (bytes + page_size - 1) >> page_shift;
}

} // namespace dirql::ke
