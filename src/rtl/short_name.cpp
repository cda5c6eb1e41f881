#include "rtl/short_name.hpp"

#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"

#include <algorithm>

namespace dirql::rtl {
namespace {

constexpr std::string_view forbidden = "\"*+,/:;<=>?[\\]|";

// Where the extension's dot stands; the name's length when there is none.
std::size_t extension_dot(std::u16string_view name) noexcept {
    const std::size_t dot = name.rfind(u'.');
    return dot == name.npos || dot == 0 ? name.size() : dot;
}

char16_t short_form(char16_t unit, Extended extended) noexcept {
    const char16_t raised = upcase(unit);
    const char byte = from_unicode(CodePage::oem, raised);
    const bool ascii = raised < 0x7F;
    const bool fits = ascii ? is_short_name_character(static_cast<unsigned char>(byte))
                            : extended == Extended::kept && byte != unmappable;
    return fits ? upcase(to_unicode(CodePage::oem, byte)) : u'_';
}

std::size_t take(std::u16string_view from, std::span<char16_t> to, Extended extended) noexcept {
    std::size_t length = 0;
    for (const char16_t unit : from) {
        if (unit == u' ' || unit == u'.') continue;
        if (length == to.size()) break;
        to[length++] = short_form(unit, extended);
    }
    return length;
}

} // namespace

bool is_short_name_character(unsigned char c) noexcept {
    return c > ' ' && c != '.' && forbidden.find(static_cast<char>(c)) == forbidden.npos;
}

ShortNameCheck check_short_name(std::string_view name) noexcept {
    constexpr ShortNameCheck illegal{false, false};
    if (name == "." || name == "..") return {true, false};
    if (name.empty() || name.size() > short_name_length) return illegal;
    const std::size_t dot = std::min(name.find('.'), name.size());
    const std::string_view base = name.substr(0, dot), extension = name.substr(std::min(dot + 1, name.size()));
    const bool dotted = dot < name.size();
    const auto fits = [](std::string_view part, std::size_t longest) {
        return !part.empty() && part.size() <= longest && part.back() != ' ' && std::ranges::all_of(part, [](char c) {
            return c == ' ' || is_short_name_character(static_cast<unsigned char>(c));
        });
    };
    if (!fits(base, short_base_length) || (dotted && !fits(extension, short_extension_length))) return illegal;
    return {true, name.find(' ') != name.npos};
}

ShortNameParts shorten(std::u16string_view name, Extended extended) noexcept {
    name.remove_prefix(std::min(name.find_first_not_of(u'.'), name.size()));
    const std::size_t dot = extension_dot(name);
    ShortNameParts parts{};
    parts.base_length = take(name.substr(0, dot), parts.base, extended);
    parts.extension[0] = u'.';
    const std::size_t behind = take(name.substr(dot), std::span(parts.extension).subspan(1), extended);
    parts.extension_length = behind == 0 ? 0 : behind + 1;
    return parts;
}

// A product by a prime, taken modulo another, spreads names that differ in a character over all values.
std::uint16_t short_name_checksum(std::u16string_view name) noexcept {
    std::uint16_t sum = 0;
    for (const char16_t unit : name) sum = static_cast<std::uint16_t>(sum * 37u + unit);
    return static_cast<std::uint16_t>(sum * std::uint64_t{314'159'269} % 1'000'000'007);
}

} // namespace dirql::rtl
