// Taking and giving back the entries of a handle table.
#pragma once

#include "ob/handle_table.hpp"

#include <cstdint>

namespace dirql::ob {

// The index of a free entry, filled; 0 when memory is short or the table is full.
[[nodiscard]] std::uint32_t take_entry(HandleTable& table, const HandleEntry& contents) noexcept;
// `value` is that of a handle in use.
void free_entry(HandleTable& table, std::uint64_t value) noexcept;

} // namespace dirql::ob
