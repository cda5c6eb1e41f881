// GUIDs as text: {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}, lower case when written, either case when read.
#pragma once

#include <ntdef.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace dirql::rtl {

inline constexpr std::size_t guid_text_length = 38;

void write_guid(const GUID& guid, char16_t (&text)[guid_text_length]) noexcept;

// Empty unless `text` is exactly one GUID with its braces.
[[nodiscard]] std::optional<GUID> parse_guid(std::u16string_view text) noexcept;

} // namespace dirql::rtl
