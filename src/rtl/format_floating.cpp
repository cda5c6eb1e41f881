#include "rtl/format_floating.hpp"

#include "rtl/letter_case.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace dirql::rtl {
namespace {

constexpr std::uint64_t indefinite = 0xFFF8000000000000; // the NaN that invalid operations make
constexpr std::uint64_t quiet_bit = 0x0008000000000000;

constexpr char32_t lower(char32_t type) { return type | 0x20; }

} // namespace

FloatingText::FloatingText(const FormatSpec& spec, double value) noexcept
    : negative_(std::signbit(value)), finite_(std::isfinite(value)) {
    const double magnitude = std::fabs(value);
    const int precision = spec.has_precision ? std::min(spec.precision, FormatSpec::max_precision) : 6;
    if (!finite_)
        format_special(value);
    else if (lower(spec.type) == U'a')
        format_hexadecimal(magnitude, spec);
    else if (lower(spec.type) == U'g')
        format_general(magnitude, std::max(precision, 1), spec.alternate);
    else if (lower(spec.type) == U'e')
        format_scientific(magnitude, precision);
    else
        format_fixed(magnitude, precision);
    if (finite_ && spec.alternate) require_point();
    if (spec.type < U'a') raise_letters();
}

void FloatingText::format_fixed(double value, int precision) noexcept {
    const auto end = std::to_chars(text_, text_ + sizeof(text_), value, std::chars_format::fixed, precision);
    length_ = static_cast<std::size_t>(end.ptr - text_);
}

void FloatingText::format_scientific(double value, int precision) noexcept {
    const auto end = std::to_chars(text_, text_ + sizeof(text_), value, std::chars_format::scientific, precision);
    length_ = static_cast<std::size_t>(end.ptr - text_);
}

// C's rule: with the exponent X that %e would show, fixed when -4 <= X < precision; zeros at the end go unless kept.
void FloatingText::format_general(double value, int precision, bool keep_zeros) noexcept {
    format_scientific(value, precision - 1);
    const char* const digits = text_ + exponent_position() + 2;
    int exponent = 0;
    std::from_chars(digits, text_ + length_, exponent);
    if (digits[-1] == '-') exponent = -exponent;
    if (exponent >= -4 && exponent < precision) format_fixed(value, precision - 1 - exponent);
    if (!keep_zeros) drop_trailing_zeros();
}

void FloatingText::format_hexadecimal(double value, const FormatSpec& spec) noexcept {
    constexpr int all_digits = 13; // of a 52-bit fraction
    const int precision = spec.has_precision ? std::min(spec.precision, FormatSpec::max_precision) : all_digits;
    const auto end = std::to_chars(text_, text_ + sizeof(text_), value, std::chars_format::hex, precision);
    length_ = static_cast<std::size_t>(end.ptr - text_);
    hexadecimal_ = true;
}

void FloatingText::format_special(double value) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    std::string_view text = "nan";
    if (std::isinf(value))
        text = "inf";
    else if (bits == indefinite)
        text = "nan(ind)";
    else if ((bits & quiet_bit) == 0)
        text = "nan(snan)";
    for (const char c : text) text_[length_++] = c;
}

std::size_t FloatingText::exponent_position() const noexcept {
    const char mark = hexadecimal_ ? 'p' : 'e';
    std::size_t at = 0;
    while (at < length_ && text_[at] != mark) ++at;
    return at;
}

void FloatingText::insert(std::size_t at, char c) noexcept {
    for (std::size_t i = length_; i > at; --i) text_[i] = text_[i - 1];
    text_[at] = c;
    ++length_;
}

void FloatingText::require_point() noexcept {
    if (view().find('.') == std::string_view::npos) insert(exponent_position(), '.');
}

void FloatingText::drop_trailing_zeros() noexcept {
    const std::size_t end = exponent_position();
    if (view().substr(0, end).find('.') == std::string_view::npos) return;
    std::size_t kept = end;
    while (text_[kept - 1] == '0') --kept;
    if (text_[kept - 1] == '.') --kept;
    for (std::size_t i = end; i < length_; ++i) text_[kept + i - end] = text_[i];
    length_ -= end - kept;
}

void FloatingText::raise_letters() noexcept {
    for (std::size_t i = 0; i < length_; ++i) text_[i] = ascii_upper(text_[i]);
}

} // namespace dirql::rtl
