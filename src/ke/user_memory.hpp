// The caller's memory, as system services touch it: looked at first, copied in and out with a status.
//
// An address that comes from an application is never trusted, and never touched but by a copy or a touch that may fail: it must lie
// below MmUserProbeAddress, and a bad one is STATUS_ACCESS_VIOLATION. The kernel's own callers are trusted: a bad address of
// theirs is a trap in the copy. Which of them a caller is, his previous mode says. IRQL <= APC_LEVEL for all of these.
#pragma once

#include "ke/address_space.hpp"
#include "ke/thread.hpp"
#include "ke/user_copy.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace dirql::ke {

[[nodiscard]] inline KPROCESSOR_MODE previous_mode() noexcept { return current_thread()->previous_mode; }

// Between the user half and the system range lies a gap that belongs to neither, as on NT.
inline constexpr std::size_t probe_gap = 0x10000;

// The first address that a user-mode caller may not name: MmUserProbeAddress.
[[nodiscard]] inline std::uintptr_t user_probe_address() noexcept { return halves().system - probe_gap; }

[[nodiscard]] inline bool in_user_range(const void* address, std::size_t bytes) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    return begin + bytes >= begin && begin + bytes <= user_probe_address();
}

// What ProbeForRead and ProbeForWrite ask of an address, in NT's order: STATUS_DATATYPE_MISALIGNMENT, STATUS_ACCESS_VIOLATION when
// not all of it is in the user range. Nothing of it for no bytes. `alignment` is a power of two.
[[nodiscard]] inline NTSTATUS check_user_range(const void* address, std::size_t bytes, std::size_t alignment) noexcept {
    if (bytes == 0) return STATUS_SUCCESS;
    if ((reinterpret_cast<std::uintptr_t>(address) & (alignment - 1)) != 0) return STATUS_DATATYPE_MISALIGNMENT;
    return in_user_range(address, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

// Touches each page of a range that is not empty. False when one faults.
[[nodiscard]] bool touch_pages(void* address, std::size_t bytes, bool write) noexcept;

// Could a user-mode caller's buffer be read, or written, now? As check_user_range, and STATUS_ACCESS_VIOLATION when a page of it
// faults.
[[nodiscard]] inline NTSTATUS probe_user(const void* address, std::size_t bytes, bool write,
                                         std::size_t alignment = 1) noexcept {
    if (bytes == 0) return STATUS_SUCCESS;
    if (const NTSTATUS status = check_user_range(address, bytes, alignment); !NT_SUCCESS(status)) return status;
    const auto offset = reinterpret_cast<std::uintptr_t>(address) & (page_size - 1);
    void* const start = const_cast<void*>(address);
    const bool one_page = offset + bytes <= page_size;
    return (one_page ? touch_guarded(start, write) : touch_pages(start, bytes, write)) ? STATUS_SUCCESS
                                                                                       : STATUS_ACCESS_VIOLATION;
}

// Copies between the kernel and its caller. After STATUS_ACCESS_VIOLATION the destination may be partly written.
[[nodiscard]] inline NTSTATUS copy_bytes_in(void* to, const void* from, std::size_t bytes,
                                            KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) {
        std::memcpy(to, from, bytes);
        return STATUS_SUCCESS;
    }
    return in_user_range(from, bytes) && copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}
[[nodiscard]] inline NTSTATUS copy_bytes_out(void* to, const void* from, std::size_t bytes,
                                             KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) {
        std::memcpy(to, from, bytes);
        return STATUS_SUCCESS;
    }
    return in_user_range(to, bytes) && copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

template <class T> [[nodiscard]] NTSTATUS copy_in(T& to, const T* from, KPROCESSOR_MODE mode) noexcept {
    return copy_bytes_in(&to, from, sizeof(T), mode);
}
// For arguments that the caller may leave out: `to` stays what it is.
template <class T> [[nodiscard]] NTSTATUS copy_in_if_given(T& to, const T* from, KPROCESSOR_MODE mode) noexcept {
    return from == nullptr ? STATUS_SUCCESS : copy_in(to, from, mode);
}
template <class T> [[nodiscard]] NTSTATUS copy_out(T* to, const T& from, KPROCESSOR_MODE mode) noexcept {
    return copy_bytes_out(to, &from, sizeof(T), mode);
}
// For results that the caller may do without.
template <class T> [[nodiscard]] NTSTATUS copy_out_if_wanted(T* to, const T& from, KPROCESSOR_MODE mode) noexcept {
    return to == nullptr ? STATUS_SUCCESS : copy_out(to, from, mode);
}
// Could a result be written there? Asked before a service does what it would have to undo.
template <class T> [[nodiscard]] NTSTATUS probe_out(T* to, KPROCESSOR_MODE mode) noexcept {
    return mode == KernelMode ? STATUS_SUCCESS : probe_user(to, sizeof(T), true);
}

// The caller's string in the kernel's memory: `allocate` is asked for so many bytes and returns where they begin, or null,
// and owns them whatever this returns. A string of no length allocates nothing. `invalid` for half a character or more
// than `longest` bytes, STATUS_ACCESS_VIOLATION, STATUS_INSUFFICIENT_RESOURCES.
template <class Allocate>
[[nodiscard]] NTSTATUS capture_string(const UNICODE_STRING* from, KPROCESSOR_MODE mode, USHORT longest,
                                      NTSTATUS invalid, Allocate allocate) noexcept {
    UNICODE_STRING text;
    if (const NTSTATUS status = copy_in(text, from, mode); !NT_SUCCESS(status)) return status;
    if (text.Length == 0) return STATUS_SUCCESS;
    if (text.Length % sizeof(WCHAR) != 0 || text.Length > longest) return invalid;
    void* const to = allocate(text.Length);
    return to == nullptr ? STATUS_INSUFFICIENT_RESOURCES : copy_bytes_in(to, text.Buffer, text.Length, mode);
}

} // namespace dirql::ke
