// Copies that may meet a bad address: the fault ends the copy, not the machine.
#pragma once

#include <cstddef>

namespace dirql::ke {

// False when either side faulted; the destination may then be partly written. Any IRQL at which the memory may be touched.
[[nodiscard]] bool copy_guarded(void* to, const void* from, std::size_t bytes) noexcept asm("dirql_copy_guarded");
// Writes an IO_STATUS_BLOCK as its two members, the widths in which drivers have just written them (a wider copy would stall).
[[nodiscard]] bool write_status_guarded(void* block, int status, std::size_t information) noexcept
    asm("dirql_write_status_guarded");
// Touches one byte (reads it, writes it back where `write`). False when it faults.
[[nodiscard]] bool touch_guarded(void* address, bool write) noexcept asm("dirql_touch_guarded");

// For the trap door: where a fault at `rip` inside these goes on, or 0.
[[nodiscard]] std::size_t guarded_fix_up(std::size_t rip) noexcept;

} // namespace dirql::ke
