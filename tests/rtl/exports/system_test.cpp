#include "catch.hpp"

#include <ntifs.h>

#include <cstring>

TEST_CASE("RtlGetVersion fills the structure whose size it is told", "[version]") {
    RTL_OSVERSIONINFOEXW information;
    std::memset(&information, 0xEE, sizeof(information));
    information.dwOSVersionInfoSize = sizeof(RTL_OSVERSIONINFOW);
    CHECK(RtlGetVersion(reinterpret_cast<PRTL_OSVERSIONINFOW>(&information)) == STATUS_SUCCESS);
    CHECK(information.dwMajorVersion == 10);
    CHECK(information.dwMinorVersion == 0);
    CHECK(information.dwPlatformId == VER_PLATFORM_WIN32_NT);
    CHECK(information.szCSDVersion[0] == 0);
    CHECK(information.wProductType == 0xEE); // behind the short structure
    information.dwOSVersionInfoSize = sizeof(information);
    RtlGetVersion(reinterpret_cast<PRTL_OSVERSIONINFOW>(&information));
    CHECK(information.wProductType == VER_NT_WORKSTATION);
    CHECK(information.wServicePackMajor == 0);
}

namespace {

NTSTATUS verify(ULONG major, ULONG minor, USHORT service_pack, UCHAR condition) {
    RTL_OSVERSIONINFOEXW wanted{};
    wanted.dwOSVersionInfoSize = sizeof(wanted);
    wanted.dwMajorVersion = major;
    wanted.dwMinorVersion = minor;
    wanted.wServicePackMajor = service_pack;
    constexpr ULONG members = VER_MAJORVERSION | VER_MINORVERSION | VER_SERVICEPACKMAJOR;
    ULONGLONG conditions = 0;
    for (const ULONG member : {VER_MAJORVERSION, VER_MINORVERSION, VER_SERVICEPACKMAJOR})
        VER_SET_CONDITION(conditions, member, condition);
    return RtlVerifyVersionInfo(&wanted, members, conditions);
}

} // namespace

// The examples of the document: a higher member decides alone.
TEST_CASE("RtlVerifyVersionInfo compares the version as one number", "[version]") {
    CHECK(verify(5, 1, 1, VER_GREATER_EQUAL) == STATUS_SUCCESS);
    CHECK(verify(10, 0, 0, VER_GREATER_EQUAL) == STATUS_SUCCESS);
    CHECK(verify(10, 0, 1, VER_GREATER_EQUAL) == STATUS_REVISION_MISMATCH);
    CHECK(verify(10, 1, 0, VER_GREATER_EQUAL) == STATUS_REVISION_MISMATCH);
    CHECK(verify(11, 0, 0, VER_GREATER_EQUAL) == STATUS_REVISION_MISMATCH);
    CHECK(verify(10, 0, 0, VER_EQUAL) == STATUS_SUCCESS);
    CHECK(verify(10, 0, 0, VER_GREATER) == STATUS_REVISION_MISMATCH);
    CHECK(verify(6, 3, 9, VER_GREATER) == STATUS_SUCCESS);
    CHECK(verify(6, 3, 9, VER_EQUAL) == STATUS_REVISION_MISMATCH);
    CHECK(verify(11, 0, 0, VER_LESS) == STATUS_SUCCESS);
    CHECK(verify(10, 0, 0, VER_LESS) == STATUS_REVISION_MISMATCH);
    CHECK(verify(10, 0, 0, VER_LESS_EQUAL) == STATUS_SUCCESS);
    CHECK(verify(9, 9, 9, VER_LESS_EQUAL) == STATUS_REVISION_MISMATCH);
}

TEST_CASE("RtlVerifyVersionInfo checks its other members and its masks", "[version]") {
    RTL_OSVERSIONINFOEXW wanted{};
    wanted.wProductType = VER_NT_SERVER;
    wanted.dwBuildNumber = 10240;
    ULONGLONG product = VerSetConditionMask(0, VER_PRODUCT_TYPE, VER_EQUAL);
    CHECK(RtlVerifyVersionInfo(&wanted, VER_PRODUCT_TYPE, product) == STATUS_REVISION_MISMATCH);
    wanted.wProductType = VER_NT_WORKSTATION;
    CHECK(RtlVerifyVersionInfo(&wanted, VER_PRODUCT_TYPE, product) == STATUS_SUCCESS);
    const ULONGLONG build = VerSetConditionMask(0, VER_BUILDNUMBER, VER_GREATER_EQUAL);
    CHECK(RtlVerifyVersionInfo(&wanted, VER_BUILDNUMBER, build) == STATUS_SUCCESS);
    CHECK(RtlVerifyVersionInfo(&wanted, 0, build) == STATUS_INVALID_PARAMETER);
    CHECK(RtlVerifyVersionInfo(&wanted, VER_BUILDNUMBER, 0) == STATUS_INVALID_PARAMETER);
    CHECK(RtlVerifyVersionInfo(&wanted, VER_BUILDNUMBER | VER_PRODUCT_TYPE, build) == STATUS_INVALID_PARAMETER);
    const ULONGLONG all = VerSetConditionMask(0, VER_SUITENAME, VER_AND),
                    any = VerSetConditionMask(0, VER_SUITENAME, VER_OR);
    wanted.wSuiteMask = 0x10 | 0x80; // terminal services and data centre
    CHECK(RtlVerifyVersionInfo(&wanted, VER_SUITENAME, all) == STATUS_REVISION_MISMATCH);
    CHECK(RtlVerifyVersionInfo(&wanted, VER_SUITENAME, any) == STATUS_SUCCESS);
}

TEST_CASE("DDI versions", "[version]") {
    CHECK(RtlIsNtDdiVersionAvailable(0x0A000000)); // Windows 10
    CHECK(RtlIsNtDdiVersionAvailable(0x06010000)); // Windows 7
    CHECK_FALSE(RtlIsNtDdiVersionAvailable(0x0B000000));
    CHECK_FALSE(RtlIsNtDdiVersionAvailable(0x06000100)); // a service pack
    CHECK(RtlIsServicePackVersionInstalled(0x0A000000));
    CHECK_FALSE(RtlIsServicePackVersionInstalled(0x06000100));
}

TEST_CASE("time fields", "[time]") {
    TIME_FIELDS fields{};
    LARGE_INTEGER time, again;
    time.QuadPart = 134'116'992'000'000'000 + 5'0000; // 1 January 2026 and 5 ms
    RtlTimeToTimeFields(&time, &fields);
    CHECK(fields.Year == 2026);
    CHECK(fields.Month == 1);
    CHECK(fields.Day == 1);
    CHECK(fields.Hour == 0);
    CHECK(fields.Milliseconds == 5);
    CHECK(fields.Weekday == 4);
    CHECK(RtlTimeFieldsToTime(&fields, &again));
    CHECK(again.QuadPart == time.QuadPart);
    fields.Month = 13;
    again.QuadPart = 77;
    CHECK_FALSE(RtlTimeFieldsToTime(&fields, &again));
    CHECK(again.QuadPart == 77);
    ULONG seconds = 0;
    CHECK(RtlTimeToSecondsSince1970(&time, &seconds));
    CHECK(seconds == 1767225600);
    RtlSecondsSince1970ToTime(seconds, &again);
    CHECK(again.QuadPart == 134'116'992'000'000'000);
    RtlSecondsSince1980ToTime(0, &again);
    CHECK(RtlTimeToSecondsSince1980(&again, &seconds));
    CHECK(seconds == 0);
    again.QuadPart -= 1;
    CHECK_FALSE(RtlTimeToSecondsSince1980(&again, &seconds));
}

TEST_CASE("bitmap runs", "[bitmap]") {
    ULONG words[2] = {0x0F00F0F0, 0x00000001};
    RTL_BITMAP map;
    RtlInitializeBitMap(&map, words, 40);
    RTL_BITMAP_RUN runs[3];
    CHECK(RtlFindClearRuns(&map, runs, 3, FALSE) == 3);
    CHECK((runs[0].StartingIndex == 0 && runs[0].NumberOfBits == 4));
    CHECK((runs[1].StartingIndex == 8 && runs[1].NumberOfBits == 4));
    CHECK((runs[2].StartingIndex == 16 && runs[2].NumberOfBits == 8));
    CHECK(RtlFindClearRuns(&map, runs, 3, TRUE) == 3);
    CHECK((runs[0].StartingIndex == 16 && runs[0].NumberOfBits == 8));
    CHECK((runs[1].StartingIndex == 33 && runs[1].NumberOfBits == 7));
    CHECK((runs[2].StartingIndex == 0 && runs[2].NumberOfBits == 4));
    ULONG start = 0;
    CHECK(RtlFindLongestRunClear(&map, &start) == 8);
    CHECK(start == 16);
    CHECK(RtlFindFirstRunClear(&map, &start) == 4);
    CHECK(start == 0);
    CHECK(RtlFindNextForwardRunClear(&map, 5, &start) == 4);
    CHECK(start == 8);
    CHECK(RtlFindLastBackwardRunClear(&map, 27, &start) == 8);
    CHECK(start == 16);
    CHECK(RtlFindLastBackwardRunClear(&map, 6, &start) == 4);
    CHECK(start == 0);
    CHECK(RtlFindClearBitsAndSet(&map, 8, 0) == 16);
    CHECK(RtlFindClearBits(&map, 8, 0) == 0xFFFFFFFF);
    CHECK(RtlAreBitsSet(&map, 12, 16));
    CHECK(RtlFindSetBitsAndClear(&map, 16, 0) == 12);
    CHECK(RtlNumberOfSetBits(&map) == 5);
}

TEST_CASE("bits of a word", "[bitmap]") {
    CHECK(RtlFindLeastSignificantBit(0) == -1);
    CHECK(RtlFindMostSignificantBit(0) == -1);
    CHECK(RtlFindLeastSignificantBit(0x8000000000000000) == 63);
    CHECK(RtlFindMostSignificantBit(0x8000000000000001) == 63);
    CHECK(RtlNumberOfSetBitsUlongPtr(0xF00F) == 8);
}

TEST_CASE("memory by pattern", "[memory]") {
    ULONG words[] = {7, 7, 7, 8};
    CHECK(RtlCompareMemoryUlong(words, 16, 7) == 12);
    CHECK(RtlCompareMemoryUlong(words, 8, 7) == 8);
    CHECK(RtlCompareMemoryUlong(words, 7, 7) == 0);
    CHECK(RtlCompareMemoryUlong(reinterpret_cast<char*>(words) + 1, 4, 7) == 0);
    CHECK(RtlCompareMemory("abcd", "abXd", 4) == 2);
}

TEST_CASE("filling with words, and looking for other than zero", "[memory]") {
    ULONGLONG words[3] = {};
    RtlFillMemoryUlong(words, 12, 0x01020304);
    CHECK(words[0] == 0x0102030401020304);
    CHECK(words[1] == 0x01020304);
    RtlFillMemoryUlong(words, 7, 5); // whole words only
    CHECK(words[0] == 0x0102030400000005);
    RtlFillMemoryUlonglong(words, 16, 0x1122334455667788);
    CHECK((words[0] == 0x1122334455667788 && words[1] == words[0] && words[2] == 0));
    CHECK(RtlIsZeroMemory(words + 2, 8));
    CHECK_FALSE(RtlIsZeroMemory(words + 1, 16));
    CHECK(RtlIsZeroMemory(words, 0));
    reinterpret_cast<char*>(words)[23] = 1;
    CHECK_FALSE(RtlIsZeroMemory(reinterpret_cast<char*>(words) + 17, 7));
}
