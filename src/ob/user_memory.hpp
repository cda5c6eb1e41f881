// Arguments of system services: what the caller's pointers lead to is copied in and out by the rules of its mode.
//
// A user-mode caller's memory must lie below the system range, and a bad address is STATUS_ACCESS_VIOLATION. The kernel's own
// callers are trusted: a bad address of theirs is a trap in the copy.
#pragma once

#include "ke/address_space.hpp"
#include "ke/thread.hpp"
#include "ke/user_copy.hpp"

#include <ntifs.h>

#include <cstdint>
#include <cstring>

namespace dirql::ob {

[[nodiscard]] inline bool in_user_range(const void* address, std::size_t bytes) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    return begin + bytes >= begin && begin + bytes <= ke::halves().system;
}

[[nodiscard]] inline NTSTATUS copy_bytes_in(void* to, const void* from, std::size_t bytes,
                                            KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) {
        std::memcpy(to, from, bytes);
        return STATUS_SUCCESS;
    }
    return in_user_range(from, bytes) && ke::copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

[[nodiscard]] inline NTSTATUS copy_bytes_out(void* to, const void* from, std::size_t bytes,
                                             KPROCESSOR_MODE mode) noexcept {
    if (mode == KernelMode) {
        std::memcpy(to, from, bytes);
        return STATUS_SUCCESS;
    }
    return in_user_range(to, bytes) && ke::copy_guarded(to, from, bytes) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

template <class T> [[nodiscard]] NTSTATUS copy_in(T& to, const T* from, KPROCESSOR_MODE mode) noexcept {
    return copy_bytes_in(&to, from, sizeof(T), mode);
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
    if (mode == KernelMode) return STATUS_SUCCESS;
    T value;
    if (copy_in(value, to, mode) != STATUS_SUCCESS) return STATUS_ACCESS_VIOLATION;
    return copy_out(to, value, mode);
}

[[nodiscard]] inline KPROCESSOR_MODE previous_mode() noexcept { return ke::current_thread()->previous_mode; }

} // namespace dirql::ob
