#include "catch.hpp"
#include "test_pool.hpp"

#include <ntifs.h>

#include <cstring>
#include <string>

using dirql::test::TestPool;

TEST_CASE("ANSI becomes Unicode, terminated", "[convert]") {
    TestPool pool;
    char text[] = "caf\xE9 \x80";
    ANSI_STRING source{6, 6, text};
    UNICODE_STRING allocated{};
    CHECK(RtlAnsiStringToUnicodeSize(&source) == 14);
    CHECK(RtlAnsiStringToUnicodeString(&allocated, &source, TRUE) == STATUS_SUCCESS);
    CHECK(allocated.Length == 12);
    CHECK(allocated.MaximumLength == 14);
    CHECK(std::u16string_view(allocated.Buffer) == u"café €");
    RtlFreeUnicodeString(&allocated);
    CHECK(pool.live == 0);

    char16_t buffer[7];
    UNICODE_STRING exact{0, 14, buffer}, small{0, 12, buffer};
    CHECK(RtlAnsiStringToUnicodeString(&exact, &source, FALSE) == STATUS_SUCCESS);
    CHECK(exact.Length == 12);
    CHECK(RtlAnsiStringToUnicodeString(&small, &source, FALSE) == STATUS_BUFFER_OVERFLOW);
    CHECK(small.Length == 0);
    pool.fail = true;
    CHECK(RtlAnsiStringToUnicodeString(&allocated, &source, TRUE) == STATUS_NO_MEMORY);
}

TEST_CASE("a result beyond 65535 bytes is an invalid source", "[convert]") {
    TestPool pool;
    std::string text(32767, 'x');
    ANSI_STRING source{32767, 32767, text.data()};
    UNICODE_STRING destination{};
    CHECK(RtlAnsiStringToUnicodeString(&destination, &source, TRUE) == STATUS_INVALID_PARAMETER_2);
    source.Length = 32766;
    CHECK(RtlAnsiStringToUnicodeString(&destination, &source, TRUE) == STATUS_SUCCESS);
    CHECK(destination.MaximumLength == 65534);
    RtlFreeUnicodeString(&destination);
}

TEST_CASE("Unicode becomes ANSI, terminated, with '?' for what the page lacks", "[convert]") {
    TestPool pool;
    char16_t text[] = u"é€Ж";
    const UNICODE_STRING source{6, 6, text};
    ANSI_STRING allocated{};
    CHECK(RtlUnicodeStringToAnsiSize(&source) == 4);
    CHECK(RtlUnicodeStringToAnsiString(&allocated, &source, TRUE) == STATUS_SUCCESS);
    CHECK(std::string_view(allocated.Buffer) == "\xE9\x80?");
    CHECK(allocated.Length == 3);
    CHECK(allocated.MaximumLength == 4);
    RtlFreeAnsiString(&allocated);
    char buffer[4] = "###";
    ANSI_STRING small{0, 3, buffer};
    CHECK(RtlUnicodeStringToAnsiString(&small, &source, FALSE) == STATUS_BUFFER_OVERFLOW);
    CHECK(buffer[0] == '#');
    CHECK(pool.live == 0);
}

TEST_CASE("what the ANSI page lacks becomes what looks alike", "[convert]") {
    char narrow[12] = {};
    ULONG written = 0;
    const char16_t text[] = u"\u0100\u0113\u2212\u221E\uFF21\u2265\u300B\u0110\u03A9\u0416";
    CHECK(RtlUnicodeToMultiByteN(narrow, 12, &written, text, 20) == STATUS_SUCCESS);
    CHECK(std::string_view(narrow, written) == "Ae-8A=\xBB\xD0O?");
    CHECK(RtlUpcaseUnicodeToMultiByteN(narrow, 12, &written, u"\u0101\u0142z", 6) == STATUS_SUCCESS);
    CHECK(std::string_view(narrow, written) == "ALZ");
    char room[4];
    ANSI_STRING string{0, 4, room};
    char16_t source[] = u"\u0105b\u2044";
    const UNICODE_STRING wide{6, 6, source};
    CHECK(RtlUpcaseUnicodeStringToAnsiString(&string, &wide, FALSE) == STATUS_SUCCESS);
    CHECK(std::string_view(room) == "AB/");
}

TEST_CASE("counted buffers convert what fits", "[convert]") {
    char16_t wide[3] = u"##";
    ULONG written = 0;
    CHECK(RtlMultiByteToUnicodeN(wide, 5, &written, "a\x80z", 3) == STATUS_SUCCESS);
    CHECK(written == 4);
    CHECK(std::u16string_view(wide) == u"a€");
    char narrow[4] = "###";
    CHECK(RtlUnicodeToMultiByteN(narrow, 2, &written, u"x€z", 6) == STATUS_SUCCESS);
    CHECK(written == 2);
    CHECK(std::string_view(narrow) == "x\x80#");
    CHECK(RtlMultiByteToUnicodeSize(&written, "abc", 3) == STATUS_SUCCESS);
    CHECK(written == 6);
    CHECK(RtlUnicodeToMultiByteSize(&written, u"abc", 6) == STATUS_SUCCESS);
    CHECK(written == 3);
}

TEST_CASE("UTF-8 statuses are the documented ones", "[convert]") {
    char16_t wide[4];
    char narrow[8];
    ULONG written = 77;
    CHECK(RtlUTF8ToUnicodeN(wide, sizeof(wide), &written, "a€", 4) == STATUS_SUCCESS);
    CHECK(written == 4);
    CHECK(RtlUTF8ToUnicodeN(nullptr, 0, &written, "a€b", 5) == STATUS_SUCCESS);
    CHECK(written == 6);
    CHECK(RtlUTF8ToUnicodeN(wide, 2, &written, "a€", 4) == STATUS_BUFFER_TOO_SMALL);
    CHECK(written == 2);
    CHECK(RtlUTF8ToUnicodeN(wide, sizeof(wide), &written, "a\xFF", 2) == STATUS_SOME_NOT_MAPPED);
    CHECK(wide[1] == 0xFFFD);
    CHECK(RtlUTF8ToUnicodeN(nullptr, 0, nullptr, "a", 1) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUTF8ToUnicodeN(wide, 2, &written, nullptr, 1) == STATUS_INVALID_PARAMETER_4);
    CHECK(RtlUnicodeToUTF8N(narrow, sizeof(narrow), &written, u"é", 2) == STATUS_SUCCESS);
    CHECK(std::string_view(narrow, written) == "é");
    CHECK(RtlUnicodeToUTF8N(narrow, 1, &written, u"é", 2) == STATUS_BUFFER_TOO_SMALL);
    CHECK(RtlUnicodeToUTF8N(narrow, 1, &written, u"é", 1) == STATUS_INVALID_PARAMETER_5);
    CHECK(RtlUnicodeToUTF8N(narrow, 1, &written, nullptr, 2) == STATUS_INVALID_PARAMETER_4);
    CHECK(RtlUnicodeToUTF8N(nullptr, 0, nullptr, u"é", 2) == STATUS_INVALID_PARAMETER);
}

TEST_CASE("integers become strings in the documented bases", "[convert]") {
    char16_t buffer[12];
    UNICODE_STRING string{0, sizeof(buffer), buffer};
    const auto text = [&] { return std::u16string_view(buffer); };
    CHECK(RtlIntegerToUnicodeString(4294967295, 10, &string) == STATUS_SUCCESS);
    CHECK(text() == u"4294967295");
    CHECK(string.Length == 20);
    CHECK(RtlIntegerToUnicodeString(0, 0, &string) == STATUS_SUCCESS);
    CHECK(text() == u"0");
    CHECK(RtlIntegerToUnicodeString(0xBEEF, 16, &string) == STATUS_SUCCESS);
    CHECK(text() == u"BEEF");
    CHECK(RtlIntegerToUnicodeString(8, 8, &string) == STATUS_SUCCESS);
    CHECK(text() == u"10");
    CHECK(RtlIntegerToUnicodeString(5, 2, &string) == STATUS_SUCCESS);
    CHECK(text() == u"101");
    CHECK(RtlIntegerToUnicodeString(5, 7, &string) == STATUS_INVALID_PARAMETER);
    CHECK(RtlInt64ToUnicodeString(0x123456789A, 16, &string) == STATUS_SUCCESS);
    CHECK(text() == u"123456789A");
    CHECK(RtlInt64ToUnicodeString(UINT64_MAX, 10, &string) == STATUS_BUFFER_OVERFLOW);
    string.MaximumLength = 6;
    CHECK(RtlIntegerToUnicodeString(123, 10, &string) == STATUS_BUFFER_OVERFLOW); // no room for the terminator
    CHECK(RtlIntegerToUnicodeString(12, 10, &string) == STATUS_SUCCESS);
}

TEST_CASE("strings become integers", "[convert]") {
    ULONG value = 7;
    UNICODE_STRING string;
    RtlInitUnicodeString(&string, u"-0x10 and more");
    CHECK(RtlUnicodeStringToInteger(&string, 0, &value) == STATUS_SUCCESS);
    CHECK(value == 0xFFFFFFF0);
    CHECK(RtlUnicodeStringToInteger(&string, 3, &value) == STATUS_INVALID_PARAMETER);
    RtlInitUnicodeString(&string, u"");
    value = 7;
    CHECK(RtlUnicodeStringToInteger(&string, 10, &value) == STATUS_INVALID_PARAMETER);
    CHECK(value == 7);
    CHECK(RtlCharToInteger("077", 8, &value) == STATUS_SUCCESS);
    CHECK(value == 63);
    CHECK(RtlCharToInteger("1", 11, &value) == STATUS_INVALID_PARAMETER);
    LONG64 wide = 7;
    PWSTR end = nullptr;
    RtlInitUnicodeString(&string, u" -0x123456789A rest");
    CHECK(RtlUnicodeStringToInt64(&string, 0, &wide, &end) == STATUS_SUCCESS);
    CHECK(wide == -0x123456789A);
    CHECK(end == string.Buffer + 14);
    CHECK(RtlUnicodeStringToInt64(&string, 7, &wide, nullptr) == STATUS_INVALID_PARAMETER);
    string.Length = 0;
    CHECK(RtlUnicodeStringToInt64(&string, 0, &wide, nullptr) == STATUS_INVALID_PARAMETER);
    CHECK(wide == -0x123456789A);
}

TEST_CASE("GUIDs", "[convert]") {
    TestPool pool;
    const GUID guid = {0x53F56307, 0xB6BF, 0x11D0, {0x94, 0xF2, 0x00, 0xA0, 0xC9, 0x1E, 0xFB, 0x8B}};
    UNICODE_STRING string{};
    CHECK(RtlStringFromGUID(&guid, &string) == STATUS_SUCCESS);
    CHECK(string.Length == 76);
    CHECK(std::u16string_view(string.Buffer) == u"{53f56307-b6bf-11d0-94f2-00a0c91efb8b}");
    GUID again{};
    CHECK(RtlGUIDFromString(&string, &again) == STATUS_SUCCESS);
    CHECK(std::memcmp(&guid, &again, sizeof(GUID)) == 0);
    string.Length -= 2;
    CHECK(RtlGUIDFromString(&string, &again) == STATUS_INVALID_PARAMETER);
    RtlFreeUnicodeString(&string);
    pool.fail = true;
    CHECK(RtlStringFromGUID(&guid, &string) == STATUS_NO_MEMORY);
    CHECK(pool.live == 0);
}
