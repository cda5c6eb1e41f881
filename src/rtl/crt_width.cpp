// Conversions between narrow and wide text, through the ANSI code page: one byte, one unit.
#include "rtl/code_page.hpp"
#include "rtl/crt.hpp"
#include "rtl/terminated_text.hpp"

using namespace dirql::rtl;

namespace {
char16_t wide(char c) { return to_unicode(CodePage::ansi, c); }
char narrow(char16_t c) { return from_unicode(CodePage::ansi, c); }

// At most `count` units and the terminator if it is among them. Returns the units before it; a null target measures.
template <class To, class From, class Convert>
std::size_t convert(To* to, const From* from, std::size_t count, Convert one) {
    if (to == nullptr) return text_length(from);
    std::size_t i = 0;
    for (; i < count; ++i)
        if ((to[i] = one(from[i])) == 0) break;
    return i;
}
} // namespace

DIRQL_CRT_FUNCTION std::size_t dirql_crt_mbstowcs(char16_t* to, const char* from, std::size_t count) {
    return convert(to, from, count, wide);
}

DIRQL_CRT_FUNCTION std::size_t dirql_crt_wcstombs(char* to, const char16_t* from, std::size_t count) {
    return convert(to, from, count, narrow);
}

// Returns the bytes consumed: 1, 0 for the terminator or a null source, -1 when no byte may be read.
DIRQL_CRT_FUNCTION int dirql_crt_mbtowc(char16_t* to, const char* from, std::size_t count) {
    if (from == nullptr) return 0;
    if (count == 0) return -1;
    if (to != nullptr) *to = wide(*from);
    return *from != 0;
}

// Returns the bytes written, 1; 0 for a null target.
DIRQL_CRT_FUNCTION int dirql_crt_wctomb(char* to, char16_t unit) {
    if (to == nullptr) return 0;
    *to = narrow(unit);
    return 1;
}
