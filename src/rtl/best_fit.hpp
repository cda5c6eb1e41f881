// Best-fit substitutes: what Windows puts into a code page for a character that the page lacks and that looks or means alike.
#pragma once

namespace dirql::rtl {

// The byte of Windows-1252 that stands in for `unit`, which is not of the page; 0 when none does.
[[nodiscard]] char best_fit_1252(char16_t unit) noexcept;

} // namespace dirql::rtl
