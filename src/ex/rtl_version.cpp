// What system this is: Windows 11, version 22H2, workstation.
#include "ke/exports/rtl.hpp"
#include "rtl/memory.hpp"

#include <ntifs.h>

#include <bit>

using namespace dirql;

namespace {

constexpr ULONG major = 10, minor = 0, build = 22621;
constexpr ULONG ddi_version = 0x0A000000; // NTDDI_WIN10
constexpr ULONG condition_bits = 3, condition_mask = 7;
constexpr USHORT suites = 0x10 | 0x100; // VER_SUITE_TERMINAL, VER_SUITE_SINGLEUSERTS

// A condition holds, is broken, or leaves the decision to the next lower member of the version.
enum class Verdict { holds, broken, equal };

Verdict compare(ULONG current, ULONG wanted, ULONG condition) {
    const bool greater = condition == VER_GREATER || condition == VER_GREATER_EQUAL;
    const bool less = condition == VER_LESS || condition == VER_LESS_EQUAL;
    if (current == wanted) return condition == VER_GREATER || condition == VER_LESS ? Verdict::broken : Verdict::equal;
    return (current > wanted && greater) || (current < wanted && less) ? Verdict::holds : Verdict::broken;
}

// Three bits of the mask for each member, in the order of the members' VER_ bits.
ULONG condition_of(ULONGLONG mask, ULONG member) {
    return static_cast<ULONG>(mask >> (condition_bits * static_cast<unsigned>(std::countr_zero(member)))) &
           condition_mask;
}

struct Member {
    ULONG bit;
    ULONG current, wanted;
};

// Major, minor and service pack are one number of four digits: a lower digit counts only where the higher are equal, and
// the condition of the highest digit asked for rules them all.
bool version_holds(const RTL_OSVERSIONINFOEXW& wanted, ULONG type_mask, ULONGLONG conditions) {
    const Member digits[] = {{VER_MAJORVERSION, major, wanted.dwMajorVersion},
                             {VER_MINORVERSION, minor, wanted.dwMinorVersion},
                             {VER_SERVICEPACKMAJOR, 0, wanted.wServicePackMajor},
                             {VER_SERVICEPACKMINOR, 0, wanted.wServicePackMinor}};
    ULONG condition = 0;
    for (const Member& digit : digits) {
        if ((type_mask & digit.bit) == 0) continue;
        if (condition == 0) condition = condition_of(conditions, digit.bit);
        if (digit.current != digit.wanted) return compare(digit.current, digit.wanted, condition) == Verdict::holds;
    }
    return condition == 0 || compare(0, 0, condition) == Verdict::equal;
}

bool suites_hold(ULONG wanted, ULONG condition) {
    return condition == VER_AND ? (wanted & ~ULONG{suites}) == 0 : (wanted & suites) != 0;
}

bool others_hold(const RTL_OSVERSIONINFOEXW& wanted, ULONG type_mask, ULONGLONG conditions) {
    const Member members[] = {{VER_BUILDNUMBER, build, wanted.dwBuildNumber},
                              {VER_PLATFORMID, VER_PLATFORM_WIN32_NT, wanted.dwPlatformId},
                              {VER_PRODUCT_TYPE, VER_NT_WORKSTATION, wanted.wProductType}};
    for (const Member& member : members)
        if ((type_mask & member.bit) != 0 &&
            compare(member.current, member.wanted, condition_of(conditions, member.bit)) == Verdict::broken)
            return false;
    return (type_mask & VER_SUITENAME) == 0 || suites_hold(wanted.wSuiteMask, condition_of(conditions, VER_SUITENAME));
}

bool conditions_complete(ULONG type_mask, ULONGLONG conditions) {
    for (ULONG bit = VER_MINORVERSION; bit <= VER_PRODUCT_TYPE; bit <<= 1)
        if ((type_mask & bit) != 0 && condition_of(conditions, bit) == 0) return false;
    return true;
}

constexpr ULONG free_build = 0xF000'0000;
const ULONG build_number = free_build | build; // read-only, so drivers too can only read it

} // namespace

extern "C" {

PULONG NtBuildNumber = const_cast<PULONG>(&build_number);

// dwOSVersionInfoSize says which of the two structures it is.
NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW information) {
    DIRQL_DOOR(RtlGetVersion);
    information->dwMajorVersion = major;
    information->dwMinorVersion = minor;
    information->dwBuildNumber = build;
    information->dwPlatformId = VER_PLATFORM_WIN32_NT;
    rtl::fill_memory(information->szCSDVersion, 0, sizeof(information->szCSDVersion));
    if (information->dwOSVersionInfoSize == sizeof(RTL_OSVERSIONINFOEXW)) {
        auto* const extended = reinterpret_cast<PRTL_OSVERSIONINFOEXW>(information);
        extended->wServicePackMajor = 0;
        extended->wServicePackMinor = 0;
        extended->wSuiteMask = suites;
        extended->wProductType = VER_NT_WORKSTATION;
        extended->wReserved = 0;
    }
    return STATUS_SUCCESS;
}

// STATUS_INVALID_PARAMETER for a mask that names nothing or a member without condition; STATUS_REVISION_MISMATCH.
NTSTATUS NTAPI RtlVerifyVersionInfo(PRTL_OSVERSIONINFOEXW wanted, ULONG type_mask, ULONGLONG conditions) {
    DIRQL_DOOR(RtlVerifyVersionInfo);
    if (type_mask == 0 || conditions == 0 || !conditions_complete(type_mask, conditions))
        return STATUS_INVALID_PARAMETER;
    return version_holds(*wanted, type_mask, conditions) && others_hold(*wanted, type_mask, conditions)
               ? STATUS_SUCCESS
               : STATUS_REVISION_MISMATCH;
}

// Adds a member's condition to a mask for RtlVerifyVersionInfo.
ULONGLONG NTAPI VerSetConditionMask(ULONGLONG mask, ULONG member, UCHAR condition) {
    DIRQL_DOOR(VerSetConditionMask);
    if (member == 0) return 0;
    return mask | static_cast<ULONGLONG>(condition & condition_mask)
                      << (condition_bits * static_cast<unsigned>(std::countr_zero(member)));
}

BOOLEAN NTAPI RtlIsNtDdiVersionAvailable(ULONG version) {
    DIRQL_DOOR(RtlIsNtDdiVersionAvailable);
    constexpr ULONG service_pack = 0xFFFF; // versions with one belong to the function below
    return (version & service_pack) == 0 && version <= ddi_version;
}

// FALSE also when the version's system is another than this one.
BOOLEAN NTAPI RtlIsServicePackVersionInstalled(ULONG version) {
    DIRQL_DOOR(RtlIsServicePackVersionInstalled);
    return (version & 0xFFFF0000) == (ddi_version & 0xFFFF0000) && version <= ddi_version;
}

} // extern "C"
