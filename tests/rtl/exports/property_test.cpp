// Strings, conversions and bitmaps against models of the standard library, step after step.
#include "support/random.hpp"
#include "catch.hpp"
#include "test_pool.hpp"

#include <ntifs.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

using dirql::test::property_steps;
using dirql::test::Random;
using dirql::test::TestPool;

namespace {

const std::u16string letters = {u'a', u'B', u'z', u'é', u'É', u'Ж', u'ж', u'_', u'\0'};

// A counted string of the driver's with room for 24 characters, and what it must hold.
struct Counted {
    WCHAR room[24] = {};
    UNICODE_STRING string{0, sizeof(room), room};
    std::u16string model;

    void check() const {
        REQUIRE(string.Length == model.size() * 2);
        REQUIRE(std::u16string_view(string.Buffer, string.Length / 2) == model);
    }
};

UNICODE_STRING counted(std::u16string& text) {
    return {static_cast<USHORT>(text.size() * 2), static_cast<USHORT>(text.size() * 2), text.data()};
}

std::u16string raised(std::u16string text) {
    for (char16_t& c : text) c = RtlUpcaseUnicodeChar(c);
    return text;
}

int sign(LONG value) { return (value > 0) - (value < 0); }

} // namespace

TEST_CASE("counted strings behave as std::u16string with an end", "[property]") {
    TestPool pool;
    Random random(20);
    Counted target;
    constexpr std::size_t room = 24;
    for (int step = 0; step < property_steps; ++step) {
        std::u16string text = random.text(10, letters);
        UNICODE_STRING source = counted(text);
        switch (random.below(6)) {
        case 0:
            RtlCopyUnicodeString(&target.string, &source);
            target.model = text.substr(0, room);
            break;
        case 1: {
            const bool fits = target.model.size() + text.size() <= room;
            REQUIRE(RtlAppendUnicodeStringToString(&target.string, &source) ==
                    (fits ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL));
            if (fits) target.model += text;
            break;
        }
        case 2: {
            const std::u16string terminated = text.c_str();
            const bool fits = target.model.size() + terminated.size() <= room;
            REQUIRE(RtlAppendUnicodeToString(&target.string, text.c_str()) ==
                    (fits ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL));
            if (fits) target.model += terminated;
            break;
        }
        case 3:
            REQUIRE(RtlUpcaseUnicodeString(&target.string, &source, FALSE) == STATUS_SUCCESS);
            target.model = raised(text);
            break;
        case 4: {
            UNICODE_STRING copy{};
            REQUIRE(RtlDuplicateUnicodeString(RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING |
                                                  RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE,
                                              &source, &copy) == STATUS_SUCCESS);
            REQUIRE(RtlEqualUnicodeString(&copy, &source, FALSE));
            REQUIRE(copy.Buffer[text.size()] == 0);
            RtlFreeUnicodeString(&copy);
            break;
        }
        default: {
            const auto compared = target.model.compare(text);
            REQUIRE(sign(RtlCompareUnicodeString(&target.string, &source, FALSE)) == sign(compared));
            REQUIRE(sign(RtlCompareUnicodeString(&target.string, &source, TRUE)) ==
                    sign(raised(target.model).compare(raised(text))));
            REQUIRE(RtlEqualUnicodeString(&target.string, &source, TRUE) == (raised(target.model) == raised(text)));
            REQUIRE(RtlPrefixUnicodeString(&source, &target.string, FALSE) == target.model.starts_with(text));
            REQUIRE(RtlSuffixUnicodeString(&source, &target.string, TRUE) ==
                    raised(target.model).ends_with(raised(text)));
            ULONG left = 0, right = 0;
            RtlHashUnicodeString(&source, TRUE, HASH_STRING_ALGORITHM_X65599, &left);
            std::u16string upper = raised(text);
            UNICODE_STRING upper_string = counted(upper);
            RtlHashUnicodeString(&upper_string, FALSE, HASH_STRING_ALGORITHM_X65599, &right);
            REQUIRE(left == right);
        }
        }
        target.check();
        REQUIRE(pool.live == 0);
    }
}

TEST_CASE("numbers come back from their text in every base", "[property]") {
    Random random(21);
    WCHAR room[70];
    UNICODE_STRING string{0, sizeof(room), room};
    for (int step = 0; step < property_steps; ++step) {
        const ULONGLONG value = random.next() >> random.below(64);
        const ULONG bases[] = {2, 8, 10, 16}, base = bases[random.below(4)];
        REQUIRE(RtlInt64ToUnicodeString(value, base, &string) == STATUS_SUCCESS);
        std::string narrow(string.Buffer, string.Buffer + string.Length / 2);
        REQUIRE(std::stoull(narrow, nullptr, static_cast<int>(base)) == value);
        LONG64 wide = 0;
        PWSTR end = nullptr;
        REQUIRE(RtlUnicodeStringToInt64(&string, base, &wide, &end) == STATUS_SUCCESS);
        REQUIRE(static_cast<ULONGLONG>(wide) == value);
        REQUIRE(end == string.Buffer + string.Length / 2);
        REQUIRE(RtlIntegerToUnicodeString(static_cast<ULONG>(value), base, &string) == STATUS_SUCCESS);
        ULONG back = 0;
        REQUIRE(RtlUnicodeStringToInteger(&string, base, &back) == STATUS_SUCCESS);
        REQUIRE(back == static_cast<ULONG>(value));
        narrow.assign(string.Buffer, string.Buffer + string.Length / 2);
        REQUIRE(RtlCharToInteger(narrow.c_str(), base, &back) == STATUS_SUCCESS);
        REQUIRE(back == static_cast<ULONG>(value));
    }
}

TEST_CASE("text comes back from UTF-8, the ANSI page and the OEM page", "[property]") {
    TestPool pool;
    Random random(22);
    for (int step = 0; step < property_steps; ++step) {
        std::u16string text;
        for (std::size_t i = random.below(20); i > 0; --i) {
            const auto code = static_cast<char32_t>(random.below(random.chance(3) ? 0x110000 : 0x180));
            if (code >= 0xD800 && code < 0xE000) continue;
            if (code >= 0x10000) {
                text += static_cast<char16_t>(0xD7C0 + (code >> 10));
                text += static_cast<char16_t>(0xDC00 + (code & 0x3FF));
            } else {
                text += static_cast<char16_t>(code);
            }
        }
        UNICODE_STRING source = counted(text), back{};
        UTF8_STRING bytes{};
        REQUIRE(RtlUnicodeStringToUTF8String(&bytes, &source, TRUE) == STATUS_SUCCESS);
        REQUIRE(RtlUTF8StringToUnicodeString(&back, &bytes, TRUE) == STATUS_SUCCESS);
        REQUIRE(RtlEqualUnicodeString(&source, &back, FALSE));
        RtlFreeUTF8String(&bytes);
        RtlFreeUnicodeString(&back);

        std::string narrow = random.text<char>(12, std::string("aZ\x80\x83\xB5\xE9\xFF?"));
        ANSI_STRING ansi{static_cast<USHORT>(narrow.size()), static_cast<USHORT>(narrow.size()), narrow.data()},
            again{};
        REQUIRE(RtlAnsiStringToUnicodeString(&back, &ansi, TRUE) == STATUS_SUCCESS);
        REQUIRE(RtlUnicodeStringToAnsiString(&again, &back, TRUE) == STATUS_SUCCESS);
        REQUIRE(std::string_view(again.Buffer, again.Length) == narrow);
        RtlFreeAnsiString(&again);
        RtlFreeUnicodeString(&back);
        REQUIRE(RtlOemStringToUnicodeString(&back, &ansi, TRUE) == STATUS_SUCCESS);
        REQUIRE(RtlUnicodeStringToOemString(&again, &back, TRUE) == STATUS_SUCCESS);
        REQUIRE(std::string_view(again.Buffer, again.Length) == narrow);
        RtlFreeOemString(&again);
        RtlFreeUnicodeString(&back);
        REQUIRE(pool.live == 0);
    }
}

namespace {

struct Bits {
    explicit Bits(ULONG size) : words((size + 31) / 32, 0x5A5A5A5A), model(size) {
        RtlInitializeBitMap(&map, words.data(), size);
        RtlClearAllBits(&map);
    }

    ULONG size() const { return static_cast<ULONG>(model.size()); }
    ULONG count(ULONG from, ULONG length, bool value) const {
        const auto begin = model.begin() + static_cast<long>(std::min(from, size()));
        const auto end = begin + static_cast<long>(std::min(length, size() - std::min(from, size())));
        return static_cast<ULONG>(std::count(begin, end, value));
    }
    void check() {
        for (ULONG i = 0; i < size(); ++i) REQUIRE((RtlTestBit(&map, i) != 0) == model[i]);
    }

    std::vector<ULONG> words;
    std::vector<bool> model;
    RTL_BITMAP map{};
};

} // namespace

TEST_CASE("bitmaps agree with std::vector<bool>", "[property]") {
    Random random(23);
    Bits bits(117), other(70);
    for (int step = 0; step < property_steps; ++step) {
        Bits& chosen = random.chance(3) ? other : bits;
        const auto start = static_cast<ULONG>(random.below(chosen.size()));
        const auto length = static_cast<ULONG>(random.below(chosen.size() - start) + 1);
        switch (random.below(6)) {
        case 0:
        case 1: {
            const bool value = random.chance(2);
            value ? RtlSetBits(&chosen.map, start, length) : RtlClearBits(&chosen.map, start, length);
            std::fill_n(chosen.model.begin() + static_cast<long>(start), length, value);
            break;
        }
        case 2: {
            const bool value = random.chance(2);
            value ? RtlSetBit(&chosen.map, start) : RtlClearBit(&chosen.map, start);
            chosen.model[start] = value;
            break;
        }
        case 3: {
            RtlCopyBitMap(&other.map, &bits.map, start);
            for (ULONG i = 0; i < other.size() && start + i < bits.size(); ++i) bits.model[start + i] = other.model[i];
            break;
        }
        case 4: {
            RtlExtractBitMap(&bits.map, &other.map, start, length);
            for (ULONG i = 0; i < length && i < other.size() && start + i < bits.size(); ++i)
                other.model[i] = bits.model[start + i];
            break;
        }
        default: {
            const auto wanted = static_cast<ULONG>(random.below(6) + 1);
            const ULONG found = RtlFindClearBitsAndSet(&chosen.map, wanted, start);
            if (found == 0xFFFFFFFF) break;
            REQUIRE(chosen.count(found, wanted, false) == wanted);
            std::fill_n(chosen.model.begin() + static_cast<long>(found), wanted, true);
        }
        }
        REQUIRE(RtlNumberOfSetBits(&chosen.map) == chosen.count(0, chosen.size(), true));
        REQUIRE(RtlNumberOfClearBits(&chosen.map) == chosen.count(0, chosen.size(), false));
        REQUIRE(RtlNumberOfSetBitsInRange(&chosen.map, start, length) == chosen.count(start, length, true));
        REQUIRE(RtlNumberOfClearBitsInRange(&chosen.map, start, length) == chosen.count(start, length, false));
        REQUIRE(RtlAreBitsSet(&chosen.map, start, length) == (chosen.count(start, length, true) == length));
        REQUIRE(RtlAreBitsClear(&chosen.map, start, length) == (chosen.count(start, length, false) == length));
        if (step % 8 == 0) bits.check(), other.check();
    }
    CHECK(RtlNumberOfSetBitsInRange(&bits.map, 117, 5) == 0);
    RtlSetBits(&bits.map, 110, 7);
    RtlClearAllBits(&bits.map);
    CHECK(RtlNumberOfSetBits(&bits.map) == 0);
    RtlSetAllBits(&bits.map);
    CHECK(RtlNumberOfSetBits(&bits.map) == 117);
    CHECK(RtlNumberOfSetBitsInRange(&bits.map, 100, 0xFFFFFFFF) == 17);
    CHECK(RtlNumberOfSetBitsInRange(&bits.map, 3, 0) == 0);
}
