// NT's counted strings as text for reports.
#pragma once

#include "rtl/utf8.hpp"

#include <ntifs.h>

#include <string>
#include <string_view>

namespace dirql::diag {

[[nodiscard]] inline std::string to_utf8(std::u16string_view text) {
    std::string result(rtl::utf16_to_utf8(nullptr, 0, text).written, '\0');
    (void)rtl::utf16_to_utf8(result.data(), result.size(), text);
    return result;
}

[[nodiscard]] inline std::string to_utf8(const UNICODE_STRING& string) {
    return to_utf8({reinterpret_cast<const char16_t*>(string.Buffer), string.Length / sizeof(char16_t)});
}

// UTF-8 for one line of a report: control characters are escaped, what is ill-formed is replaced.
[[nodiscard]] std::string one_line(std::string_view text);
[[nodiscard]] std::string quoted(std::string_view text);

} // namespace dirql::diag
