// Text between the host, which speaks UTF-8, and the kernel, which speaks UTF-16.
#pragma once

#include "rtl/utf8.hpp"

#include <string>
#include <string_view>

namespace dirql::api {

[[nodiscard]] inline std::u16string to_utf16(std::string_view text) {
    std::u16string wide(rtl::utf8_to_utf16(nullptr, 0, text).written, u'\0');
    (void)rtl::utf8_to_utf16(wide.data(), wide.size(), text);
    return wide;
}

[[nodiscard]] inline std::string to_utf8(std::u16string_view text) {
    std::string narrow(rtl::utf16_to_utf8(nullptr, 0, text).written, '\0');
    (void)rtl::utf16_to_utf8(narrow.data(), narrow.size(), text);
    return narrow;
}

} // namespace dirql::api
