#include "rtl/counted_text.hpp"

#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"

#include <algorithm>

namespace dirql::rtl {
namespace {

int key(char16_t unit, Case how) { return how == Case::ignored ? upcase(unit) : unit; }

int key(char byte, Case how) {
    return static_cast<unsigned char>(how == Case::ignored ? upcase(CodePage::ansi, byte) : byte);
}

template <class Char>
int compare_text(std::basic_string_view<Char> left, std::basic_string_view<Char> right, Case how) {
    const std::size_t common = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (left[i] == right[i]) continue;
        if (const int difference = key(left[i], how) - key(right[i], how)) return difference;
    }
    return static_cast<int>(left.size()) - static_cast<int>(right.size());
}

} // namespace

int compare(std::u16string_view left, std::u16string_view right, Case how) noexcept {
    return compare_text(left, right, how);
}

int compare(std::string_view left, std::string_view right, Case how) noexcept { return compare_text(left, right, how); }

bool equal(std::u16string_view left, std::u16string_view right, Case how) noexcept {
    return left.size() == right.size() && compare(left, right, how) == 0;
}

bool equal(std::string_view left, std::string_view right, Case how) noexcept {
    return left.size() == right.size() && compare(left, right, how) == 0;
}

bool has_prefix(std::u16string_view text, std::u16string_view prefix, Case how) noexcept {
    return prefix.size() <= text.size() && equal(text.substr(0, prefix.size()), prefix, how);
}

bool has_prefix(std::string_view text, std::string_view prefix, Case how) noexcept {
    return prefix.size() <= text.size() && equal(text.substr(0, prefix.size()), prefix, how);
}

bool has_suffix(std::u16string_view text, std::u16string_view suffix, Case how) noexcept {
    return suffix.size() <= text.size() && equal(text.substr(text.size() - suffix.size()), suffix, how);
}

std::uint32_t hash_x65599(std::u16string_view text, Case how) noexcept {
    std::uint32_t hash = 0;
    for (const char16_t unit : text) hash = hash * 65599 + static_cast<std::uint32_t>(key(unit, how));
    return hash;
}

} // namespace dirql::rtl
