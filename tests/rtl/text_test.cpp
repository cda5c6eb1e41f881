#include "catch.hpp"
#include "support/random.hpp"
#include "rtl/counted_text.hpp"
#include "rtl/guid_text.hpp"
#include "rtl/integer_text.hpp"
#include "rtl/utf8.hpp"

#include <ntdef.h>

#include <cstring>
#include <vector>

using namespace dirql;
using rtl::Case;

namespace {

int sign(int value) { return (value > 0) - (value < 0); }

std::u16string raised(std::u16string text) {
    for (char16_t& c : text)
        if (c >= u'a' && c <= u'z') c = static_cast<char16_t>(c - 32);
    return text;
}

} // namespace

TEST_CASE("comparison is by unit, then by length", "[text]") {
    CHECK(rtl::compare(u"abc", u"abd", Case::sensitive) < 0);
    CHECK(rtl::compare(u"ab", u"abc", Case::sensitive) < 0);
    CHECK(rtl::compare(u"abc", u"", Case::sensitive) > 0);
    CHECK(rtl::compare(u"", u"", Case::sensitive) == 0);
    CHECK(rtl::compare(u"a", u"B", Case::sensitive) > 0);
    CHECK(rtl::compare(u"a", u"B", Case::ignored) < 0);
    CHECK(rtl::compare(u"_", u"a", Case::ignored) > 0); // letters compare as upper case, '_' is above them
    CHECK(rtl::compare("\x7F", "\x80", Case::sensitive) < 0);
    CHECK(rtl::equal(u"\\Device\\Écho", u"\\DEVICE\\ÉCHO", Case::ignored));
    CHECK_FALSE(rtl::equal(u"a", u"A", Case::sensitive));
}

TEST_CASE("prefixes", "[text]") {
    CHECK(rtl::has_prefix(u"\\??\\C:", u"\\??\\", Case::sensitive));
    CHECK(rtl::has_prefix(u"\\DosDevices\\x", u"\\dosdevices\\", Case::ignored));
    CHECK(rtl::has_prefix(u"x", u"", Case::sensitive));
    CHECK(rtl::has_prefix("abc", "abc", Case::sensitive));
    CHECK_FALSE(rtl::has_prefix(u"ab", u"abc", Case::sensitive));
    CHECK_FALSE(rtl::has_prefix(u"\\dosdevices", u"\\DosDevices", Case::sensitive));
}

TEST_CASE("comparing counted text agrees with the standard library", "[text]") {
    test::Random random(10);
    const std::u16string alphabet = {u'a', u'A', u'b', u'z', u'\0', u'\x20AC', u'\xFFFF'};
    for (int step = 0; step < test::property_steps; ++step) {
        const auto left = random.text(6, alphabet), right = random.text(6, alphabet);
        REQUIRE(sign(rtl::compare(left, right, Case::sensitive)) == sign(left.compare(right)));
        REQUIRE(sign(rtl::compare(left, right, Case::ignored)) == sign(raised(left).compare(raised(right))));
        REQUIRE(rtl::has_prefix(left, right, Case::sensitive) == left.starts_with(right));
        REQUIRE(rtl::equal(left, right, Case::sensitive) == (left == right));
    }
}

TEST_CASE("x65599 hash", "[text]") {
    CHECK(rtl::hash_x65599(u"", Case::sensitive) == 0);
    CHECK(rtl::hash_x65599(u"a", Case::sensitive) == 97);
    CHECK(rtl::hash_x65599(u"ab", Case::sensitive) == 97 * 65599 + 98);
    CHECK(rtl::hash_x65599(u"ab", Case::ignored) == 65 * 65599 + 66);
    CHECK(rtl::hash_x65599(u"Device", Case::ignored) == rtl::hash_x65599(u"dEVICE", Case::ignored));
}

TEST_CASE("digits in each base", "[integer]") {
    CHECK(rtl::Digits(0, 10).view() == "0");
    CHECK(rtl::Digits(255, 16).view() == "FF");
    CHECK(rtl::Digits(255, 16, rtl::LetterDigits::lower).view() == "ff");
    CHECK(rtl::Digits(UINT64_MAX, 2).view() == std::string(64, '1'));
    CHECK(rtl::Digits(UINT64_MAX, 10).view() == "18446744073709551615");
    CHECK(rtl::Digits(35, 36).view() == "Z");
}

// The table of the document of RtlUnicodeStringToInteger.
TEST_CASE("integers are read as the document's table says", "[integer]") {
    const auto value = [](std::u16string_view text, unsigned base) {
        return static_cast<std::int32_t>(rtl::parse_rtl_integer(text, base));
    };
    CHECK(value(u"123", 10) == 123);
    CHECK(value(u"-345", 10) == -345);
    CHECK(value(u"xyz", 10) == 0);
    CHECK(value(u"+678abc", 10) == 678);
    CHECK(value(u"+678abc", 16) == 6785724);
    CHECK(value(u"007", 10) == 7);
    CHECK(value(u"789", 8) == 7);
    CHECK(value(u"FGH", 16) == 15);
    CHECK(value(u" ", 10) == 0);
    CHECK(value(u"0x1F", 0) == 31);
    CHECK(value(u"0o17", 0) == 15);
    CHECK(value(u"0b101", 0) == 5);
    CHECK(value(u"-0x10", 0) == -16);
    CHECK(value(u"0x1F", 16) == 0); // the prefix counts only when the base is asked for
    CHECK(value(u"\t\n 42", 0) == 42);
    CHECK(value(u"4294967295", 10) == -1);
    CHECK(value(u"4294967296", 10) == 0); // 32 bits wrap
    CHECK(rtl::parse_rtl_integer(std::string_view("0x7f"), 0) == 127);
}

TEST_CASE("what is written is read again, in every base", "[integer]") {
    test::Random random(11);
    for (int step = 0; step < test::property_steps; ++step) {
        const auto value = static_cast<std::uint32_t>(random.next() >> random.below(64));
        for (const unsigned base : {2u, 8u, 10u, 16u})
            REQUIRE(rtl::parse_rtl_integer(rtl::Digits(value, base).view(), base) == value);
    }
}

TEST_CASE("UTF-8 and UTF-16 become each other", "[utf8]") {
    char16_t wide[32];
    const std::string_view text = "aé€😀";
    const auto decoded = rtl::utf8_to_utf16(wide, 32, text);
    CHECK(std::u16string_view(wide, decoded.written) == u"aé€😀");
    CHECK((decoded.complete && decoded.all_well_formed));
    CHECK(rtl::utf8_to_utf16(nullptr, 0, text).written == 5);
    char narrow[32];
    const auto encoded = rtl::utf16_to_utf8(narrow, 32, u"aé€😀");
    CHECK(std::string_view(narrow, encoded.written) == text);
    CHECK(rtl::utf16_to_utf8(nullptr, 0, u"aé€😀").written == 10);
}

TEST_CASE("UTF-8 conversion stops at the last whole character", "[utf8]") {
    char16_t wide[2];
    const auto decoded = rtl::utf8_to_utf16(wide, 2, "a😀");
    CHECK(decoded.written == 1);
    CHECK_FALSE(decoded.complete);
    char narrow[3];
    const auto encoded = rtl::utf16_to_utf8(narrow, 3, u"aé€");
    CHECK(encoded.written == 3);
    CHECK_FALSE(encoded.complete);
}

// Unicode, "U+FFFD Substitution of Maximal Subparts": one replacement for the longest beginning of a character.
TEST_CASE("ill-formed sequences become replacement characters", "[utf8]") {
    const auto decode = [](std::string_view text) {
        char16_t wide[32];
        const auto result = rtl::utf8_to_utf16(wide, 32, text);
        CHECK_FALSE(result.all_well_formed);
        return std::u16string(wide, result.written);
    };
    CHECK(decode("\x80") == u"\xFFFD");
    CHECK(decode("\xC0\xAF") == u"\xFFFD\xFFFD"); // overlong
    CHECK(decode("\xE2\x82") == u"\xFFFD");       // cut short
    CHECK(decode("\xE2\x82z") == u"\xFFFDz");
    CHECK(decode("\xED\xA0\x80") == u"\xFFFD\xFFFD\xFFFD");           // a surrogate
    CHECK(decode("\xF4\x90\x80\x80") == u"\xFFFD\xFFFD\xFFFD\xFFFD"); // above U+10FFFF
    CHECK(decode("\xF0\x9F\x98z") == u"\xFFFDz");
    char narrow[16];
    const char16_t lone[] = {0xDC00, 0xD800, u'x'};
    const auto encoded = rtl::utf16_to_utf8(narrow, 16, {lone, 3});
    CHECK(std::string_view(narrow, encoded.written) == "\xEF\xBF\xBD\xEF\xBF\xBDx");
    CHECK_FALSE(encoded.all_well_formed);
}

TEST_CASE("every code point makes the round trip through UTF-8", "[utf8]") {
    for (char32_t code = 0; code < 0x110000; ++code) {
        if (code >= 0xD800 && code < 0xE000) continue;
        char16_t wide[2];
        const std::size_t length = code < 0x10000 ? 1 : 2;
        wide[0] = static_cast<char16_t>(length == 1 ? code : 0xD800 + ((code - 0x10000) >> 10));
        wide[1] = static_cast<char16_t>(0xDC00 + ((code - 0x10000) & 0x3FF));
        char bytes[4];
        char16_t again[2];
        const auto encoded = rtl::utf16_to_utf8(bytes, 4, {wide, length});
        const auto decoded = rtl::utf8_to_utf16(again, 2, {bytes, encoded.written});
        if (!encoded.all_well_formed || !decoded.all_well_formed || decoded.written != length || again[0] != wide[0] ||
            (length == 2 && again[1] != wide[1]))
            FAIL("U+" << std::hex << static_cast<unsigned>(code));
    }
}

TEST_CASE("GUIDs are written in lower case and read in either", "[guid]") {
    const GUID guid = {0x53F56307, 0xB6BF, 0x11D0, {0x94, 0xF2, 0x00, 0xA0, 0xC9, 0x1E, 0xFB, 0x8B}};
    char16_t text[rtl::guid_text_length];
    rtl::write_guid(guid, text);
    CHECK(std::u16string_view(text, rtl::guid_text_length) == u"{53f56307-b6bf-11d0-94f2-00a0c91efb8b}");
    const auto again = rtl::parse_guid(u"{53F56307-B6BF-11D0-94f2-00a0C91eFB8b}");
    REQUIRE(again.has_value());
    CHECK(std::memcmp(&*again, &guid, sizeof(guid)) == 0);
}

TEST_CASE("what is no GUID is refused", "[guid]") {
    const std::u16string good = u"{53f56307-b6bf-11d0-94f2-00a0c91efb8b}";
    REQUIRE(rtl::parse_guid(good).has_value());
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] = u'g';
        INFO(i);
        CHECK_FALSE(rtl::parse_guid(bad).has_value());
    }
    CHECK_FALSE(rtl::parse_guid(good.substr(0, 37)).has_value());
    CHECK_FALSE(rtl::parse_guid(good + u" ").has_value());
    CHECK_FALSE(rtl::parse_guid(u"").has_value());
}
