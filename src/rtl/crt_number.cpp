// Numbers from text and to text. `long` is 32 bits wide, as for every Windows program.
#include "rtl/c_number.hpp"

#include <cstdint>

using namespace dirql::rtl;

DIRQL_CRT_FUNCTION int dirql_crt_atoi(const char* text) { return read_decimal<std::int32_t>(text); }
DIRQL_CRT_FUNCTION int dirql_crt_atol(const char* text) { return read_decimal<std::int32_t>(text); }
DIRQL_CRT_FUNCTION std::int64_t dirql_crt__atoi64(const char* text) { return read_decimal<std::int64_t>(text); }
DIRQL_CRT_FUNCTION int dirql_crt__wtoi(const char16_t* text) { return read_decimal<std::int32_t>(text); }
DIRQL_CRT_FUNCTION int dirql_crt__wtol(const char16_t* text) { return read_decimal<std::int32_t>(text); }

DIRQL_CRT_FUNCTION std::int64_t dirql_crt__wtoi64(const char16_t* text) { return read_decimal<std::int64_t>(text); }

DIRQL_CRT_FUNCTION std::int32_t dirql_crt_strtol(const char* text, const char** end, int base) {
    return read_number<std::int32_t>(text, end, base);
}

DIRQL_CRT_FUNCTION std::uint32_t dirql_crt_strtoul(const char* text, const char** end, int base) {
    return read_number<std::uint32_t>(text, end, base);
}

DIRQL_CRT_FUNCTION std::int64_t dirql_crt__strtoi64(const char* text, const char** end, int base) {
    return read_number<std::int64_t>(text, end, base);
}

DIRQL_CRT_FUNCTION std::uint64_t dirql_crt__strtoui64(const char* text, const char** end, int base) {
    return read_number<std::uint64_t>(text, end, base);
}

DIRQL_CRT_FUNCTION std::int32_t dirql_crt_wcstol(const char16_t* text, const char16_t** end, int base) {
    return read_number<std::int32_t>(text, end, base);
}

DIRQL_CRT_FUNCTION std::uint32_t dirql_crt_wcstoul(const char16_t* text, const char16_t** end, int base) {
    return read_number<std::uint32_t>(text, end, base);
}

// _itoa and friends trust the buffer (65 units hold any result); the _s forms take its size.
#define DIRQL_NUMBER_TO_TEXT(Stem, Value) \
    DIRQL_CRT_FUNCTION char* dirql_crt_##Stem##a(Value value, char* to, int base) { \
        return write_number(value, to, base); \
    } \
    DIRQL_CRT_FUNCTION char16_t* dirql_crt_##Stem##w(Value value, char16_t* to, int base) { \
        return write_number(value, to, base); \
    } \
    DIRQL_CRT_FUNCTION errno_t dirql_crt_##Stem##a_s(Value value, char* to, std::size_t room, int base) { \
        return write_number(value, to, room, base); \
    } \
    DIRQL_CRT_FUNCTION errno_t dirql_crt_##Stem##w_s(Value value, char16_t* to, std::size_t room, int base) { \
        return write_number(value, to, room, base); \
    }
DIRQL_NUMBER_TO_TEXT(_ito, std::int32_t)
DIRQL_NUMBER_TO_TEXT(_lto, std::int32_t)
DIRQL_NUMBER_TO_TEXT(_ulto, std::uint32_t)
DIRQL_NUMBER_TO_TEXT(_i64to, std::int64_t)
DIRQL_NUMBER_TO_TEXT(_ui64to, std::uint64_t)
#undef DIRQL_NUMBER_TO_TEXT
