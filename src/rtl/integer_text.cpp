#include "rtl/integer_text.hpp"

namespace dirql::rtl {
namespace {

template <class Char> void skip_blanks(std::basic_string_view<Char>& text) {
    while (!text.empty() && static_cast<std::make_unsigned_t<Char>>(text.front()) <= ' ') text.remove_prefix(1);
}

template <class Char> bool take_sign(std::basic_string_view<Char>& text) {
    const bool negative = !text.empty() && text.front() == Char('-');
    if (negative || (!text.empty() && text.front() == Char('+'))) text.remove_prefix(1);
    return negative;
}

template <class Char> unsigned take_base_prefix(std::basic_string_view<Char>& text) {
    if (text.size() < 2 || text[0] != Char('0')) return 10;
    const unsigned base = text[1] == Char('x') ? 16 : text[1] == Char('o') ? 8 : text[1] == Char('b') ? 2 : 0;
    if (base == 0) return 10;
    text.remove_prefix(2);
    return base;
}

template <class Char> ParsedInteger parse(std::basic_string_view<Char> text, unsigned base) {
    const std::size_t size = text.size();
    skip_blanks(text);
    const bool negative = take_sign(text);
    if (base == 0) base = take_base_prefix(text);
    std::uint64_t value = 0;
    for (; !text.empty(); text.remove_prefix(1)) {
        const unsigned digit = digit_value(static_cast<std::make_unsigned_t<Char>>(text.front()));
        if (digit >= base) break;
        value = value * base + digit;
    }
    return {negative ? 0 - value : value, size - text.size()};
}

} // namespace

Digits::Digits(std::uint64_t value, unsigned base, LetterDigits letters) noexcept : first_(text_ + sizeof(text_)) {
    const char* const alphabet = letters == LetterDigits::upper ? "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                : "0123456789abcdefghijklmnopqrstuvwxyz";
    do {
        *--first_ = alphabet[value % base];
        value /= base;
    } while (value != 0);
}

// The low half of the value modulo 2^64 is the value modulo 2^32.
std::uint32_t parse_rtl_integer(std::u16string_view text, unsigned base) noexcept {
    return static_cast<std::uint32_t>(parse(text, base).value);
}

std::uint32_t parse_rtl_integer(std::string_view text, unsigned base) noexcept {
    return static_cast<std::uint32_t>(parse(text, base).value);
}

ParsedInteger parse_rtl_integer64(std::u16string_view text, unsigned base) noexcept { return parse(text, base); }

} // namespace dirql::rtl
