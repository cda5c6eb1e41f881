// Comparing and hashing counted strings. Views carry a driver's pointer and length; nothing here needs a terminator.
#pragma once

#include <cstdint>
#include <string_view>

namespace dirql::rtl {

enum class Case : bool { sensitive, ignored };

// Negative, zero or positive: unit by unit, upper-cased when case is ignored, then the shorter first. Not a collation.
[[nodiscard]] int compare(std::u16string_view left, std::u16string_view right, Case how) noexcept;
[[nodiscard]] int compare(std::string_view left, std::string_view right, Case how) noexcept;

[[nodiscard]] bool equal(std::u16string_view left, std::u16string_view right, Case how) noexcept;
[[nodiscard]] bool equal(std::string_view left, std::string_view right, Case how) noexcept;

// Does `text` begin with `prefix`? The empty prefix begins every text.
[[nodiscard]] bool has_prefix(std::u16string_view text, std::u16string_view prefix, Case how) noexcept;
[[nodiscard]] bool has_prefix(std::string_view text, std::string_view prefix, Case how) noexcept;

[[nodiscard]] bool has_suffix(std::u16string_view text, std::u16string_view suffix, Case how) noexcept;

// The x65599 hash: HASH_STRING_ALGORITHM_X65599 and, today, the default.
[[nodiscard]] std::uint32_t hash_x65599(std::u16string_view text, Case how) noexcept;

} // namespace dirql::rtl
