// Integers to digits and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dirql::rtl {

enum class LetterDigits : bool { lower, upper };

// The digits of a value, without prefix or terminator. Zero is one digit.
class Digits {
public:
    // Precondition: 2 <= base <= 36.
    Digits(std::uint64_t value, unsigned base, LetterDigits letters = LetterDigits::upper) noexcept;

    [[nodiscard]] std::string_view view() const noexcept { return {first_, static_cast<std::size_t>(end() - first_)}; }

private:
    const char* end() const noexcept { return text_ + sizeof(text_); }

    char text_[64];
    char* first_;
};

// The value of a digit in bases up to 36; 36 when `c` is none.
[[nodiscard]] constexpr unsigned digit_value(char32_t c) noexcept {
    if (c >= U'0' && c <= U'9') return c - U'0';
    const char32_t lower = c | 0x20;
    return lower >= U'a' && lower <= U'z' ? lower - U'a' + 10 : 36;
}

// Is `base` one that the Rtl conversions take? Zero asks for the default.
[[nodiscard]] constexpr bool is_rtl_base(unsigned base) noexcept {
    return base == 0 || base == 2 || base == 8 || base == 10 || base == 16;
}

// RtlUnicodeStringToInteger's and RtlCharToInteger's reading: leading white space and one sign are skipped, base 0 looks
// for 0x, 0o and 0b and is 10 without them, the first character that is no digit ends the number, no digit at all is
// zero, and a value beyond 32 bits wraps. Precondition: is_rtl_base(base).
[[nodiscard]] std::uint32_t parse_rtl_integer(std::u16string_view text, unsigned base) noexcept;
[[nodiscard]] std::uint32_t parse_rtl_integer(std::string_view text, unsigned base) noexcept;

struct ParsedInteger {
    std::uint64_t value;
    std::size_t length; // of what was read: white space, sign, prefix and digits
};

// The same in 64 bits.
[[nodiscard]] ParsedInteger parse_rtl_integer64(std::u16string_view text, unsigned base) noexcept;

} // namespace dirql::rtl
