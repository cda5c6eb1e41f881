// Short (8.3) file names in the OEM page: what is one, and how one is made of a long name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace dirql::rtl {

inline constexpr std::size_t short_base_length = 8, short_extension_length = 3;
inline constexpr std::size_t short_name_length = short_base_length + 1 + short_extension_length;

// May the character stand in a short name? Neither the dot, which separates, nor the space, which may with care.
[[nodiscard]] bool is_short_name_character(unsigned char c) noexcept;

struct ShortNameCheck {
    bool legal;
    bool spaces;
};

// `name` is in the OEM page and upper case.
[[nodiscard]] ShortNameCheck check_short_name(std::string_view name) noexcept;

// What is kept between the names tried for one long name: the six characters before "~1", and what comes behind.
struct ShortNameParts {
    char16_t base[6];
    std::size_t base_length;
    char16_t extension[1 + short_extension_length]; // with its dot
    std::size_t extension_length;
};

enum class Extended : bool { replaced, kept };

// Spaces and dots are left out, what a short name cannot hold becomes '_', leading dots are skipped. Upper case.
[[nodiscard]] ShortNameParts shorten(std::u16string_view name, Extended extended) noexcept;

// Distinguishes long names whose beginnings are equal.
[[nodiscard]] std::uint16_t short_name_checksum(std::u16string_view name) noexcept;

} // namespace dirql::rtl
