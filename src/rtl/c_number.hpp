// strtol's reading of numbers and _itoa's writing, once for all widths and sizes.
#pragma once

#include "rtl/crt.hpp"
#include "rtl/integer_text.hpp"

#include <cstdint>
#include <limits>
#include <type_traits>

namespace dirql::rtl {

template <class Char> [[nodiscard]] bool is_c_space(Char c) noexcept {
    return c == Char(' ') || (c >= Char('\t') && c <= Char('\r'));
}

// Reads an integer as strtol does: white space, sign, 0x or 0 when the base asks for it, digits. Out of range it is the
// nearest limit. `*end` becomes the first unit not read, or `text` when there was no number.
template <class Value, class Char> Value read_number(const Char* text, const Char** end, int base) noexcept {
    using Magnitude = std::make_unsigned_t<Value>;
    const Char* at = text;
    while (is_c_space(*at)) ++at;
    const bool negative = *at == Char('-');
    if (negative || *at == Char('+')) ++at;
    const bool hex_prefix = at[0] == Char('0') && (at[1] == Char('x') || at[1] == Char('X')) && digit_value(at[2]) < 16;
    if ((base == 0 || base == 16) && hex_prefix) at += 2, base = 16;
    if (base == 0) base = *at == Char('0') ? 8 : 10;

    Magnitude limit = std::numeric_limits<Value>::max();
    if (std::is_signed_v<Value> && negative) ++limit;
    Magnitude value = 0;
    bool overflow = false, any = false;
    for (unsigned digit; (digit = digit_value(static_cast<char32_t>(*at))) < static_cast<unsigned>(base);
         ++at, any = true) {
        overflow |= value > (limit - digit) / static_cast<unsigned>(base);
        value = value * static_cast<unsigned>(base) + digit;
    }
    if (end) *end = any ? at : text;
    if (overflow) value = limit;
    // An unsigned overflow is the limit whatever the sign.
    const bool negate = negative && !(overflow && std::is_unsigned_v<Value>);
    return static_cast<Value>(negate ? Magnitude{0} - value : value);
}

// atoi: decimal, no limits checked; what overflows wraps.
template <class Value, class Char> Value read_decimal(const Char* text) noexcept {
    using Magnitude = std::make_unsigned_t<Value>;
    while (is_c_space(*text)) ++text;
    const bool negative = *text == Char('-');
    if (negative || *text == Char('+')) ++text;
    Magnitude value = 0;
    for (; *text >= Char('0') && *text <= Char('9'); ++text)
        value = value * 10 + static_cast<Magnitude>(*text - Char('0'));
    return static_cast<Value>(negative ? Magnitude{0} - value : value);
}

// _itoa_s: the terminated digits of `value`, lower case; a minus sign only in base 10, other bases show the bits.
// EINVAL for a null or empty buffer or a base outside 2 to 36, ERANGE (and an empty text) when it does not fit.
template <class Char, class Value> errno_t write_number(Value value, Char* to, std::size_t room, int base) noexcept {
    using Magnitude = std::make_unsigned_t<Value>;
    if (to == nullptr || room == 0) return e_inval;
    to[0] = 0;
    if (base < 2 || base > 36) return e_inval;
    const bool negative = std::is_signed_v<Value> && base == 10 && value < 0;
    const auto bits = static_cast<Magnitude>(value);
    const Digits digits(negative ? static_cast<Magnitude>(Magnitude{0} - bits) : bits, static_cast<unsigned>(base),
                        LetterDigits::lower);
    if (room <= digits.view().size() + negative) return e_range;
    if (negative) *to++ = Char('-');
    for (const char digit : digits.view()) *to++ = Char(digit);
    *to = 0;
    return no_error;
}

template <class Char, class Value> Char* write_number(Value value, Char* to, int base) noexcept {
    write_number(value, to, static_cast<std::size_t>(-1), base);
    return to;
}

} // namespace dirql::rtl
