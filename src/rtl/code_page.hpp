// The two 8-bit code pages of a machine: ANSI is Windows-1252 and OEM is 437, what a US-English Windows boots with.
//
// Both are single-byte pages, so a string has as many bytes as UTF-16 units and no conversion can fail half-way. A unit
// the page lacks becomes '?': the pages' best-fit substitutions (U+0100 to 'A') are not made.
#pragma once

namespace dirql::rtl {

enum class CodePage { ansi, oem };

inline constexpr char unmappable = '?';

[[nodiscard]] char16_t to_unicode(CodePage page, char byte) noexcept;
[[nodiscard]] char from_unicode(CodePage page, char16_t unit) noexcept;

// The upper case of a byte of the page; itself when the page has no such letter.
[[nodiscard]] char upcase(CodePage page, char byte) noexcept;

} // namespace dirql::rtl
