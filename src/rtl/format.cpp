#include "rtl/format.hpp"

#include "rtl/code_page.hpp"
#include "rtl/format_floating.hpp"
#include "rtl/format_spec.hpp"
#include "rtl/integer_text.hpp"

#include <ntdef.h>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace dirql::rtl {
namespace {

constexpr std::string_view null_text = "(null)";

template <class Char> constexpr bool is_wide = sizeof(Char) == 2;

// One unit of either width as a unit of the sink's.
template <class To, class From> To converted(From unit) {
    if constexpr (std::is_same_v<To, From>)
        return unit;
    else if constexpr (is_wide<To>)
        return to_unicode(CodePage::ansi, unit);
    else
        return from_unicode(CodePage::ansi, unit);
}

template <class Char, class Source> void put_text(TextSink<Char>& sink, std::basic_string_view<Source> text) {
    for (const Source unit : text) sink.put(converted<Char>(unit));
}

// A field: blanks, prefix, zeros, body, blanks.
template <class Char, class Body>
void put_field(TextSink<Char>& sink, const FormatSpec& spec, std::string_view prefix, std::size_t body_length,
               Body body) {
    const std::size_t used = prefix.size() + body_length;
    const std::size_t padding = static_cast<std::size_t>(spec.width) > used ? spec.width - used : 0;
    if (!spec.left && !spec.zero) sink.repeat(Char(' '), padding);
    put_text(sink, prefix);
    if (!spec.left && spec.zero) sink.repeat(Char('0'), padding);
    body();
    if (spec.left) sink.repeat(Char(' '), padding);
}

template <class Char, class Source>
void put_text_field(TextSink<Char>& sink, const FormatSpec& spec, std::basic_string_view<Source> text) {
    put_field(sink, spec, {}, text.size(), [&] { put_text(sink, text); });
}

// c s C S: is the argument wide? A size decides; without one, lower case is the function's own width.
template <class Char> bool wants_wide(const FormatSpec& spec) {
    switch (spec.size) {
    case Size::h:
    case Size::hh: return false;
    case Size::l:
    case Size::ll:
    case Size::wide: return true;
    default: return (spec.type == U's' || spec.type == U'c') == is_wide<Char>;
    }
}

template <class Char> void put_character(TextSink<Char>& sink, const FormatSpec& spec, Arguments& arguments) {
    const int value = arguments.next<int>();
    const auto narrow = static_cast<char>(value);
    const auto wide = static_cast<char16_t>(value);
    if (wants_wide<Char>(spec))
        put_text_field(sink, spec, std::u16string_view(&wide, 1));
    else
        put_text_field(sink, spec, std::string_view(&narrow, 1));
}

// Without a terminator the text may be as long as the precision, and no unit behind it is read.
template <class Char, class Source>
void put_terminated(TextSink<Char>& sink, const FormatSpec& spec, const Source* text) {
    const std::size_t limit = spec.has_precision ? static_cast<std::size_t>(spec.precision) : unbounded;
    if (text == nullptr) return put_text_field(sink, spec, null_text.substr(0, std::min(limit, null_text.size())));
    std::size_t length = 0;
    while (length < limit && text[length] != 0) ++length;
    put_text_field(sink, spec, std::basic_string_view<Source>(text, length));
}

template <class Char> void put_string(TextSink<Char>& sink, const FormatSpec& spec, Arguments& arguments) {
    if (wants_wide<Char>(spec))
        put_terminated(sink, spec, arguments.next<const char16_t*>());
    else
        put_terminated(sink, spec, arguments.next<const char*>());
}

template <class Char, class Counted>
void put_counted(TextSink<Char>& sink, const FormatSpec& spec, const Counted* string) {
    using Source = std::remove_pointer_t<decltype(string->Buffer)>;
    if (string == nullptr || string->Buffer == nullptr) return put_text_field(sink, spec, null_text);
    put_text_field(sink, spec, std::basic_string_view<Source>(string->Buffer, string->Length / sizeof(Source)));
}

template <class Char> void put_counted_string(TextSink<Char>& sink, const FormatSpec& spec, Arguments& arguments) {
    if (spec.size == Size::wide || spec.size == Size::l)
        put_counted(sink, spec, arguments.next<const UNICODE_STRING*>());
    else
        put_counted(sink, spec, arguments.next<const ANSI_STRING*>());
}

// Narrow arguments were promoted to int; the size cuts them again.
std::int64_t next_signed(Size size, Arguments& arguments) {
    if (size == Size::ll) return arguments.next<std::int64_t>();
    const int value = arguments.next<int>();
    return size == Size::hh ? static_cast<signed char>(value) : size == Size::h ? static_cast<short>(value) : value;
}

std::uint64_t next_unsigned(Size size, Arguments& arguments) {
    if (size == Size::ll) return arguments.next<std::uint64_t>();
    const auto value = arguments.next<unsigned>();
    return size == Size::hh ? value & 0xFF : size == Size::h ? value & 0xFFFF : value;
}

std::string_view sign_of(const FormatSpec& spec, bool negative) {
    return negative ? "-" : spec.plus ? "+" : spec.blank ? " " : "";
}

// Precision is the least number of digits and takes the place of the 0 flag. Zero with precision zero has no digits.
template <class Char>
void put_digits(TextSink<Char>& sink, FormatSpec spec, std::string_view prefix, std::string_view digits) {
    const auto wanted = static_cast<std::size_t>(spec.has_precision ? std::min(spec.precision, spec.max_precision) : 1);
    if (digits == "0") digits = {};
    std::size_t zeros = wanted > digits.size() ? wanted - digits.size() : 0;
    if (spec.type == U'o' && spec.alternate && zeros == 0) zeros = 1;
    spec.zero &= !spec.has_precision;
    put_field(sink, spec, prefix, zeros + digits.size(), [&] {
        sink.repeat(Char('0'), zeros);
        put_text(sink, digits);
    });
}

template <class Char> void put_signed(TextSink<Char>& sink, const FormatSpec& spec, Arguments& arguments) {
    const std::int64_t value = next_signed(spec.size, arguments);
    const auto magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    put_digits(sink, spec, sign_of(spec, value < 0), Digits(magnitude, 10).view());
}

template <class Char>
void put_unsigned(TextSink<Char>& sink, const FormatSpec& spec, std::uint64_t value, unsigned base) {
    const bool lower = spec.type == U'x';
    const Digits digits(value, base, lower ? LetterDigits::lower : LetterDigits::upper);
    const bool prefixed = spec.alternate && base == 16 && value != 0;
    put_digits(sink, spec, !prefixed ? "" : lower ? "0x" : "0X", digits.view());
}

template <class Char> void put_pointer(TextSink<Char>& sink, FormatSpec spec, Arguments& arguments) {
    spec.has_precision = true;
    spec.precision = 2 * sizeof(void*);
    put_unsigned(sink, spec, reinterpret_cast<std::uintptr_t>(arguments.next<void*>()), 16);
}

template <class Char> void put_floating(TextSink<Char>& sink, FormatSpec spec, Arguments& arguments) {
    const double value =
        spec.size == Size::long_double ? static_cast<double>(arguments.next<long double>()) : arguments.next<double>();
    const FloatingText text(spec, value);
    char prefix[3];
    std::size_t prefix_length = 0;
    for (const char c : sign_of(spec, text.negative())) prefix[prefix_length++] = c;
    if (text.hexadecimal())
        for (const char c : std::string_view(spec.type == U'A' ? "0X" : "0x")) prefix[prefix_length++] = c;
    spec.zero &= text.finite();
    put_field(sink, spec, {prefix, prefix_length}, text.view().size(), [&] { put_text(sink, text.view()); });
}

bool is_floating(char32_t type) { return std::u32string_view(U"eEfFgGaA").find(type) != std::u32string_view::npos; }

template <class Char>
void put_conversion(TextSink<Char>& sink, const FormatSpec& spec, Arguments& arguments, Floating floating) {
    switch (spec.type) {
    case 0: return;
    case U'd':
    case U'i': return put_signed(sink, spec, arguments);
    case U'u': return put_unsigned(sink, spec, next_unsigned(spec.size, arguments), 10);
    case U'o': return put_unsigned(sink, spec, next_unsigned(spec.size, arguments), 8);
    case U'x':
    case U'X': return put_unsigned(sink, spec, next_unsigned(spec.size, arguments), 16);
    case U'p': return put_pointer(sink, spec, arguments);
    case U'c':
    case U'C': return put_character(sink, spec, arguments);
    case U's':
    case U'S': return put_string(sink, spec, arguments);
    case U'Z': return put_counted_string(sink, spec, arguments);
    case U'n': return static_cast<void>(arguments.next<void*>());
    default: break;
    }
    if (floating == Floating::present && is_floating(spec.type)) return put_floating(sink, spec, arguments);
    sink.put(static_cast<Char>(spec.type));
}

} // namespace

template <class Char>
void format_message(TextSink<Char>& sink, const Char* format, std::va_list list, Floating floating) noexcept {
    Arguments arguments(list);
    while (*format != 0) {
        if (*format != Char('%')) {
            sink.put(*format++);
            continue;
        }
        const FormatSpec spec = parse_spec(++format, arguments);
        put_conversion(sink, spec, arguments, floating);
    }
}

template void format_message(TextSink<char>&, const char*, std::va_list, Floating) noexcept;
template void format_message(TextSink<char16_t>&, const char16_t*, std::va_list, Floating) noexcept;

} // namespace dirql::rtl
