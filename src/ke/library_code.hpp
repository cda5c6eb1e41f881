// Which code is this library's own.
#pragma once

#include <cstdint>

namespace dirql::ke {

// Finds the library's text. Before the first use inside a signal handler.
void locate_library_code() noexcept;
[[nodiscard]] bool is_library_code(std::uint64_t address) noexcept;

} // namespace dirql::ke
