#include "catch.hpp"
#include "crt_prototypes.hpp"
#include "support/random.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace dirql;

TEST_CASE("strtol and its kin agree with the host's, at 32 bits", "[crt]") {
    test::Random random(60);
    for (int step = 0; step < test::property_steps; ++step) {
        const auto text = random.text<char>(14, "0001x7fF9-+ z");
        const int base = std::array{0, 2, 8, 10, 16, 36}[random.below(6)];
        INFO("\"" << text << "\" base " << base);
        const char* our_end;
        char* their_end;
        const auto wide = std::strtoll(text.c_str(), &their_end, base);
        const auto clamped = std::clamp<long long>(wide, INT32_MIN, INT32_MAX);
        REQUIRE(dirql_crt_strtol(text.c_str(), &our_end, base) == clamped);
        REQUIRE(our_end == their_end);
        REQUIRE(dirql_crt__strtoui64(text.c_str(), &our_end, base) == std::strtoull(text.c_str(), &their_end, base));
        REQUIRE(our_end == their_end);
    }
}

TEST_CASE("numbers at their limits", "[crt]") {
    const char* end;
    CHECK(dirql_crt_strtol("2147483647", nullptr, 10) == INT32_MAX);
    CHECK(dirql_crt_strtol("2147483648", nullptr, 10) == INT32_MAX);
    CHECK(dirql_crt_strtol("-2147483648", nullptr, 10) == INT32_MIN);
    CHECK(dirql_crt_strtol("-2147483649", nullptr, 10) == INT32_MIN);
    CHECK(dirql_crt_strtoul("4294967295", nullptr, 10) == UINT32_MAX);
    CHECK(dirql_crt_strtoul("4294967296", nullptr, 10) == UINT32_MAX);
    CHECK(dirql_crt_strtoul("-1", nullptr, 10) == UINT32_MAX);
    CHECK(dirql_crt_strtoul("0xFFFFFFFFF", &end, 16) == UINT32_MAX);
    CHECK(*end == 0);
    const char16_t* wide_end;
    CHECK(dirql_crt_wcstoul(u"0x10 rest", &wide_end, 0) == 16);
    CHECK(std::u16string_view(wide_end) == u" rest");
    CHECK(dirql_crt_atoi(" -42xyz") == -42);
    CHECK(dirql_crt_atoi("") == 0);
    CHECK(dirql_crt__atoi64("-9223372036854775808") == INT64_MIN);
}

TEST_CASE("numbers become text", "[crt]") {
    char text[72];
    char16_t wide[72];
    CHECK(std::string_view(dirql_crt__itoa(-255, text, 10)) == "-255");
    CHECK(std::string_view(dirql_crt__itoa(-1, text, 16)) == "ffffffff"); // only base 10 has a sign
    CHECK(std::string_view(dirql_crt__itoa(INT32_MIN, text, 10)) == "-2147483648");
    CHECK(std::string_view(dirql_crt__ultoa(0, text, 2)) == "0");
    CHECK(std::u16string_view(dirql_crt__itow(35, wide, 36)) == u"z");
    CHECK(dirql_crt__i64toa_s(INT64_MIN, text, sizeof(text), 2) == 0);
    CHECK(std::string_view(text) == "1" + std::string(63, '0'));
    CHECK(dirql_crt__i64toa_s(-12, text, 4, 10) == 0);
    CHECK(dirql_crt__i64toa_s(-12, text, 3, 10) == 34);
    CHECK(text[0] == 0);
    CHECK(dirql_crt__i64toa_s(1, text, 9, 37) == 22);
    CHECK(dirql_crt__i64toa_s(1, nullptr, 9, 10) == 22);
}

TEST_CASE("sprintf terminates and returns the length", "[crt][print]") {
    char text[32];
    char16_t wide[32];
    CHECK(dirql_crt_sprintf(text, "%s=%d", "x", 5) == 3);
    CHECK(std::string_view(text) == "x=5");
    CHECK(dirql_crt_swprintf(wide, u"%s=%hs", u"x", "y") == 3);
    CHECK(std::u16string_view(wide) == u"x=y");
}

TEST_CASE("_snprintf cuts without terminator and says -1", "[crt][print]") {
    char text[8];
    const auto printed = [&](std::size_t count, const char* what) {
        std::memset(text, '#', sizeof(text));
        return dirql_crt__snprintf(text, count, "%s", what);
    };
    CHECK(printed(5, "abc") == 3);
    CHECK(std::string_view(text, 5) == std::string_view("abc\0#", 5));
    CHECK(printed(3, "abc") == 3); // exactly full: no terminator
    CHECK(std::string_view(text, 4) == "abc#");
    CHECK(printed(2, "abc") == -1);
    CHECK(std::string_view(text, 3) == "ab#");
    CHECK(dirql_crt__snprintf(nullptr, 0, "%s", "abcdef") == 6); // measures
    char16_t wide[4] = u"###";
    CHECK(dirql_crt__snwprintf(wide, 2, u"%d", 123) == -1);
    CHECK(std::u16string_view(wide, 3) == u"12#");
}

TEST_CASE("snprintf terminates and says how long the whole is", "[crt][print]") {
    char text[4] = "###";
    CHECK(dirql_crt_snprintf(text, 4, "%d", 12345) == 5);
    CHECK(std::string_view(text) == "123");
    CHECK(dirql_crt_snprintf(nullptr, 0, "%d", 12345) == 5);
}

TEST_CASE("sprintf_s fits or leaves an empty text", "[crt][print]") {
    constexpr std::size_t truncate = static_cast<std::size_t>(-1);
    char text[4];
    CHECK(dirql_crt_sprintf_s(text, 4, "%d", 123) == 3);
    CHECK(std::string_view(text) == "123");
    CHECK(dirql_crt_sprintf_s(text, 4, "%d", 1234) == -1);
    CHECK(text[0] == 0);
    CHECK(dirql_crt_sprintf_s(nullptr, 4, "x") == -1);
    CHECK(dirql_crt__snprintf_s(text, 4, truncate, "%d", 1234) == -1);
    CHECK(std::string_view(text) == "123");
    CHECK(dirql_crt__snprintf_s(text, 4, 2, "%d", 1234) == -1);
    CHECK(std::string_view(text) == "12");
    CHECK(dirql_crt__snprintf_s(text, 4, 9, "%d", 1234) == -1);
    CHECK(text[0] == 0);
    CHECK(dirql_crt__snprintf_s(text, 4, 2, "%d", 12) == 2);
    CHECK(std::string_view(text) == "12");
}

namespace {
int by_value(const void* left, const void* right) {
    const int l = *static_cast<const int*>(left), r = *static_cast<const int*>(right);
    return (l > r) - (l < r);
}
} // namespace

TEST_CASE("qsort sorts and bsearch finds", "[crt]") {
    test::Random random(61);
    for (int step = 0; step < test::property_steps / 10; ++step) {
        std::vector<int> ours(random.below(60));
        for (int& value : ours) value = static_cast<int>(random.below(50));
        auto sorted = ours;
        std::sort(sorted.begin(), sorted.end());
        dirql_crt_qsort(ours.data(), ours.size(), sizeof(int), by_value);
        REQUIRE(ours == sorted);
        const int wanted = static_cast<int>(random.below(50));
        const void* found = dirql_crt_bsearch(&wanted, ours.data(), ours.size(), sizeof(int), by_value);
        REQUIRE((found != nullptr) == std::binary_search(sorted.begin(), sorted.end(), wanted));
        if (found) REQUIRE(*static_cast<const int*>(found) == wanted);
    }
}

TEST_CASE("qsort moves elements of odd sizes whole", "[crt]") {
    struct Element {
        int key;
        char name[7];
    };
    std::vector<Element> elements;
    for (int i = 0; i < 100; ++i) {
        Element element{(i * 37) % 101, {}};
        std::snprintf(element.name, sizeof(element.name), "n%d", element.key);
        elements.push_back(element);
    }
    dirql_crt_qsort(elements.data(), elements.size(), sizeof(Element), by_value);
    for (std::size_t i = 0; i < elements.size(); ++i) {
        if (i > 0) REQUIRE(elements[i - 1].key < elements[i].key);
        REQUIRE(elements[i].name == "n" + std::to_string(elements[i].key));
    }
}
