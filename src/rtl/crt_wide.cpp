// Wide text: wcs* and _wcs*. Case means the letters A to Z; towupper and towlower alone use the kernel's case tables.
#include "rtl/crt.hpp"
#include "rtl/letter_case.hpp"
#include "rtl/terminated_text.hpp"

using namespace dirql::rtl;

DIRQL_CRT_FUNCTION std::size_t dirql_crt_wcslen(const char16_t* text) { return text_length(text); }

DIRQL_CRT_FUNCTION std::size_t dirql_crt_wcsnlen(const char16_t* text, std::size_t limit) {
    return text_length(text, limit);
}

DIRQL_CRT_FUNCTION int dirql_crt_wcscmp(const char16_t* left, const char16_t* right) {
    return compare_terminated(left, right, unlimited);
}

DIRQL_CRT_FUNCTION int dirql_crt_wcsncmp(const char16_t* left, const char16_t* right, std::size_t count) {
    return compare_terminated(left, right, count);
}

DIRQL_CRT_FUNCTION int dirql_crt__wcsicmp(const char16_t* left, const char16_t* right) {
    return compare_terminated(left, right, unlimited, ascii_lower<char16_t>);
}

DIRQL_CRT_FUNCTION int dirql_crt__wcsnicmp(const char16_t* left, const char16_t* right, std::size_t count) {
    return compare_terminated(left, right, count, ascii_lower<char16_t>);
}

DIRQL_CRT_FUNCTION char16_t* dirql_crt_wcscpy(char16_t* to, const char16_t* from) {
    copy_text(to, from);
    return to;
}

DIRQL_CRT_FUNCTION char16_t* dirql_crt_wcsncpy(char16_t* to, const char16_t* from, std::size_t count) {
    return copy_padded(to, from, count);
}

DIRQL_CRT_FUNCTION char16_t* dirql_crt_wcscat(char16_t* to, const char16_t* from) {
    copy_text(to + text_length(to), from);
    return to;
}

DIRQL_CRT_FUNCTION char16_t* dirql_crt_wcsncat(char16_t* to, const char16_t* from, std::size_t count) {
    copy_text(to + text_length(to), from, count);
    return to;
}

DIRQL_CRT_FUNCTION const char16_t* dirql_crt_wcschr(const char16_t* text, char16_t c) { return find_unit(text, c); }
DIRQL_CRT_FUNCTION const char16_t* dirql_crt_wcsrchr(const char16_t* text, char16_t c) {
    return find_last_unit(text, c);
}

DIRQL_CRT_FUNCTION const char16_t* dirql_crt_wcsstr(const char16_t* text, const char16_t* wanted) {
    return find_text(text, wanted);
}

DIRQL_CRT_FUNCTION std::size_t dirql_crt_wcsspn(const char16_t* text, const char16_t* set) {
    return span_of(text, set, true);
}

DIRQL_CRT_FUNCTION std::size_t dirql_crt_wcscspn(const char16_t* text, const char16_t* set) {
    return span_of(text, set, false);
}

DIRQL_CRT_FUNCTION const char16_t* dirql_crt_wcspbrk(const char16_t* text, const char16_t* set) {
    return find_any(text, set);
}

DIRQL_CRT_FUNCTION char16_t* dirql_crt__wcslwr(char16_t* text) { return transform_text(text, ascii_lower<char16_t>); }
DIRQL_CRT_FUNCTION char16_t* dirql_crt__wcsupr(char16_t* text) { return transform_text(text, ascii_upper<char16_t>); }
DIRQL_CRT_FUNCTION char16_t* dirql_crt_wcslwr(char16_t* text) { return transform_text(text, ascii_lower<char16_t>); }
DIRQL_CRT_FUNCTION char16_t* dirql_crt__wcsrev(char16_t* text) { return reverse_text(text); }

DIRQL_CRT_FUNCTION char16_t* dirql_crt__wcsnset(char16_t* text, char16_t c, std::size_t count) {
    return set_text(text, c, count);
}

DIRQL_CRT_FUNCTION char16_t dirql_crt_towupper(char16_t c) { return upcase(c); }
DIRQL_CRT_FUNCTION char16_t dirql_crt_towlower(char16_t c) { return downcase(c); }
