// The functions that take the size of their target: *_s. Sizes are in units, not bytes.
#include "rtl/letter_case.hpp"
#include "rtl/secure_text.hpp"

using namespace dirql::rtl;

DIRQL_CRT_FUNCTION errno_t dirql_crt_strcpy_s(char* to, std::size_t room, const char* from) {
    return copy_secure(to, room, from);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_wcscpy_s(char16_t* to, std::size_t room, const char16_t* from) {
    return copy_secure(to, room, from);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_strncpy_s(char* to, std::size_t room, const char* from, std::size_t count) {
    return copy_secure(to, room, from, count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_wcsncpy_s(char16_t* to, std::size_t room, const char16_t* from,
                                               std::size_t count) {
    return copy_secure(to, room, from, count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_strcat_s(char* to, std::size_t room, const char* from) {
    return append_secure(to, room, from);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_wcscat_s(char16_t* to, std::size_t room, const char16_t* from) {
    return append_secure(to, room, from);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_strncat_s(char* to, std::size_t room, const char* from, std::size_t count) {
    return append_secure(to, room, from, count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt_wcsncat_s(char16_t* to, std::size_t room, const char16_t* from,
                                               std::size_t count) {
    return append_secure(to, room, from, count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt__strset_s(char* to, std::size_t room, int c) {
    return set_secure(to, room, static_cast<char>(c), unlimited);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt__strnset_s(char* to, std::size_t room, int c, std::size_t count) {
    return set_secure(to, room, static_cast<char>(c), count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt__wcsset_s(char16_t* to, std::size_t room, char16_t c) {
    return set_secure(to, room, c, unlimited);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt__wcsnset_s(char16_t* to, std::size_t room, char16_t c, std::size_t count) {
    return set_secure(to, room, c, count);
}

DIRQL_CRT_FUNCTION errno_t dirql_crt__wcslwr_s(char16_t* text, std::size_t room) {
    return transform_secure(text, room, ascii_lower<char16_t>);
}
