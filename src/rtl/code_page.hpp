// The two 8-bit code pages of a machine: ANSI is Windows-1252 and OEM is 437, what a US-English Windows boots with.
//
// Both are single-byte pages, so a string has as many bytes as UTF-16 units and no conversion can fail half-way. A unit
// that the page lacks becomes its best-fit substitute (U+0100 is 'A' in the ANSI page; the OEM page's are not made), or
// '?' when there is none.
#pragma once

namespace dirql::rtl {

enum class CodePage { ansi, oem };

inline constexpr char unmappable = '?';

[[nodiscard]] char16_t to_unicode(CodePage page, char byte) noexcept;
[[nodiscard]] char from_unicode(CodePage page, char16_t unit) noexcept;

// The upper case of a byte of the page; itself when the page has no such letter.
[[nodiscard]] char upcase(CodePage page, char byte) noexcept;

} // namespace dirql::rtl
