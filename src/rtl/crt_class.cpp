// Character classes of the "C" locale, and abs. A character outside ASCII is in no class.
#include "rtl/crt.hpp"
#include "rtl/letter_case.hpp"

using namespace dirql::rtl;

namespace {
constexpr bool between(int c, int first, int last) { return c >= first && c <= last; }
constexpr bool digit(int c) { return between(c, '0', '9'); }
constexpr bool upper(int c) { return between(c, 'A', 'Z'); }
constexpr bool lower(int c) { return between(c, 'a', 'z'); }
constexpr bool space(int c) { return c == ' ' || between(c, '\t', '\r'); }
constexpr bool hex(int c) { return digit(c) || between(c, 'A', 'F') || between(c, 'a', 'f'); }
} // namespace

DIRQL_CRT_FUNCTION int dirql_crt_isdigit(int c) { return digit(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isupper(int c) { return upper(c); }
DIRQL_CRT_FUNCTION int dirql_crt_islower(int c) { return lower(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isalpha(int c) { return upper(c) || lower(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isalnum(int c) { return upper(c) || lower(c) || digit(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isspace(int c) { return space(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isxdigit(int c) { return hex(c); }
DIRQL_CRT_FUNCTION int dirql_crt_isprint(int c) { return between(c, ' ', '~'); }
DIRQL_CRT_FUNCTION int dirql_crt_isgraph(int c) { return between(c, '!', '~'); }
DIRQL_CRT_FUNCTION int dirql_crt_iscntrl(int c) { return between(c, 0, 0x1F) || c == 0x7F; }
DIRQL_CRT_FUNCTION int dirql_crt_ispunct(int c) { return dirql_crt_isgraph(c) && !dirql_crt_isalnum(c); }
DIRQL_CRT_FUNCTION int dirql_crt_toupper(int c) { return ascii_upper(c); }
DIRQL_CRT_FUNCTION int dirql_crt_tolower(int c) { return ascii_lower(c); }
DIRQL_CRT_FUNCTION int dirql_crt_iswdigit(char16_t c) { return digit(c); }
DIRQL_CRT_FUNCTION int dirql_crt_iswspace(char16_t c) { return space(c); }
DIRQL_CRT_FUNCTION int dirql_crt_iswxdigit(char16_t c) { return hex(c); }
DIRQL_CRT_FUNCTION int dirql_crt_iswalpha(char16_t c) {
    return upper(c) || lower(c) || downcase(c) != c || upcase(c) != c;
}
DIRQL_CRT_FUNCTION int dirql_crt_iswalnum(char16_t c) { return dirql_crt_iswalpha(c) || digit(c); }

DIRQL_CRT_FUNCTION int dirql_crt_abs(int value) {
    return value < 0 ? static_cast<int>(0u - static_cast<unsigned>(value)) : value;
}
