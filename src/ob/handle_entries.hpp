// Taking and giving back the entries of a handle table.
#pragma once

#include "ob/handle_table.hpp"

#include <cstdint>

namespace dirql::ob {

// The index of a free entry, filled; 0 when memory is short or the table is full.
[[nodiscard]] std::uint32_t take_entry(HandleTable& table, const HandleEntry& contents) noexcept;
// `value` is that of a handle in use.
void free_entry(HandleTable& table, std::uint64_t value) noexcept;

// One handle more of the object, before it exists: the type may refuse it.
[[nodiscard]] NTSTATUS add_handle(ObjectHeader& header, ke::Process& process, ACCESS_MASK granted, ULONG attributes,
                                  OpenReason reason) noexcept;
// It came to nothing, refused or not; `handles_before` is the count from before add_handle.
void undo_handle(ObjectHeader& header, std::int64_t handles_before) noexcept;

// Makes the entry at this index, of a table that was empty so far, be this one. False when memory is short.
[[nodiscard]] bool place_entry(HandleTable& table, std::uint32_t index, const HandleEntry& contents) noexcept;

} // namespace dirql::ob
