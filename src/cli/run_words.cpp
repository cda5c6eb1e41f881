#include "cli/run_words.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dirql::cli {

namespace {

std::optional<unsigned> digit_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return std::nullopt;
}

} // namespace

std::optional<std::uint64_t> parse_number(std::string_view word, std::uint64_t maximum) {
    const bool hexadecimal = word.starts_with("0x") || word.starts_with("0X");
    if (hexadecimal) word.remove_prefix(2);
    std::uint64_t value = 0;
    const char* const end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, value, hexadecimal ? 16 : 10);
    if (error != std::errc() || stop != end || value > maximum) return std::nullopt;
    return value;
}

std::optional<std::vector<std::byte>> parse_hex_bytes(std::string_view word) {
    std::vector<std::byte> bytes;
    for (std::size_t at = 0; at < word.size(); at += 2) {
        while (at < word.size() && word[at] == ' ') ++at;
        if (at == word.size()) break;
        const auto high = digit_value(word[at]);
        const auto low = at + 1 < word.size() ? digit_value(word[at + 1]) : std::nullopt;
        if (!high || !low) return std::nullopt;
        bytes.push_back(static_cast<std::byte>(*high << 4 | *low));
    }
    return bytes;
}

std::string hex_text(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes)
        text += fmt::format("{}{:02x}", text.empty() ? "" : " ", static_cast<unsigned>(byte));
    return text;
}

} // namespace dirql::cli
