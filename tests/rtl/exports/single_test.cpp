// Exports that the other tests reach only through their neighbours: each by its own name.
#include "catch.hpp"
#include "test_pool.hpp"

#include <ntifs.h>

#include <cstdarg>
#include <cstring>
#include <string>

using dirql::test::TestPool;

namespace {

STRING counted(std::string& text) {
    const auto bytes = static_cast<USHORT>(text.size());
    return {bytes, bytes, text.data()};
}

std::string_view text_of(const STRING& string) { return {string.Buffer, string.Length}; }

} // namespace

TEST_CASE("strings of bytes are compared, and begin with one another", "[string]") {
    std::string a = "Echo";
    std::string b = "eCHO";
    std::string c = "Ec";
    std::string d = "Fa";
    STRING echo = counted(a);
    STRING other_case = counted(b);
    STRING beginning = counted(c);
    STRING later = counted(d);
    CHECK(RtlCompareString(&echo, &other_case, TRUE) == 0);
    CHECK(RtlCompareString(&echo, &other_case, FALSE) < 0); // 'E' < 'e'
    CHECK(RtlCompareString(&echo, &beginning, FALSE) > 0);  // the longer one
    CHECK(RtlCompareString(&beginning, &later, TRUE) < 0);
    CHECK(RtlEqualString(&echo, &other_case, TRUE));
    CHECK_FALSE(RtlEqualString(&echo, &other_case, FALSE));
    CHECK_FALSE(RtlEqualString(&echo, &beginning, TRUE));
    CHECK(RtlPrefixString(&beginning, &other_case, TRUE));
    CHECK_FALSE(RtlPrefixString(&beginning, &other_case, FALSE));
    CHECK_FALSE(RtlPrefixString(&echo, &beginning, TRUE));
    CHECK(RtlCompareUnicodeStrings(u"abc", 3, u"ABD", 3, TRUE) < 0);
    CHECK(RtlCompareUnicodeStrings(u"abc", 3, u"ABC", 3, TRUE) == 0);
    CHECK(RtlCompareUnicodeStrings(u"abc", 3, u"abc", 2, FALSE) > 0);
    CHECK(RtlUpperChar('q') == 'Q');
    CHECK(RtlUpperChar('\xE4') == '\xC4'); // of Windows-1252
    CHECK(RtlUpperChar('1') == '1');
    CHECK(RtlDowncaseUnicodeChar(u'Q') == u'q');
    CHECK(RtlDowncaseUnicodeChar(u'\u0416') == u'\u0436');
    CHECK(RtlDowncaseUnicodeChar(u'1') == u'1');
}

TEST_CASE("strings of bytes are described, and grow within their room", "[string]") {
    ANSI_STRING ansi{9, 9, nullptr};
    CHECK(RtlInitAnsiStringEx(&ansi, "Echo") == STATUS_SUCCESS);
    CHECK(ansi.Length == 4);
    CHECK(ansi.MaximumLength == 5);
    CHECK(RtlInitAnsiStringEx(&ansi, nullptr) == STATUS_SUCCESS);
    CHECK(ansi.Length == 0);
    CHECK(ansi.Buffer == nullptr);
    const std::string too_long(0x10000, 'x');
    CHECK(RtlInitAnsiStringEx(&ansi, too_long.c_str()) == STATUS_NAME_TOO_LONG);
    UTF8_STRING utf8{};
    RtlInitUTF8String(&utf8, "\xC3\xA4");
    CHECK(utf8.Length == 2);
    CHECK(utf8.MaximumLength == 3);
    CHECK(RtlInitUTF8StringEx(&utf8, too_long.c_str()) == STATUS_NAME_TOO_LONG);
    CHECK(RtlInitUTF8StringEx(&utf8, "ab") == STATUS_SUCCESS);
    CHECK(utf8.Length == 2);
    char room[6] = "ab";
    STRING destination{2, 5, room};
    CHECK(RtlAppendAsciizToString(&destination, "cde") == STATUS_SUCCESS);
    CHECK(text_of(destination) == "abcde");
    CHECK(RtlAppendAsciizToString(&destination, "f") == STATUS_BUFFER_TOO_SMALL);
    CHECK(text_of(destination) == "abcde");
    unsigned char ansi_text[] = "\xE4x";
    PUCHAR next = ansi_text;
    CHECK(RtlAnsiCharToUnicodeChar(&next) == u'\u00E4');
    CHECK(next == ansi_text + 1);
}

TEST_CASE("OEM text is code page 437", "[string]") {
    char16_t wide[4] = {};
    ULONG bytes = 0;
    CHECK(RtlOemToUnicodeN(wide, sizeof wide, &bytes, "\x84x", 2) == STATUS_SUCCESS);
    CHECK(bytes == 4);
    CHECK(wide[0] == u'\u00E4');
    char oem[4] = {};
    CHECK(RtlUnicodeToOemN(oem, sizeof oem, &bytes, u"\u00E4x", 4) == STATUS_SUCCESS);
    CHECK(bytes == 2);
    CHECK(oem[0] == '\x84');
    CHECK(RtlUpcaseUnicodeToOemN(oem, sizeof oem, &bytes, u"\u00E4x", 4) == STATUS_SUCCESS);
    CHECK(oem[0] == '\x8E');
    CHECK(oem[1] == 'X');
    WCHAR valid = u'\u00E4';
    WCHAR invalid = u'\u4E00';
    CHECK(RtlIsValidOemCharacter(&valid));
    CHECK_FALSE(RtlIsValidOemCharacter(&invalid));
}

TEST_CASE("OEM strings are made with and without a terminator", "[string]") {
    TestPool pool;
    std::u16string text = u"\u00E4b";
    const UNICODE_STRING source{4, 4, text.data()};
    OEM_STRING oem{};
    REQUIRE(RtlUnicodeStringToCountedOemString(&oem, &source, TRUE) == STATUS_SUCCESS);
    CHECK(text_of(oem) == "\x84"
                          "b");
    RtlFreeOemString(&oem);
    REQUIRE(RtlUpcaseUnicodeStringToOemString(&oem, &source, TRUE) == STATUS_SUCCESS);
    CHECK(text_of(oem) == "\x8E"
                          "B");
    CHECK(oem.Buffer[2] == '\0');
    RtlFreeOemString(&oem);
    REQUIRE(RtlUpcaseUnicodeStringToCountedOemString(&oem, &source, TRUE) == STATUS_SUCCESS);
    CHECK(text_of(oem) == "\x8E"
                          "B");
    UNICODE_STRING wide{};
    REQUIRE(RtlOemStringToCountedUnicodeString(&wide, &oem, TRUE) == STATUS_SUCCESS);
    CHECK(wide.Length == 4);
    CHECK(wide.Buffer[0] == u'\u00C4');
    RtlFreeUnicodeString(&wide);
    RtlFreeOemString(&oem);
}

TEST_CASE("runs of set bits are found from a hint on, and around", "[bitmap]") {
    ULONG bits[2] = {0x0000'0F00, 0x0000'00F0};
    RTL_BITMAP bitmap;
    RtlInitializeBitMap(&bitmap, bits, 64);
    CHECK(RtlFindSetBits(&bitmap, 4, 0) == 8);
    CHECK(RtlFindSetBits(&bitmap, 4, 16) == 36);
    CHECK(RtlFindSetBits(&bitmap, 4, 48) == 8);
    CHECK(RtlFindSetBits(&bitmap, 5, 0) == 0xFFFF'FFFF);
}

TEST_CASE("blocks of memory by the functions' own names", "[memory]") {
#undef RtlCopyMemory
#undef RtlMoveMemory
#undef RtlFillMemory
#undef RtlZeroMemory
    char from[] = "abcdef";
    char to[8] = {};
    RtlCopyMemory(to, from, 7);
    CHECK(std::string(to) == "abcdef");
    RtlMoveMemory(to + 1, to, 5);
    CHECK(std::string(to) == "aabcde");
    RtlFillMemory(to, 2, 'x');
    CHECK(std::string(to) == "xxbcde");
    RtlZeroMemory(to + 2, 6);
    CHECK(std::string(to) == "xx");
}
