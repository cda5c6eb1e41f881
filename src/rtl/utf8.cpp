#include "rtl/utf8.hpp"

#include <cstdint>

namespace dirql::rtl {
namespace {

struct Decoded {
    char32_t code;
    std::size_t length; // units consumed
    bool well_formed;
};

constexpr Decoded ill_formed(std::size_t length) { return {replacement_character, length, false}; }

constexpr bool is_high_surrogate(char32_t code) { return code >= 0xD800 && code < 0xDC00; }
constexpr bool is_low_surrogate(char32_t code) { return code >= 0xDC00 && code < 0xE000; }

// What a lead byte promises: how many bytes follow, and the range of the first of them that excludes overlong forms,
// surrogates and codes above U+10FFFF (Unicode, table "Well-Formed UTF-8 Byte Sequences").
struct Lead {
    unsigned followers;
    std::uint8_t second_min, second_max;
};

constexpr Lead lead_of(std::uint8_t byte) {
    if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
    if (byte >= 0xE0 && byte <= 0xEF)
        return {2, static_cast<std::uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),
                static_cast<std::uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
    if (byte >= 0xF0 && byte <= 0xF4)
        return {3, static_cast<std::uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
                static_cast<std::uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
    return {0, 0, 0};
}

// One replacement stands for the longest prefix that could have begun a character.
Decoded decode(std::string_view from) {
    const auto first = static_cast<std::uint8_t>(from.front());
    if (first < 0x80) return {first, 1, true};
    const Lead lead = lead_of(first);
    if (lead.followers == 0) return ill_formed(1);
    char32_t code = first & (0x3Fu >> lead.followers);
    for (std::size_t i = 1; i <= lead.followers; ++i) {
        const auto next = i < from.size() ? static_cast<std::uint8_t>(from[i]) : std::uint8_t{0};
        const std::uint8_t min = i == 1 ? lead.second_min : 0x80, max = i == 1 ? lead.second_max : 0xBF;
        if (next < min || next > max) return ill_formed(i);
        code = code << 6 | (next & 0x3Fu);
    }
    return {code, 1 + lead.followers, true};
}

Decoded decode(std::u16string_view from) {
    const char32_t first = from.front();
    if (!is_high_surrogate(first) && !is_low_surrogate(first)) return {first, 1, true};
    if (is_low_surrogate(first) || from.size() < 2 || !is_low_surrogate(from[1])) return ill_formed(1);
    return {0x10000 + ((first - 0xD800) << 10) + (from[1] - 0xDC00u), 2, true};
}

std::size_t encode(char32_t code, char16_t (&units)[2]) {
    if (code < 0x10000) {
        units[0] = static_cast<char16_t>(code);
        return 1;
    }
    units[0] = static_cast<char16_t>(0xD800 + ((code - 0x10000) >> 10));
    units[1] = static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF));
    return 2;
}

std::size_t encode(char32_t code, char (&bytes)[4]) {
    if (code < 0x80) {
        bytes[0] = static_cast<char>(code);
        return 1;
    }
    const std::size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (std::size_t i = length - 1; i > 0; --i, code >>= 6) bytes[i] = static_cast<char>(0x80 | (code & 0x3F));
    bytes[0] = static_cast<char>((0xF00u >> length) | code);
    return length;
}

template <std::size_t Longest, class To, class From>
Utf8Result convert(To* to, std::size_t capacity, std::basic_string_view<From> from) {
    Utf8Result result{0, true, true};
    while (!from.empty()) {
        const Decoded character = decode(from);
        To units[Longest];
        const std::size_t length = encode(character.code, units);
        if (to && length > capacity - result.written) {
            result.complete = false;
            return result;
        }
        for (std::size_t i = 0; to && i < length; ++i) to[result.written + i] = units[i];
        result.written += length;
        result.all_well_formed &= character.well_formed;
        from.remove_prefix(character.length);
    }
    return result;
}

} // namespace

Utf8Result utf8_to_utf16(char16_t* to, std::size_t capacity, std::string_view from) noexcept {
    return convert<2>(to, capacity, from);
}

Utf8Result utf16_to_utf8(char* to, std::size_t capacity, std::u16string_view from) noexcept {
    return convert<4>(to, capacity, from);
}

} // namespace dirql::rtl
