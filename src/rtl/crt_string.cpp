// Narrow text: str* and _str*. Case means the letters A to Z.
#include "rtl/crt.hpp"
#include "rtl/letter_case.hpp"
#include "rtl/terminated_text.hpp"

using namespace dirql::rtl;

DIRQL_CRT_FUNCTION std::size_t dirql_crt_strlen(const char* text) { return text_length(text); }
DIRQL_CRT_FUNCTION std::size_t dirql_crt_strnlen(const char* text, std::size_t limit) {
    return text_length(text, limit);
}

DIRQL_CRT_FUNCTION int dirql_crt_strcmp(const char* left, const char* right) {
    return compare_terminated(left, right, unlimited);
}

DIRQL_CRT_FUNCTION int dirql_crt_strncmp(const char* left, const char* right, std::size_t count) {
    return compare_terminated(left, right, count);
}

DIRQL_CRT_FUNCTION int dirql_crt__stricmp(const char* left, const char* right) {
    return compare_terminated(left, right, unlimited, ascii_lower<char>);
}

DIRQL_CRT_FUNCTION int dirql_crt__strnicmp(const char* left, const char* right, std::size_t count) {
    return compare_terminated(left, right, count, ascii_lower<char>);
}

DIRQL_CRT_FUNCTION char* dirql_crt_strcpy(char* to, const char* from) {
    copy_text(to, from);
    return to;
}

DIRQL_CRT_FUNCTION char* dirql_crt_strncpy(char* to, const char* from, std::size_t count) {
    return copy_padded(to, from, count);
}

DIRQL_CRT_FUNCTION char* dirql_crt_strcat(char* to, const char* from) {
    copy_text(to + text_length(to), from);
    return to;
}

DIRQL_CRT_FUNCTION char* dirql_crt_strncat(char* to, const char* from, std::size_t count) {
    copy_text(to + text_length(to), from, count);
    return to;
}

DIRQL_CRT_FUNCTION const char* dirql_crt_strchr(const char* text, int c) {
    return find_unit(text, static_cast<char>(c));
}

DIRQL_CRT_FUNCTION const char* dirql_crt_strrchr(const char* text, int c) {
    return find_last_unit(text, static_cast<char>(c));
}

DIRQL_CRT_FUNCTION const char* dirql_crt_strstr(const char* text, const char* wanted) {
    return find_text(text, wanted);
}

DIRQL_CRT_FUNCTION std::size_t dirql_crt_strspn(const char* text, const char* set) { return span_of(text, set, true); }

DIRQL_CRT_FUNCTION std::size_t dirql_crt_strcspn(const char* text, const char* set) {
    return span_of(text, set, false);
}

DIRQL_CRT_FUNCTION const char* dirql_crt_strpbrk(const char* text, const char* set) { return find_any(text, set); }

DIRQL_CRT_FUNCTION char* dirql_crt__strlwr(char* text) { return transform_text(text, ascii_lower<char>); }
DIRQL_CRT_FUNCTION char* dirql_crt__strupr(char* text) { return transform_text(text, ascii_upper<char>); }
DIRQL_CRT_FUNCTION char* dirql_crt_strlwr(char* text) { return transform_text(text, ascii_lower<char>); }
DIRQL_CRT_FUNCTION char* dirql_crt__strrev(char* text) { return reverse_text(text); }

DIRQL_CRT_FUNCTION char* dirql_crt__strset(char* text, int c) {
    return set_text(text, static_cast<char>(c), unlimited);
}

DIRQL_CRT_FUNCTION char* dirql_crt__strnset(char* text, int c, std::size_t count) {
    return set_text(text, static_cast<char>(c), count);
}

DIRQL_CRT_FUNCTION char* dirql_crt_strtok_s(char* text, const char* delimiters, char** rest) {
    return next_token(text, delimiters, rest);
}

// Not NT's: compilers make it of strcpy and strlen on their own.
DIRQL_CRT_FUNCTION char* dirql_crt_stpcpy(char* to, const char* from) { return copy_text(to, from); }
