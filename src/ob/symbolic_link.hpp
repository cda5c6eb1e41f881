// Making symbolic links.
#pragma once

#include "ob/namespace.hpp"

#include <string_view>

namespace dirql::ob {

// Makes a link to `target` where the attributes say, and a handle to it where one is wanted.
[[nodiscard]] NTSTATUS make_link(const OBJECT_ATTRIBUTES* attributes, KPROCESSOR_MODE mode, std::u16string_view target,
                                 ACCESS_MASK access, HANDLE* handle) noexcept;

} // namespace dirql::ob
