// Words of a command line that stand for values. Each is taken as a whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::cli {

// 42, 0x2A, 0X2a. Nothing for a sign, another base, or a value above `maximum`.
std::optional<std::uint64_t> parse_number(std::string_view word, std::uint64_t maximum);

// Pairs of hexadecimal digits, blanks between bytes allowed: "0102ff", "01 02 FF", "".
std::optional<std::vector<std::byte>> parse_hex_bytes(std::string_view word);

// "01 02 ff"
std::string hex_text(std::span<const std::byte> bytes);

} // namespace dirql::cli
