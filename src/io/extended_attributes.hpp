// Extended attributes: the list of names and values that a create request may carry.
#pragma once

#include <ntifs.h>

namespace dirql::io {

// Is this a list of FILE_FULL_EA_INFORMATION that fills exactly these bytes, each entry but the last pointing at the next?
// STATUS_EA_LIST_INCONSISTENT, with the offset of the entry that is not right.
[[nodiscard]] NTSTATUS check_extended_attributes(const void* list, ULONG length, ULONG& error_offset) noexcept;

} // namespace dirql::io
