#include "rtl/guid_text.hpp"

#include "rtl/integer_text.hpp"

namespace dirql::rtl {
namespace {

// The shape of a GUID's text: a digit names the byte of the GUID that its two hexadecimal places show. The first three
// fields are little-endian in memory and written from the top.
constexpr std::u16string_view shape = u"{33221100-5544-7766-8899-AABBCCDDEEFF}";
static_assert(shape.size() == guid_text_length);

constexpr bool is_digit_place(char16_t mark) { return digit_value(mark) < 16; }

// Two places stand for one byte, the high half first. Groups have even lengths, so parity within the group decides;
// and as all groups begin at odd positions or after one separator each, the previous place tells it.
constexpr bool is_high_half(std::size_t place) {
    std::size_t run = 0;
    while (is_digit_place(shape[place - run - 1])) ++run;
    return run % 2 == 0;
}

} // namespace

void write_guid(const GUID& guid, char16_t (&text)[guid_text_length]) noexcept {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&guid);
    for (std::size_t i = 0; i < guid_text_length; ++i) {
        if (!is_digit_place(shape[i])) {
            text[i] = shape[i];
            continue;
        }
        const unsigned byte = bytes[digit_value(shape[i])];
        text[i] = static_cast<char16_t>("0123456789abcdef"[is_high_half(i) ? byte >> 4 : byte & 15]);
    }
}

std::optional<GUID> parse_guid(std::u16string_view text) noexcept {
    if (text.size() != guid_text_length) return std::nullopt;
    GUID guid{};
    auto* bytes = reinterpret_cast<unsigned char*>(&guid);
    for (std::size_t i = 0; i < guid_text_length; ++i) {
        const unsigned digit = digit_value(text[i]);
        if (is_digit_place(shape[i]) ? digit >= 16 : text[i] != shape[i]) return std::nullopt;
        if (is_digit_place(shape[i]))
            bytes[digit_value(shape[i])] |= static_cast<unsigned char>(is_high_half(i) ? digit << 4 : digit);
    }
    return guid;
}

} // namespace dirql::rtl
