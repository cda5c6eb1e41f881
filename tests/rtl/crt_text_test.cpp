#include "catch.hpp"
#include "crt_prototypes.hpp"
#include "support/random.hpp"

#include <cctype>
#include <cstring>
#include <strings.h>

using namespace dirql;

namespace {
int sign(int value) { return (value > 0) - (value < 0); }
} // namespace

TEST_CASE("narrow text functions agree with the host's", "[crt]") {
    test::Random random(50);
    for (int step = 0; step < test::property_steps; ++step) {
        const std::string alphabet = "aAbB\xE9 ";
        const auto left = random.text(12, alphabet), right = random.text(step % 2 ? 12 : 2, alphabet);
        const char *l = left.c_str(), *r = right.c_str();
        const std::size_t count = random.below(14);
        const int c = random.chance(5) ? 0 : alphabet[random.below(alphabet.size())];
        INFO("\"" << left << "\" \"" << right << "\" " << count);
        REQUIRE(dirql_crt_strlen(l) == std::strlen(l));
        REQUIRE(dirql_crt_strnlen(l, count) == strnlen(l, count));
        REQUIRE(sign(dirql_crt_strcmp(l, r)) == sign(std::strcmp(l, r)));
        REQUIRE(sign(dirql_crt_strncmp(l, r, count)) == sign(std::strncmp(l, r, count)));
        REQUIRE(sign(dirql_crt__stricmp(l, r)) == sign(strcasecmp(l, r)));
        REQUIRE(sign(dirql_crt__strnicmp(l, r, count)) == sign(strncasecmp(l, r, count)));
        REQUIRE(dirql_crt_strchr(l, c) == std::strchr(l, c));
        REQUIRE(dirql_crt_strrchr(l, c) == std::strrchr(l, c));
        REQUIRE(dirql_crt_strstr(l, r) == std::strstr(l, r));
        REQUIRE(dirql_crt_strspn(l, r) == std::strspn(l, r));
        REQUIRE(dirql_crt_strcspn(l, r) == std::strcspn(l, r));
        REQUIRE(dirql_crt_strpbrk(l, r) == std::strpbrk(l, r));
        char ours[64], theirs[64];
        std::memset(ours, '#', sizeof(ours));
        std::memset(theirs, '#', sizeof(theirs));
        dirql_crt_strncpy(ours, l, count);
        std::strncpy(theirs, l, count);
        REQUIRE(std::memcmp(ours, theirs, sizeof(ours)) == 0);
        dirql_crt_strncat(dirql_crt_strcat(dirql_crt_strcpy(ours, l), r), l, count);
        std::strncat(std::strcat(std::strcpy(theirs, l), r), l, count);
        REQUIRE(std::strcmp(ours, theirs) == 0);
        REQUIRE(dirql_crt_stpcpy(ours, r) == ours + right.size());
    }
}

TEST_CASE("wide text", "[crt]") {
    CHECK(dirql_crt_wcslen(u"") == 0);
    CHECK(dirql_crt_wcslen(u"\\Device\\Écho") == 12);
    CHECK(dirql_crt_wcscmp(u"\xD800", u"\xE000") < 0); // by unit, unsigned
    CHECK(dirql_crt__wcsicmp(u"\\DEVICE", u"\\device") == 0);
    CHECK(dirql_crt__wcsicmp(u"É", u"é") != 0); // the "C" locale knows A to Z
    CHECK(dirql_crt__wcsicmp(u"_", u"A") < 0);  // letters compare as lower case here
    CHECK(dirql_crt__wcsnicmp(u"abcX", u"ABCy", 3) == 0);
    const char16_t text[] = u"one two one";
    CHECK(dirql_crt_wcsstr(text, u"two") == text + 4);
    CHECK(dirql_crt_wcsstr(text, u"") == text);
    CHECK(dirql_crt_wcsstr(text, u"onex") == nullptr);
    CHECK(dirql_crt_wcsrchr(text, u'o') == text + 8);
    char16_t buffer[6] = u"#####";
    CHECK(std::u16string_view(dirql_crt_wcsncpy(buffer, u"ab", 4), 6) == std::u16string_view(u"ab\0\0#\0", 6));
    char16_t upper[] = u"ÀB1";
    CHECK(std::u16string_view(dirql_crt__wcslwr(upper)) == u"Àb1");
    CHECK(dirql_crt_towupper(u'é') == u'É');
}

TEST_CASE("text changed in place", "[crt]") {
    char even[] = "abcd", odd[] = "abc", none[] = "", text[] = "Mixed 1";
    CHECK(std::string_view(dirql_crt__strrev(even)) == "dcba");
    CHECK(std::string_view(dirql_crt__strrev(odd)) == "cba");
    CHECK(std::string_view(dirql_crt__strrev(none)) == "");
    CHECK(std::string_view(dirql_crt__strupr(text)) == "MIXED 1");
    CHECK(std::string_view(dirql_crt__strnset(text, '*', 3)) == "***ED 1");
    CHECK(std::string_view(dirql_crt__strnset(text, '-', 30)) == "-------");
}

TEST_CASE("strtok_s cuts tokens", "[crt]") {
    char text[] = ",,one, two,";
    char* rest = nullptr;
    CHECK(std::string_view(dirql_crt_strtok_s(text, ", ", &rest)) == "one");
    CHECK(std::string_view(dirql_crt_strtok_s(nullptr, ", ", &rest)) == "two");
    CHECK(dirql_crt_strtok_s(nullptr, ", ", &rest) == nullptr);
    CHECK(dirql_crt_strtok_s(nullptr, ", ", &rest) == nullptr);
}

TEST_CASE("secure copies fit or leave an empty text", "[crt][secure]") {
    constexpr int einval = 22, erange = 34, struncate = 80;
    constexpr std::size_t truncate = static_cast<std::size_t>(-1);
    char to[5] = "????";
    CHECK(dirql_crt_strcpy_s(to, 5, "four") == 0);
    CHECK(std::string_view(to) == "four");
    CHECK(dirql_crt_strcpy_s(to, 5, "fives") == erange);
    CHECK(to[0] == 0);
    CHECK(dirql_crt_strcpy_s(nullptr, 5, "x") == einval);
    CHECK(dirql_crt_strcpy_s(to, 0, "x") == einval);
    to[0] = 'x';
    CHECK(dirql_crt_strcpy_s(to, 5, nullptr) == einval);
    CHECK(to[0] == 0);
    CHECK(dirql_crt_strncpy_s(to, 5, "abcdef", 3) == 0);
    CHECK(std::string_view(to) == "abc");
    CHECK(dirql_crt_strncpy_s(to, 5, "abcdef", 5) == erange);
    CHECK(dirql_crt_strncpy_s(to, 5, "abcdef", truncate) == struncate);
    CHECK(std::string_view(to) == "abcd");
    CHECK(dirql_crt_strncpy_s(to, 5, "abcd", truncate) == 0);
    CHECK(dirql_crt_strncpy_s(to, 5, nullptr, 0) == 0);
    CHECK(std::string_view(to) == "");
    char16_t wide[3];
    CHECK(dirql_crt_wcscpy_s(wide, 3, u"ab") == 0);
    CHECK(dirql_crt_wcscpy_s(wide, 3, u"abc") == erange);
}

TEST_CASE("secure appends", "[crt][secure]") {
    constexpr int einval = 22, erange = 34, struncate = 80;
    char to[6] = "ab";
    CHECK(dirql_crt_strcat_s(to, 6, "cd") == 0);
    CHECK(std::string_view(to) == "abcd");
    CHECK(dirql_crt_strncat_s(to, 6, "efg", 1) == 0);
    CHECK(std::string_view(to) == "abcde");
    CHECK(dirql_crt_strncat_s(to, 6, "f", static_cast<std::size_t>(-1)) == struncate);
    CHECK(std::string_view(to) == "abcde");
    CHECK(dirql_crt_strcat_s(to, 6, "f") == erange);
    CHECK(to[0] == 0);
    std::memset(to, 'x', sizeof(to));
    CHECK(dirql_crt_strcat_s(to, 6, "f") == einval); // no terminator in the target
    CHECK(to[0] == 0);
}

TEST_CASE("character classes agree with the host's C locale", "[crt]") {
    for (int c = -1; c < 128; ++c) {
        INFO(c);
        CHECK(!dirql_crt_isdigit(c) == !std::isdigit(c));
        CHECK(!dirql_crt_isspace(c) == !std::isspace(c));
        CHECK(!dirql_crt_isxdigit(c) == !std::isxdigit(c));
        CHECK(!dirql_crt_isprint(c) == !std::isprint(c));
        CHECK(!dirql_crt_isupper(c) == !std::isupper(c));
        CHECK(!dirql_crt_islower(c) == !std::islower(c));
        CHECK(!dirql_crt_isalpha(c) == !std::isalpha(c));
        CHECK(!dirql_crt_isalnum(c) == !std::isalnum(c));
        CHECK(!dirql_crt_isgraph(c) == !std::isgraph(c));
        CHECK(!dirql_crt_iscntrl(c) == !std::iscntrl(c));
        CHECK(!dirql_crt_ispunct(c) == !std::ispunct(c));
        CHECK(dirql_crt_toupper(c) == std::toupper(c));
        CHECK(dirql_crt_tolower(c) == std::tolower(c));
    }
}

TEST_CASE("widths are converted through the ANSI code page", "[crt]") {
    char16_t wide[8] = u"#######";
    CHECK(dirql_crt_mbstowcs(wide, "\x80 x", 8) == 3);
    CHECK(std::u16string_view(wide) == u"€ x");
    CHECK(dirql_crt_mbstowcs(nullptr, "abc", 0) == 3);
    char narrow[4] = "###";
    CHECK(dirql_crt_wcstombs(narrow, u"é\x0416!", 2) == 2);
    CHECK(std::string_view(narrow, 4) == std::string_view("\xE9?#\0", 4));
}
