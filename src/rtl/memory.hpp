// Memory primitives that may be handed a driver's pointers.
//
// They call nothing of the host's C library: a fault inside one of them is then a fault of kernel code, and no
// sanitizer's interceptor takes a driver's wild pointer for the host's own mistake.
#pragma once

#include <cstddef>

namespace dirql::rtl {

// Copies `size` bytes; the ranges may overlap. Any IRQL.
void move_memory(void* to, const void* from, std::size_t size) noexcept;

// Sets `size` bytes to `value`. Any IRQL.
void fill_memory(void* at, unsigned char value, std::size_t size) noexcept;

// The number of leading bytes in which the two ranges agree: `size` when they are equal. Any IRQL.
[[nodiscard]] std::size_t equal_bytes(const void* left, const void* right, std::size_t size) noexcept;

} // namespace dirql::rtl
