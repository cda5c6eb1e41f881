// Upper and lower case of single UTF-16 units, as the kernel's case tables give them: one unit to one unit, independent
// of any locale.
//
// The table holds the pairs of Unicode 14's simple case mappings that lead back to where they began (so U+0131 dotless
// i, U+017F long s and U+00B5 micro sign are their own upper case, as on NT), without the scripts that were given case
// after NT's table had settled (Georgian, Cherokee). Final sigma is the one letter that is raised and not lowered back.
#pragma once

namespace dirql::rtl {

[[nodiscard]] char16_t upcase(char16_t unit) noexcept;
[[nodiscard]] char16_t downcase(char16_t unit) noexcept;

// The letters A to Z only: what the C run-time library means by case in the "C" locale.
template <class Char> [[nodiscard]] constexpr Char ascii_upper(Char c) noexcept {
    return c >= Char('a') && c <= Char('z') ? static_cast<Char>(c - 32) : c;
}

template <class Char> [[nodiscard]] constexpr Char ascii_lower(Char c) noexcept {
    return c >= Char('A') && c <= Char('Z') ? static_cast<Char>(c + 32) : c;
}

} // namespace dirql::rtl
