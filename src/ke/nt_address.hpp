// Addresses of the library itself, as they are told to people and drivers' tools.
//
// The host's loader puts the library somewhere else in each process, and each compiler lays it out otherwise; a run is to
// be the same everywhere. So where a bug check's parameter is such an address, it becomes one in a fictitious image `nt`,
// which begins at nt_base: an export is nt_base + 16 * (1 + its place in the table of exports); any other code of the
// kernel is the export by which the driver had entered it, where the stack tells, and else nt_base.
#pragma once

#include "ke/machine.hpp"

#include <cstdint>
#include <optional>

namespace dirql::ke {

// Where NT's kernel lies on x64: no address of a machine, and none that the host could have.
inline constexpr std::uint64_t nt_base = 0xFFFF'F800'0000'0000;
inline constexpr std::uint64_t nt_export_size = 16;

// The value, or what stands for it. `stop`: its recorded stack tells how the kernel was entered.
[[nodiscard]] std::uint64_t reported_address(const Machine& machine, const Stop& stop, std::uint64_t value) noexcept;

// What a reported address stands for: an export's real address, null for other code of the kernel; nothing when it is none
// of nt's.
[[nodiscard]] std::optional<const void*> behind_reported_address(const Machine& machine, std::uint64_t value) noexcept;

} // namespace dirql::ke
