#include "diag/unicode.hpp"

#include <fmt/format.h>

namespace dirql::diag {
namespace {

std::string well_formed(std::string_view text) {
    std::u16string wide(rtl::utf8_to_utf16(nullptr, 0, text).written, u'\0');
    (void)rtl::utf8_to_utf16(wide.data(), wide.size(), text);
    return to_utf8(wide);
}

std::string escaped(char c) {
    switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
}

} // namespace

std::string one_line(std::string_view text) {
    std::string result;
    for (const char c : well_formed(text)) {
        const auto unit = static_cast<unsigned char>(c);
        if (unit >= 0x20 && unit != 0x7F) {
            result += c;
        } else {
            result += escaped(c);
        }
    }
    return result;
}

std::string quoted(std::string_view text) { return '"' + one_line(text) + '"'; }

} // namespace dirql::diag
