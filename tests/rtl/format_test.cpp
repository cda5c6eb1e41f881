#include "catch.hpp"
#include "support/random.hpp"
#include "rtl/format.hpp"

#include <ntdef.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

using namespace dirql;

namespace {

template <class Char>
std::basic_string<Char> formatted_list(rtl::Floating floating, const Char* format, std::va_list arguments) {
    std::basic_string<Char> text(4096, Char('#'));
    rtl::TextSink<Char> sink(text.data(), text.size());
    rtl::format_message(sink, format, arguments, floating);
    REQUIRE_FALSE(sink.truncated());
    text.resize(sink.length());
    return text;
}

std::string formatted(const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    auto text = formatted_list(rtl::Floating::present, format, arguments);
    va_end(arguments);
    return text;
}

std::u16string formatted(const char16_t* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    auto text = formatted_list(rtl::Floating::present, format, arguments);
    va_end(arguments);
    return text;
}

std::string formatted_without_floating(const char* format, ...) {
    std::va_list arguments;
    va_start(arguments, format);
    auto text = formatted_list(rtl::Floating::absent, format, arguments);
    va_end(arguments);
    return text;
}

ANSI_STRING counted(char* text, USHORT length) { return {length, length, text}; }
UNICODE_STRING counted(char16_t* text, USHORT units) {
    return {static_cast<USHORT>(2 * units), static_cast<USHORT>(2 * units), text};
}

} // namespace

TEST_CASE("plain text and percent signs", "[format]") {
    CHECK(formatted("") == "");
    CHECK(formatted("text") == "text");
    CHECK(formatted("100%%") == "100%");
    CHECK(formatted("%5%|") == "%|");
    CHECK(formatted(u"wide %%") == u"wide %");
}

TEST_CASE("LONG is 32 bits wide whatever the host's long is", "[format]") {
    CHECK(formatted("%ld %lu %lx", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF) == "-1 4294967295 ffffffff");
    CHECK(formatted("%lX %d", 0x80000000, 0x80000000) == "80000000 -2147483648");
    // Each takes one argument of its size, so those behind stay in step.
    CHECK(formatted("%ld|%I64d|%lu|%llu|%d", -1, -1LL, 2, 3ULL, 4) == "-1|-1|2|3|4");
}

TEST_CASE("integer sizes", "[format]") {
    CHECK(formatted("%I64d", INT64_MIN) == "-9223372036854775808");
    CHECK(formatted("%I64u %llu", UINT64_MAX, UINT64_MAX) == "18446744073709551615 18446744073709551615");
    CHECK(formatted("%I64x %I64X %#I64x", 0xABCDEF0123ull, 0xABCDEF0123ull, 1ull) == "abcdef0123 ABCDEF0123 0x1");
    CHECK(formatted("%I32d %I32u", -5, 5u) == "-5 5");
    CHECK(formatted("%Id %Iu %zu %td %jd", -1ll, 1ull, 2ull, 3ll, 4ll) == "-1 1 2 3 4");
    CHECK(formatted("%hd %hu %hx", 0x18000, -1, 0x12345) == "-32768 65535 2345");
    CHECK(formatted("%hhd %hhu", 0x180, -1) == "-128 255");
    CHECK(formatted("%i %o", -7, 8) == "-7 10");
}

TEST_CASE("pointers are sixteen upper-case digits", "[format]") {
    CHECK(formatted("%p", reinterpret_cast<void*>(0xFFFFF80012ABCDEF)) == "FFFFF80012ABCDEF");
    CHECK(formatted("%p", static_cast<void*>(nullptr)) == "0000000000000000");
    CHECK(formatted("%20p|", reinterpret_cast<void*>(0x1234)) == "    0000000000001234|");
    CHECK(formatted("%-20p|", reinterpret_cast<void*>(0x1234)) == "0000000000001234    |");
    CHECK(formatted("%#p", reinterpret_cast<void*>(0x1234)) == "0X0000000000001234");
    CHECK(formatted(u"%p", reinterpret_cast<void*>(0x1234)) == u"0000000000001234");
}

TEST_CASE("text of both widths in narrow functions", "[format]") {
    CHECK(formatted("%s|%hs|%hS", "a", "b", "c") == "a|b|c");
    CHECK(formatted("%S|%ls|%ws|%lS|%wS", u"a", u"b", u"c", u"d", u"e") == "a|b|c|d|e");
    CHECK(formatted("%c%hc%C%lc%wc", 'a', 'b', u'c', u'd', u'e') == "abcde");
    CHECK(formatted("%ws", u"caf\x00E9 \x20AC \x0416") == "caf\xE9 \x80 ?");
}

TEST_CASE("text of both widths in wide functions", "[format]") {
    CHECK(formatted(u"%s|%ls|%ws", u"a", u"b", u"c") == u"a|b|c");
    CHECK(formatted(u"%S|%hs|%hS", "a", "b", "c") == u"a|b|c");
    CHECK(formatted(u"%c%lc%C%hc", u'Ж', u'b', 'c', 'd') == u"Жbcd");
    CHECK(formatted(u"%hs", "caf\xE9 \x80") == u"café €");
}

TEST_CASE("precision bounds text, and nothing behind it is read", "[format]") {
    const char unterminated[] = {'a', 'b', 'c'};
    const char16_t wide[] = {u'x', u'y'};
    CHECK(formatted("%.3s|%.2ws", unterminated, wide) == "abc|xy");
    CHECK(formatted("%.*s", 2, unterminated) == "ab");
    CHECK(formatted("%.0s|", "abc") == "|");
    CHECK(formatted("%.s|", "abc") == "|");
    CHECK(formatted("%.*s", -1, "abc") == "abc");
}

TEST_CASE("null strings", "[format]") {
    CHECK(formatted("%s %ws %S", nullptr, nullptr, nullptr) == "(null) (null) (null)");
    CHECK(formatted("%.3s|%8s", nullptr, nullptr) == "(nu|  (null)");
    CHECK(formatted("%Z %wZ", nullptr, nullptr) == "(null) (null)");
    CHECK(formatted(u"%s %hs %wZ", nullptr, nullptr, nullptr) == u"(null) (null) (null)");
}

TEST_CASE("counted strings end where their length says", "[format]") {
    char narrow[] = "abcdef";
    char16_t wide[] = u"uvwxyz";
    const ANSI_STRING a = counted(narrow, 3);
    const UNICODE_STRING u = counted(wide, 4);
    CHECK(formatted("%Z|%hZ|%wZ|%lZ", &a, &a, &u, &u) == "abc|abc|uvwx|uvwx");
    CHECK(formatted(u"%Z|%hZ|%wZ", &a, &a, &u) == u"abc|abc|uvwx");
    CHECK(formatted("%6wZ|%-6wZ|", &u, &u) == "  uvwx|uvwx  |");
    CHECK(formatted("%.2wZ", &u) == "uvwx"); // precision is not for them
    const UNICODE_STRING none{4, 4, nullptr}, empty{0, 2, wide};
    CHECK(formatted("%wZ|%wZ", &none, &empty) == "(null)|");
    char16_t holes[] = {u'a', 0, u'b'};
    const UNICODE_STRING with_null = counted(holes, 3);
    CHECK(formatted("%wZ", &with_null) == std::string("a\0b", 3));
}

TEST_CASE("width and flags", "[format]") {
    CHECK(formatted("%5d|%-5d|%05d|%+d|% d", 42, 42, 42, 42, 42) == "   42|42   |00042|+42| 42");
    CHECK(formatted("%05d|%+05d|%-05d|", -42, 42, 42) == "-0042|+0042|42   |");
    CHECK(formatted("%*d|%*d|", 5, 1, -5, 1) == "    1|1    |");
    CHECK(formatted("%.5d|%8.5d|%-8.5d|%08.5d", 42, 42, 42, 42) == "00042|   00042|00042   |   00042");
    CHECK(formatted("%.0d|%.0x|%#.0o|%.0d", 0, 0, 0, 1) == "||0|1");
    CHECK(formatted("%#x %#X %#o %#x %#o", 255, 255, 8, 0, 0) == "0xff 0XFF 010 0 0");
    CHECK(formatted("%#010x|%#-10x|", 255, 255) == "0x000000ff|0xff      |");
    CHECK(formatted("%05s|%-5s|%5c|%-5c|", "ab", "ab", 'x', 'x') == "000ab|ab   |    x|x    |");
    CHECK(formatted(u"%5d|%-6ws|", 42, u"ab") == u"   42|ab    |");
}

TEST_CASE("a type without meaning prints as itself", "[format]") {
    CHECK(formatted("%y %5k|%d", 7) == "y k|7");
    CHECK(formatted("at the end %") == "at the end ");
    CHECK(formatted("at the end %5l") == "at the end ");
    int target = 99;
    CHECK(formatted("ab%nc%d", &target, 5) == "abc5");
    CHECK(target == 99); // %n never writes
}

TEST_CASE("functions without floating point print the letter", "[format]") {
    CHECK(formatted_without_floating("%d %f %d %.2e", 1, 2.5, 3, 4.5) == "1 f 3 e");
}

TEST_CASE("a full sink counts on", "[format]") {
    char text[4] = {'#', '#', '#', '#'};
    rtl::TextSink<char> sink(text, 3);
    sink.put('a');
    sink.repeat('b', 1'000'000'000'000);
    sink.put('c');
    CHECK(std::string_view(text, 4) == "abb#");
    CHECK(sink.length() == 1'000'000'000'002);
    CHECK(sink.stored() == 3);
    CHECK(sink.truncated());
}

TEST_CASE("floating point", "[format][floating]") {
    CHECK(formatted("%f %.2f %.0f %#.0f", 3.14159265, 2.675, 2.5, 2.5) == "3.141593 2.67 2 2.");
    CHECK(formatted("%e %.3E %.0e %#.0e", 12345.678, 0.00012, 5e100, 5e100) == "1.234568e+04 1.200E-04 5e+100 5.e+100");
    CHECK(formatted("%g %g %g %G", 100000.0, 1000000.0, 0.0001, 1e-5) == "100000 1e+06 0.0001 1E-05");
    CHECK(formatted("%#g %.3g %g", 1.0, 1234.5, 0.0) == "1.00000 1.23e+03 0");
    CHECK(formatted("%8.2f|%-8.2f|%08.2f|%+.1f|% .1f", 1.5, 1.5, -1.5, 1.5, 1.5) ==
          "    1.50|1.50    |-0001.50|+1.5| 1.5");
    CHECK(formatted("%a %.2A %a", 1.0, 10.0, 0.0) == "0x1.0000000000000p+0 0X1.40P+3 0x0.0000000000000p+0");
    CHECK(formatted("%Lf", 1.25L) == "1.250000");
    CHECK(formatted(u"%.3f", 0.5) == u"0.500");
}

TEST_CASE("numbers that are none", "[format][floating]") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    CHECK(formatted("%f %E %+g", infinity, -infinity, infinity) == "inf -INF +inf");
    CHECK(formatted("%010f", infinity) == "       inf");
    CHECK(formatted("%f", std::numeric_limits<double>::quiet_NaN()) == "nan");
    CHECK(formatted("%f", -std::numeric_limits<double>::quiet_NaN()) == "-nan(ind)");
    CHECK(formatted("%f", -0.0) == "-0.000000");
}

TEST_CASE("the largest number with the largest precision fits", "[format][floating]") {
    const double largest = std::numeric_limits<double>::max();
    CHECK(formatted("%.512f", largest).size() == 309 + 1 + 512);
    CHECK(formatted("%.999999f", largest).size() == 309 + 1 + 512);
    CHECK(formatted("%#.512g", 1e-300).size() == std::string("1.e-300").size() + 511);
    CHECK(formatted("%.600d", 1).size() == 512);
}

namespace {

std::string random_flags(test::Random& random) {
    std::string flags;
    for (const char flag : {'-', '+', ' ', '#', '0'})
        if (random.chance(4)) flags += flag;
    return flags;
}

std::string random_spec(test::Random& random) {
    std::string spec = "%" + random_flags(random);
    if (random.chance(2)) spec += std::to_string(1 + random.below(30));
    if (random.chance(2)) spec += "." + std::to_string(random.below(25));
    return spec;
}

std::string by_host(const std::string& format, auto value) {
    char text[1024];
    std::snprintf(text, sizeof(text), format.c_str(), value);
    return text;
}

} // namespace

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

TEST_CASE("integers agree with the host's snprintf", "[format]") {
    test::Random random(40);
    for (int step = 0; step < test::property_steps; ++step) {
        const std::string spec = random_spec(random);
        const char type = "diuxXo"[random.below(6)];
        const std::uint64_t value = random.next() >> random.below(64);
        INFO(spec << type << " of " << value);
        REQUIRE(formatted((spec + type).c_str(), static_cast<unsigned>(value)) ==
                by_host(spec + type, static_cast<unsigned>(value)));
        REQUIRE(formatted((spec + "I64" + type).c_str(), value) == by_host(spec + "ll" + type, value));
    }
}

TEST_CASE("text agrees with the host's snprintf but for the 0 flag", "[format]") {
    test::Random random(41);
    for (int step = 0; step < test::property_steps; ++step) {
        std::string spec = random_spec(random);
        std::erase(spec, '0');
        const std::string text = random.text<char>(20, "abc ");
        const std::u16string wide(text.begin(), text.end());
        INFO(spec << " of " << text);
        REQUIRE(formatted((spec + "s").c_str(), text.c_str()) == by_host(spec + "s", text.c_str()));
        REQUIRE(formatted((spec + "ws").c_str(), wide.c_str()) == by_host(spec + "s", text.c_str()));
    }
}

TEST_CASE("floating point agrees with the host's snprintf", "[format][floating]") {
    test::Random random(42);
    for (int step = 0; step < test::property_steps; ++step) {
        const std::string spec = random_spec(random) + "eEfFgG"[random.below(6)];
        const int exponent = static_cast<int>(random.below(80)) - 40;
        const double value = std::ldexp(static_cast<double>(static_cast<std::int64_t>(random.next())), exponent - 60);
        INFO(spec << " of " << value);
        REQUIRE(formatted(spec.c_str(), value) == by_host(spec, value));
    }
}
