// Addresses that come from an application: never trusted, never touched but by a copy or touch that may fail.
#pragma once

#include "ke/address_space.hpp"
#include "ke/user_copy.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::mm {

// Between the user half and the system range lies a gap that belongs to neither, as on NT.
inline constexpr std::size_t probe_gap = 0x10000;

// The first address that a user-mode caller may not name: MmUserProbeAddress.
[[nodiscard]] inline std::uintptr_t user_probe_address() noexcept { return ke::halves().system - probe_gap; }

[[nodiscard]] inline bool in_user_range(const void* address, std::size_t bytes) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    return begin + bytes >= begin && begin + bytes <= user_probe_address();
}

// Touches each page of a range. False when one faults.
[[nodiscard]] bool touch_pages(void* address, std::size_t bytes, bool write) noexcept;

// Could a user-mode caller's buffer be read, or written, now? STATUS_ACCESS_VIOLATION when not. Nothing of it for no
// bytes.
[[nodiscard]] inline NTSTATUS probe_user(const void* address, std::size_t bytes, bool write) noexcept {
    if (bytes == 0) return STATUS_SUCCESS;
    if (!in_user_range(address, bytes)) return STATUS_ACCESS_VIOLATION;
    const auto offset = reinterpret_cast<std::uintptr_t>(address) & (ke::page_size - 1);
    void* const start = const_cast<void*>(address);
    const bool one_page = offset + bytes <= ke::page_size;
    return (one_page ? ke::touch_guarded(start, write) : touch_pages(start, bytes, write)) ? STATUS_SUCCESS
                                                                                           : STATUS_ACCESS_VIOLATION;
}

// Copies between the kernel and a user-mode caller. STATUS_ACCESS_VIOLATION for an address outside of the user range or
// not mapped; the destination may then be partly written. IRQL <= APC_LEVEL.
[[nodiscard]] inline NTSTATUS copy_from_user(void* to, const void* from, std::size_t bytes) noexcept {
    return in_user_range(from, bytes) && ke::copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
[[nodiscard]] inline NTSTATUS copy_to_user(void* to, const void* from, std::size_t bytes) noexcept {
    return in_user_range(to, bytes) && ke::copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

} // namespace dirql::mm
