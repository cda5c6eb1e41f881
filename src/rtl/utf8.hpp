// UTF-8 to UTF-16 and back, by the kernel's rules (documents RtlUTF8ToUnicodeN, RtlUnicodeToUTF8N): an ill-formed
// sequence becomes U+FFFD, output stops at the last whole character that fits.
#pragma once

#include <cstddef>
#include <string_view>

namespace dirql::rtl {

inline constexpr char32_t replacement_character = 0xFFFD;

struct Utf8Result {
    std::size_t written;  // units stored; without a buffer, units needed
    bool all_well_formed; // no replacement was made
    bool complete;        // the whole source was converted
};

// Converts into `capacity` units at `to`; a null `to` measures.
[[nodiscard]] Utf8Result utf8_to_utf16(char16_t* to, std::size_t capacity, std::string_view from) noexcept;
[[nodiscard]] Utf8Result utf16_to_utf8(char* to, std::size_t capacity, std::u16string_view from) noexcept;

} // namespace dirql::rtl
