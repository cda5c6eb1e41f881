#include "catch.hpp"
#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"

#include <cctype>

using namespace dirql;

TEST_CASE("case of ASCII is C's", "[case]") {
    for (int c = 0; c < 128; ++c) {
        CHECK(rtl::upcase(static_cast<char16_t>(c)) == std::toupper(c));
        CHECK(rtl::downcase(static_cast<char16_t>(c)) == std::tolower(c));
    }
}

TEST_CASE("letters of other scripts have their simple upper case", "[case]") {
    CHECK(rtl::upcase(u'é') == u'É');
    CHECK(rtl::upcase(u'ÿ') == u'Ÿ');
    CHECK(rtl::upcase(u'ā') == u'Ā');
    CHECK(rtl::upcase(u'ω') == u'Ω');
    CHECK(rtl::upcase(u'я') == u'Я');
    CHECK(rtl::upcase(u'ѓ') == u'Ѓ');
    CHECK(rtl::upcase(u'ֆ') == u'Ֆ');
    CHECK(rtl::upcase(u'ａ') == u'Ａ');
    CHECK(rtl::upcase(u'ⅷ') == u'Ⅷ');
    CHECK(rtl::downcase(u'Ÿ') == u'ÿ');
    CHECK(rtl::downcase(u'Ж') == u'ж');
}

TEST_CASE("units whose upper case does not lead back are their own", "[case]") {
    for (const char16_t unit : {u'ı', u'ſ', u'µ', u'ß', u'ǅ', u'İ', u'\x212A', u'÷', u'×', u'〇', u'ა'}) {
        INFO(std::hex << static_cast<int>(unit));
        CHECK(rtl::upcase(unit) == unit);
        CHECK(rtl::downcase(unit) == unit);
    }
    CHECK(rtl::upcase(u'ς') == u'Σ');
    CHECK(rtl::downcase(u'Σ') == u'σ');
}

TEST_CASE("case mapping is idempotent and its directions agree, for every unit", "[case]") {
    unsigned letters = 0;
    for (unsigned value = 0; value < 0x10000; ++value) {
        const auto unit = static_cast<char16_t>(value);
        const char16_t upper = rtl::upcase(unit), lower = rtl::downcase(unit);
        if (rtl::upcase(upper) != upper || rtl::downcase(lower) != lower) FAIL("not idempotent: " << value);
        if (upper != unit && unit != u'ς' && rtl::downcase(upper) != unit) FAIL("no way back: " << value);
        if (lower != unit && rtl::upcase(lower) != unit) FAIL("no way back: " << value);
        letters += upper != unit;
    }
    CHECK(letters == 26 + 1005 + 1);
}

TEST_CASE("Windows-1252 maps its upper half and back", "[codepage]") {
    using enum rtl::CodePage;
    CHECK(rtl::to_unicode(ansi, '\x80') == u'€');
    CHECK(rtl::to_unicode(ansi, '\x99') == u'™');
    CHECK(rtl::to_unicode(ansi, '\xE9') == u'é');
    CHECK(rtl::to_unicode(ansi, '\x81') == 0x81); // unassigned bytes are control characters
    CHECK(rtl::to_unicode(oem, '\x82') == u'é');
    CHECK(rtl::to_unicode(oem, '\xDB') == u'█');
    CHECK(rtl::from_unicode(ansi, u'Ā') == 'A'); // best fit
    CHECK(rtl::from_unicode(ansi, u'Ж') == '?');
}

TEST_CASE("every byte survives the way to Unicode and back", "[codepage]") {
    for (const auto page : {rtl::CodePage::ansi, rtl::CodePage::oem})
        for (int value = 0; value < 256; ++value) {
            const char byte = static_cast<char>(value);
            CHECK(rtl::from_unicode(page, rtl::to_unicode(page, byte)) == byte);
        }
}

TEST_CASE("bytes have the upper case that their page can say", "[codepage]") {
    using enum rtl::CodePage;
    CHECK(rtl::upcase(ansi, 'q') == 'Q');
    CHECK(rtl::upcase(ansi, '\xE9') == '\xC9'); // é
    CHECK(rtl::upcase(ansi, '\xFF') == '\x9F'); // ÿ
    CHECK(rtl::upcase(oem, '\x82') == '\x90');  // é
    CHECK(rtl::upcase(oem, '\x85') == '\x85');  // à: the page has no À
    CHECK(rtl::upcase(ansi, '?') == '?');
}
