// One conversion specification, parsed.
#pragma once

#include <algorithm>
#include <cstdarg>
#include <cstdint>

namespace dirql::rtl {

// A va_list that can be handed on by reference on every ABI.
class Arguments {
public:
    explicit Arguments(std::va_list list) noexcept { va_copy(list_, list); }
    ~Arguments() { va_end(list_); }
    Arguments(const Arguments&) = delete;
    Arguments& operator=(const Arguments&) = delete;

    template <class T> T next() noexcept { return va_arg(list_, T); }

private:
    std::va_list list_;
};

enum class Size : std::uint8_t { natural, hh, h, l, ll, wide, long_double };

struct FormatSpec {
    static constexpr int max_precision = 512;
    static constexpr int max_width = 0x7FFFFFFF;

    bool left = false;
    bool plus = false;
    bool blank = false;
    bool alternate = false;
    bool zero = false;
    bool has_precision = false;
    int width = 0;
    int precision = 0;
    Size size = Size::natural;
    char32_t type = 0; // 0: the format ended inside the specification
};

template <class Char> bool parse_flag(FormatSpec& spec, Char c) noexcept {
    switch (c) {
    case '-': return spec.left = true;
    case '+': return spec.plus = true;
    case ' ': return spec.blank = true;
    case '#': return spec.alternate = true;
    case '0': return spec.zero = true;
    default: return false;
    }
}

// A run of digits, or a `*` that takes an int. Saturates.
template <class Char> int parse_number(const Char*& at, Arguments& arguments) noexcept {
    if (*at == Char('*')) {
        ++at;
        return arguments.next<int>();
    }
    std::int64_t value = 0;
    for (; *at >= Char('0') && *at <= Char('9'); ++at)
        value = std::min<std::int64_t>(value * 10 + (*at - Char('0')), FormatSpec::max_width);
    return static_cast<int>(value);
}

// `I` alone is pointer-sized, and so 64 bits, like I64.
template <class Char> Size parse_i_size(const Char*& at) noexcept {
    const bool is_32 = at[0] == Char('3') && at[1] == Char('2');
    const bool is_64 = at[0] == Char('6') && at[1] == Char('4');
    if (is_32 || is_64) at += 2;
    return is_32 ? Size::l : Size::ll;
}

template <class Char> Size parse_size(const Char*& at) noexcept {
    const auto doubled = [&](Size once, Size twice) {
        const bool again = at[1] == at[0];
        at += again ? 2 : 1;
        return again ? twice : once;
    };
    switch (*at) {
    case 'h': return doubled(Size::h, Size::hh);
    case 'l': return doubled(Size::l, Size::ll);
    case 'I': return parse_i_size(++at);
    case 'j':
    case 'q':
    case 't':
    case 'z': return ++at, Size::ll;
    case 'w': return ++at, Size::wide;
    case 'L': return ++at, Size::long_double;
    default: return Size::natural;
    }
}

// Parses what follows a percent sign and leaves `at` behind the type.
template <class Char> FormatSpec parse_spec(const Char*& at, Arguments& arguments) noexcept {
    FormatSpec spec;
    while (parse_flag(spec, *at)) ++at;
    const int width = parse_number(at, arguments);
    spec.left |= width < 0;
    spec.width = width >= 0 ? width : width == -FormatSpec::max_width - 1 ? FormatSpec::max_width : -width;
    if (*at == Char('.')) {
        const int precision = parse_number(++at, arguments);
        spec.has_precision = precision >= 0; // a negative one counts as none
        spec.precision = precision;
    }
    spec.size = parse_size(at);
    spec.type = static_cast<char32_t>(*at);
    if (*at != 0) ++at;
    return spec;
}

} // namespace dirql::rtl
