// Floating-point text for the formatter.
#pragma once

#include "rtl/format_spec.hpp"

#include <string_view>

namespace dirql::rtl {

// A number as text, without sign and padding, in a buffer of its own: the largest double with the largest precision.
class FloatingText {
public:
    // Precondition: spec.type is one of e E f F g G a A.
    FloatingText(const FormatSpec& spec, double value) noexcept;

    [[nodiscard]] std::string_view view() const noexcept { return {text_, length_}; }
    [[nodiscard]] bool negative() const noexcept { return negative_; }
    [[nodiscard]] bool finite() const noexcept { return finite_; }
    [[nodiscard]] bool hexadecimal() const noexcept { return hexadecimal_; } // wants 0x before its padding zeros

private:
    void format_fixed(double value, int precision) noexcept;
    void format_scientific(double value, int precision) noexcept;
    void format_general(double value, int precision, bool keep_zeros) noexcept;
    void format_hexadecimal(double value, const FormatSpec& spec) noexcept;
    void format_special(double value) noexcept;
    void insert(std::size_t at, char c) noexcept;
    void require_point() noexcept;
    void drop_trailing_zeros() noexcept;
    [[nodiscard]] std::size_t exponent_position() const noexcept;
    void raise_letters() noexcept;

    static constexpr std::size_t longest_integer_part = 309;
    char text_[longest_integer_part + FormatSpec::max_precision + 16];
    std::size_t length_ = 0;
    bool negative_;
    bool finite_;
    bool hexadecimal_ = false;
};

} // namespace dirql::rtl
