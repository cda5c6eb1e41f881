// The issuer's memory: user mode's is checked and may fault, kernel mode's is trusted.
#pragma once

#include "mm/probe.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstring>

namespace dirql::io {

[[nodiscard]] inline bool copy_in(KPROCESSOR_MODE mode, void* to, const void* from, std::size_t bytes) noexcept {
    if (mode != KernelMode) return NT_SUCCESS(mm::copy_from_user(to, from, bytes));
    std::memcpy(to, from, bytes);
    return true;
}

[[nodiscard]] inline bool copy_out(KPROCESSOR_MODE mode, void* to, const void* from, std::size_t bytes) noexcept {
    if (mode != KernelMode) return NT_SUCCESS(mm::copy_to_user(to, from, bytes));
    std::memcpy(to, from, bytes);
    return true;
}

} // namespace dirql::io
