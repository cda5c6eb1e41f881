#include "catch.hpp"
#include "test_pool.hpp"

#include <ntifs.h>

#include <cstring>
#include <string>

using dirql::test::TestPool;

namespace {

UNICODE_STRING counted(std::u16string& text) {
    const auto bytes = static_cast<USHORT>(text.size() * 2);
    return {bytes, bytes, text.data()};
}

std::u16string_view text_of(const UNICODE_STRING& string) { return {string.Buffer, string.Length / 2u}; }

// A destination over a buffer filled with '#', so that writes behind the end show.
struct Room {
    char16_t buffer[16];
    UNICODE_STRING string;

    explicit Room(USHORT bytes, std::u16string_view text = u"") : string{0, bytes, buffer} {
        std::fill(std::begin(buffer), std::end(buffer), u'#');
        std::copy(text.begin(), text.end(), buffer);
        string.Length = static_cast<USHORT>(text.size() * 2);
    }
};

} // namespace

TEST_CASE("RtlInitUnicodeString describes terminated text", "[string]") {
    UNICODE_STRING string;
    const char16_t text[] = u"\\Device\\Echo";
    RtlInitUnicodeString(&string, text);
    CHECK(string.Buffer == text);
    CHECK(string.Length == 24);
    CHECK(string.MaximumLength == 26);
    RtlInitUnicodeString(&string, u"");
    CHECK(string.Length == 0);
    CHECK(string.MaximumLength == 2);
    RtlInitUnicodeString(&string, nullptr);
    CHECK(string.Buffer == nullptr);
    CHECK(string.Length == 0);
    CHECK(string.MaximumLength == 0);
}

TEST_CASE("text of more than 65532 bytes is cut by RtlInitUnicodeString and refused by the Ex form", "[string]") {
    UNICODE_STRING string{};
    std::u16string text(32766, u'x'); // 65532 bytes
    CHECK(RtlInitUnicodeStringEx(&string, text.c_str()) == STATUS_SUCCESS);
    CHECK(string.Length == 65532);
    CHECK(string.MaximumLength == 65534);
    text += u'x';
    UNICODE_STRING untouched{1, 2, nullptr};
    CHECK(RtlInitUnicodeStringEx(&untouched, text.c_str()) == STATUS_NAME_TOO_LONG);
    CHECK(untouched.Length == 1);
    RtlInitUnicodeString(&string, text.c_str());
    CHECK(string.Length == 65532);
    CHECK(string.MaximumLength == 65534);
}

TEST_CASE("narrow strings hold up to 65534 bytes", "[string]") {
    STRING string{};
    std::string text(65534, 'x');
    CHECK(RtlInitStringEx(&string, text.c_str()) == STATUS_SUCCESS);
    CHECK(string.Length == 65534);
    CHECK(string.MaximumLength == 65535);
    text += 'x';
    CHECK(RtlInitStringEx(&string, text.c_str()) == STATUS_NAME_TOO_LONG);
    string = {};
    RtlInitString(&string, text.c_str());
    CHECK(string.Buffer == text.data());
    CHECK(string.Length == 65534);
    CHECK(string.MaximumLength == 65535);
    RtlInitAnsiString(&string, nullptr);
    CHECK(string.MaximumLength == 0);
}

TEST_CASE("RtlCopyUnicodeString copies what fits and terminates only with room", "[string]") {
    std::u16string text = u"abcdef";
    const UNICODE_STRING source = counted(text);
    Room exact(12), cut(6), roomy(16);
    RtlCopyUnicodeString(&exact.string, &source);
    CHECK(text_of(exact.string) == u"abcdef");
    CHECK(exact.buffer[6] == u'#');
    RtlCopyUnicodeString(&cut.string, &source);
    CHECK(text_of(cut.string) == u"abc");
    CHECK(cut.buffer[3] == u'#');
    RtlCopyUnicodeString(&roomy.string, &source);
    CHECK(roomy.buffer[6] == 0);
    CHECK(roomy.buffer[7] == u'#');
    CHECK(roomy.string.MaximumLength == 16);
    RtlCopyUnicodeString(&roomy.string, nullptr);
    CHECK(roomy.string.Length == 0);
}

TEST_CASE("appending fits whole or not at all", "[string]") {
    Room room(10, u"ab");
    CHECK(RtlAppendUnicodeToString(&room.string, u"cd") == STATUS_SUCCESS);
    CHECK(text_of(room.string) == u"abcd");
    CHECK(room.buffer[4] == 0);
    CHECK(RtlAppendUnicodeToString(&room.string, u"ef") == STATUS_BUFFER_TOO_SMALL);
    CHECK(text_of(room.string) == u"abcd");
    CHECK(RtlAppendUnicodeToString(&room.string, u"e") == STATUS_SUCCESS);
    CHECK(room.buffer[5] == u'#'); // full: no terminator
    CHECK(RtlAppendUnicodeToString(&room.string, nullptr) == STATUS_SUCCESS);
    CHECK(RtlAppendUnicodeToString(&room.string, u"") == STATUS_SUCCESS);
    std::u16string more = u"x";
    const UNICODE_STRING source = counted(more), empty{0, 0, nullptr};
    CHECK(RtlAppendUnicodeStringToString(&room.string, &source) == STATUS_BUFFER_TOO_SMALL);
    CHECK(RtlAppendUnicodeStringToString(&room.string, &empty) == STATUS_SUCCESS);
    CHECK(text_of(room.string) == u"abcde");
}

TEST_CASE("narrow strings are copied and appended without terminators", "[string]") {
    char buffer[8] = "#######", text[] = "abcd";
    STRING destination{0, 6, buffer}, source{4, 4, text};
    RtlCopyString(&destination, &source);
    CHECK(std::string_view(buffer, 7) == "abcd###");
    CHECK(RtlAppendStringToString(&destination, &source) == STATUS_BUFFER_TOO_SMALL);
    source.Length = 2;
    CHECK(RtlAppendStringToString(&destination, &source) == STATUS_SUCCESS);
    CHECK(std::string_view(buffer, 7) == "abcdab#");
    RtlUpperString(&destination, &source);
    CHECK(std::string_view(buffer, destination.Length) == "AB");
    RtlCopyString(&destination, nullptr);
    CHECK(destination.Length == 0);
}

TEST_CASE("comparison, prefix and hash", "[string]") {
    UNICODE_STRING upper, lower, prefix;
    RtlInitUnicodeString(&upper, u"\\DEVICE\\Écho");
    RtlInitUnicodeString(&lower, u"\\device\\écho");
    RtlInitUnicodeString(&prefix, u"\\Device");
    CHECK(RtlEqualUnicodeString(&upper, &lower, TRUE));
    CHECK_FALSE(RtlEqualUnicodeString(&upper, &lower, FALSE));
    CHECK(RtlCompareUnicodeString(&upper, &lower, FALSE) < 0);
    CHECK(RtlCompareUnicodeString(&upper, &lower, TRUE) == 0);
    CHECK(RtlPrefixUnicodeString(&prefix, &upper, TRUE));
    CHECK_FALSE(RtlPrefixUnicodeString(&prefix, &upper, FALSE));
    CHECK_FALSE(RtlPrefixUnicodeString(&upper, &prefix, TRUE));
    ULONG first = 0, second = 1;
    CHECK(RtlHashUnicodeString(&upper, TRUE, HASH_STRING_ALGORITHM_DEFAULT, &first) == STATUS_SUCCESS);
    CHECK(RtlHashUnicodeString(&lower, TRUE, HASH_STRING_ALGORITHM_X65599, &second) == STATUS_SUCCESS);
    CHECK(first == second);
    CHECK(RtlHashUnicodeString(&lower, TRUE, 2, &second) == STATUS_INVALID_PARAMETER);
    CHECK(RtlHashUnicodeString(nullptr, TRUE, 0, &second) == STATUS_INVALID_PARAMETER);
    CHECK(RtlHashUnicodeString(&lower, TRUE, 0, nullptr) == STATUS_INVALID_PARAMETER);
}

TEST_CASE("upcasing into a buffer, in place and into pool", "[string]") {
    TestPool pool;
    std::u16string text = u"écho";
    UNICODE_STRING source = counted(text);
    Room small(6);
    CHECK(RtlUpcaseUnicodeString(&small.string, &source, FALSE) == STATUS_BUFFER_OVERFLOW);
    CHECK(small.string.Length == 0);
    CHECK(small.buffer[0] == u'#');
    UNICODE_STRING allocated{};
    CHECK(RtlUpcaseUnicodeString(&allocated, &source, TRUE) == STATUS_SUCCESS);
    CHECK(text_of(allocated) == u"ÉCHO");
    CHECK(pool.live == 1);
    CHECK(pool.last_type == PagedPool);
    RtlFreeUnicodeString(&allocated);
    CHECK(pool.live == 0);
    CHECK(allocated.Buffer == nullptr);
    CHECK(allocated.Length + allocated.MaximumLength == 0);
    RtlFreeUnicodeString(&allocated); // nothing to free
    CHECK(RtlUpcaseUnicodeString(&source, &source, FALSE) == STATUS_SUCCESS);
    CHECK(text == u"ÉCHO");
    pool.fail = true;
    CHECK(RtlDowncaseUnicodeString(&allocated, &source, TRUE) == STATUS_NO_MEMORY);
    CHECK(allocated.Buffer == nullptr);
}

TEST_CASE("copies in pool", "[string]") {
    TestPool pool;
    UNICODE_STRING created{}, duplicate{};
    REQUIRE(RtlCreateUnicodeString(&created, u"text"));
    CHECK(created.Length == 8);
    CHECK(created.MaximumLength == 10);
    CHECK(std::u16string_view(created.Buffer) == u"text");
    CHECK(RtlDuplicateUnicodeString(0, &created, &duplicate) == STATUS_SUCCESS);
    CHECK(duplicate.MaximumLength == 8);
    RtlFreeUnicodeString(&duplicate);
    CHECK(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE, &created, &duplicate) ==
          STATUS_SUCCESS);
    CHECK(std::u16string_view(duplicate.Buffer) == u"text");
    RtlFreeUnicodeString(&duplicate);
    CHECK(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING, &created, &duplicate) ==
          STATUS_INVALID_PARAMETER);
    const UNICODE_STRING empty{0, 0, nullptr};
    CHECK(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE, &empty, &duplicate) == STATUS_SUCCESS);
    CHECK(duplicate.Buffer == nullptr);
    CHECK(RtlDuplicateUnicodeString(3, &empty, &duplicate) == STATUS_SUCCESS);
    CHECK(duplicate.MaximumLength == 2);
    CHECK(duplicate.Buffer[0] == 0);
    RtlFreeUnicodeString(&duplicate);
    RtlFreeUnicodeString(&created);
    CHECK(pool.live == 0);
    pool.fail = true;
    CHECK_FALSE(RtlCreateUnicodeString(&created, u"text"));
}

TEST_CASE("RtlValidateUnicodeString", "[string]") {
    char16_t buffer[4];
    const auto valid = [](UNICODE_STRING string) { return RtlValidateUnicodeString(0, &string) == STATUS_SUCCESS; };
    CHECK(valid({4, 8, buffer}));
    CHECK(valid({0, 0, nullptr}));
    CHECK_FALSE(valid({3, 8, buffer}));
    CHECK_FALSE(valid({4, 7, buffer}));
    CHECK_FALSE(valid({10, 8, buffer}));
    CHECK_FALSE(valid({0, 8, nullptr}));
    CHECK(RtlValidateUnicodeString(0, nullptr) == STATUS_SUCCESS);
    CHECK(RtlValidateUnicodeString(1, nullptr) == STATUS_INVALID_PARAMETER);
}
