// ntstrsafe.h: what each function leaves in its target, and what it answers.
#include "catch.hpp"

#include <ntifs.h>
#include <ntstrsafe.h>

#include <cstring>
#include <string>

namespace {

// A target of eight characters with a mark behind its end.
template <class Char> struct Target {
    Char text[9];
    Char* end = nullptr;
    size_t remaining = 0;

    explicit Target(const char* before = "") {
        for (auto& character : text) character = '#';
        size_t length = 0;
        for (; before[length] != 0; ++length) text[length] = static_cast<Char>(before[length]);
        text[length] = 0;
    }

    std::string shown() const {
        std::string result;
        for (size_t i = 0; text[i] != 0; ++i) result += static_cast<char>(text[i]);
        return result;
    }

    bool mark_stands() const { return text[8] == '#'; }
};

} // namespace

TEST_CASE("copying fits, or is cut, terminated and answered with a warning") {
    Target<CHAR> target;
    REQUIRE(RtlStringCchCopyA(target.text, 8, "1234567") == STATUS_SUCCESS);
    REQUIRE(target.shown() == "1234567");
    REQUIRE(RtlStringCchCopyA(target.text, 8, "12345678") == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "1234567");
    REQUIRE(target.mark_stands());
    REQUIRE(RtlStringCchCopyA(target.text, 0, "") == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlStringCchCopyA(target.text, size_t{NTSTRSAFE_MAX_CCH} + 1, "") == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlStringCchCopyA(target.text, ~size_t{0}, "") == STATUS_INVALID_PARAMETER);
}

TEST_CASE("Cb functions count bytes and leave an odd one alone") {
    Target<WCHAR> target;
    REQUIRE(RtlStringCbCopyW(target.text, 7, u"abcd") == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "ab");
    REQUIRE(target.text[3] == '#');
    REQUIRE(RtlStringCbCopyW(target.text, 1, u"") == STATUS_INVALID_PARAMETER);
}

TEST_CASE("CopyN takes no more than it is told and no more than there is") {
    Target<CHAR> target;
    REQUIRE(RtlStringCchCopyNA(target.text, 8, "abcdef", 3) == STATUS_SUCCESS);
    REQUIRE(target.shown() == "abc");
    REQUIRE(RtlStringCchCopyNA(target.text, 8, "ab", 100) == STATUS_SUCCESS);
    REQUIRE(target.shown() == "ab");
    REQUIRE(RtlStringCchCopyNA(target.text, 4, "abcd", 4) == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "abc");
}

TEST_CASE("appending begins at the terminator, which must be there") {
    Target<WCHAR> target("abc");
    REQUIRE(RtlStringCchCatW(target.text, 8, u"defg") == STATUS_SUCCESS);
    REQUIRE(target.shown() == "abcdefg");
    REQUIRE(RtlStringCchCatW(target.text, 8, u"h") == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "abcdefg");
    REQUIRE(RtlStringCchCatW(target.text, 7, u"h") == STATUS_INVALID_PARAMETER);

    Target<CHAR> narrow("x");
    REQUIRE(RtlStringCbCatNA(narrow.text, 8, "yzyz", 2) == STATUS_SUCCESS);
    REQUIRE(narrow.shown() == "xyz");
}

TEST_CASE("Ex functions tell where the text ends and what room is left") {
    Target<WCHAR> target;
    REQUIRE(RtlStringCchCopyExW(target.text, 8, u"abc", &target.end, &target.remaining, 0) == STATUS_SUCCESS);
    REQUIRE(target.end == target.text + 3);
    REQUIRE(target.remaining == 5);
    REQUIRE(RtlStringCbCatExW(target.text, 16, u"de", &target.end, &target.remaining, 0) == STATUS_SUCCESS);
    REQUIRE(target.end == target.text + 5);
    REQUIRE(target.remaining == 6);
    REQUIRE(RtlStringCchCopyExW(target.text, 4, u"abcd", &target.end, &target.remaining, 0) == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.end == target.text + 3);
    REQUIRE(target.remaining == 1);
}

TEST_CASE("flags of the Ex functions") {
    Target<CHAR> target("before");

    SECTION("fill behind the terminator") {
        REQUIRE(RtlStringCchCopyExA(target.text, 8, "ab", nullptr, nullptr, STRSAFE_FILL_BYTE('z')) == STATUS_SUCCESS);
        REQUIRE(std::memcmp(target.text, "ab\0zzzzz#", 9) == 0);
    }
    SECTION("fill on failure") {
        REQUIRE(RtlStringCchCopyExA(target.text, 8, "123456789", nullptr, nullptr, STRSAFE_FAILURE_BYTE('q')) ==
                STATUS_BUFFER_OVERFLOW);
        REQUIRE(std::memcmp(target.text, "qqqqqqq\0#", 9) == 0);
    }
    SECTION("null on failure") {
        REQUIRE(RtlStringCchCopyExA(target.text, 8, "123456789", &target.end, &target.remaining,
                                    STRSAFE_NULL_ON_FAILURE) == STATUS_BUFFER_OVERFLOW);
        REQUIRE(target.shown().empty());
        REQUIRE(target.end == target.text);
        REQUIRE(target.remaining == 8);
    }
    SECTION("no truncation empties the target of a copy") {
        REQUIRE(RtlStringCchCopyExA(target.text, 8, "123456789", nullptr, nullptr, STRSAFE_NO_TRUNCATION) ==
                STATUS_BUFFER_OVERFLOW);
        REQUIRE(target.shown().empty());
    }
    SECTION("no truncation keeps what an append found") {
        REQUIRE(RtlStringCchCatExA(target.text, 8, "xyz", &target.end, nullptr, STRSAFE_NO_TRUNCATION) ==
                STATUS_BUFFER_OVERFLOW);
        REQUIRE(target.shown() == "before");
        REQUIRE(target.end == target.text + 6);
    }
    SECTION("null pointers are errors unless they are to be ignored") {
        REQUIRE(RtlStringCchCopyExA(target.text, 8, nullptr, nullptr, nullptr, 0) == STATUS_INVALID_PARAMETER);
        REQUIRE(RtlStringCchCopyExA(target.text, 8, nullptr, nullptr, nullptr, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS);
        REQUIRE(target.shown().empty());
        REQUIRE(RtlStringCchCopyExA(nullptr, 0, nullptr, nullptr, nullptr, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS);
        REQUIRE(RtlStringCchCopyExA(nullptr, 0, "a", nullptr, nullptr, STRSAFE_IGNORE_NULLS) ==
                STATUS_INVALID_PARAMETER);
        REQUIRE(RtlStringCchCopyExA(nullptr, 8, "", nullptr, nullptr, STRSAFE_IGNORE_NULLS) ==
                STATUS_INVALID_PARAMETER);
    }
    SECTION("unknown flags are an error: a copy leaves an empty text, an append what stood there") {
        REQUIRE(RtlStringCchCatExA(target.text, 8, "a", nullptr, nullptr, 0x80000000) == STATUS_INVALID_PARAMETER);
        REQUIRE(target.shown() == "before");
        REQUIRE(RtlStringCchCopyExA(target.text, 8, "a", nullptr, nullptr, 0x80000000) == STATUS_INVALID_PARAMETER);
        REQUIRE(target.shown().empty());
    }
}

TEST_CASE("measuring finds the terminator within the limit, or says no and zero") {
    size_t length = 99;
    REQUIRE(RtlStringCchLengthA("abc", 4, &length) == STATUS_SUCCESS);
    REQUIRE(length == 3);
    REQUIRE(RtlStringCbLengthW(u"abc", 8, &length) == STATUS_SUCCESS);
    REQUIRE(length == 6);
    REQUIRE(RtlStringCchLengthA("abc", 3, &length) == STATUS_INVALID_PARAMETER);
    REQUIRE(length == 0);
    REQUIRE(RtlStringCchLengthW(nullptr, 3, nullptr) == STATUS_INVALID_PARAMETER);
    REQUIRE(RtlStringCchLengthA("abc", size_t{NTSTRSAFE_MAX_CCH} + 1, nullptr) == STATUS_INVALID_PARAMETER);
}

TEST_CASE("formatting goes through the drivers' formatter and is cut like copies") {
    Target<CHAR> target;
    REQUIRE(RtlStringCchPrintfA(target.text, 8, "%I64d-%S", LONGLONG{12}, u"ab") == STATUS_SUCCESS);
    REQUIRE(target.shown() == "12-ab");
    REQUIRE(RtlStringCbPrintfA(target.text, 8, "%d", 1234567) == STATUS_SUCCESS);
    REQUIRE(target.shown() == "1234567");
    REQUIRE(RtlStringCbPrintfA(target.text, 8, "%d", 12345678) == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "1234567");
    REQUIRE(target.mark_stands());

    Target<WCHAR> wide;
    UNICODE_STRING name = RTL_CONSTANT_STRING(u"Echo");
    REQUIRE(RtlStringCchPrintfExW(wide.text, 8, &wide.end, &wide.remaining, 0, u"\\%wZ", &name) == STATUS_SUCCESS);
    REQUIRE(wide.shown() == "\\Echo");
    REQUIRE(wide.remaining == 3);
}

TEST_CASE("counted strings are filled to their last character and not terminated") {
    WCHAR room[4] = {u'.', u'.', u'.', u'.'};
    UNICODE_STRING target = {0, 6, room};
    REQUIRE(RtlUnicodeStringCopyString(&target, u"abc") == STATUS_SUCCESS);
    REQUIRE(target.Length == 6);
    REQUIRE(room[3] == u'.');
    REQUIRE(RtlUnicodeStringCopyString(&target, u"abcd") == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.Length == 6);
    REQUIRE(RtlUnicodeStringCchCopyStringN(&target, u"xyz", 1) == STATUS_SUCCESS);
    REQUIRE(target.Length == 2);

    UNICODE_STRING rest{};
    REQUIRE(RtlUnicodeStringCatStringEx(&target, u"y", &rest, 0) == STATUS_SUCCESS);
    REQUIRE(target.Length == 4);
    REQUIRE(rest.Buffer == room + 2);
    REQUIRE(rest.MaximumLength == 2);
    REQUIRE(RtlUnicodeStringCat(&target, &target) == STATUS_BUFFER_OVERFLOW);
    REQUIRE(RtlUnicodeStringPrintf(&target, u"%d", 123) == STATUS_SUCCESS);
    REQUIRE(target.Length == 6);
    REQUIRE(RtlUnicodeStringPrintf(&target, u"%d", 1234) == STATUS_BUFFER_OVERFLOW);

    target.Length = 5;
    REQUIRE(RtlUnicodeStringCopyString(&target, u"a") == STATUS_INVALID_PARAMETER);
}

TEST_CASE("a counted string is checked and made from a terminated one") {
    UNICODE_STRING string{};
    REQUIRE(RtlUnicodeStringInit(&string, u"abc") == STATUS_SUCCESS);
    REQUIRE(string.Length == 6);
    REQUIRE(string.MaximumLength == 8);
    REQUIRE(RtlUnicodeStringInit(&string, nullptr) == STATUS_SUCCESS);
    REQUIRE(string.Buffer == nullptr);
    REQUIRE(RtlUnicodeStringValidate(&string) == STATUS_SUCCESS);
    string.MaximumLength = 2;
    REQUIRE(RtlUnicodeStringValidate(&string) == STATUS_INVALID_PARAMETER);

    UNICODE_STRING source = RTL_CONSTANT_STRING(u"abcdef");
    Target<WCHAR> target;
    REQUIRE(RtlStringCchCopyUnicodeString(target.text, 8, &source) == STATUS_SUCCESS);
    REQUIRE(target.shown() == "abcdef");
    REQUIRE(RtlStringCbCopyUnicodeString(target.text, 6, &source) == STATUS_BUFFER_OVERFLOW);
    REQUIRE(target.shown() == "ab");
}
