// Integers and GUIDs in counted strings, and bit arithmetic.
#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/guid_text.hpp"
#include "rtl/integer_text.hpp"
#include "rtl/memory.hpp"
#include "rtl/terminated_text.hpp"

#include <algorithm>
#include <bit>

using namespace dirql;

namespace {

// STATUS_INVALID_PARAMETER for a base that is none, STATUS_BUFFER_OVERFLOW when text and terminator do not fit.
NTSTATUS write_integer(ULONGLONG value, ULONG base, PUNICODE_STRING string) {
    if (!rtl::is_rtl_base(base)) return STATUS_INVALID_PARAMETER;
    const rtl::Digits digits(value, base == 0 ? 10 : base);
    const auto text = digits.view();
    const auto status =
        ex::make_room(string, static_cast<ULONG>(text.size() * sizeof(WCHAR)), ex::Terminator::present, FALSE);
    if (!NT_SUCCESS(status)) return status;
    *std::copy(text.begin(), text.end(), string->Buffer) = 0;
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

NTSTATUS NTAPI RtlIntegerToUnicodeString(ULONG value, ULONG base, PUNICODE_STRING string) {
    DIRQL_DOOR(RtlIntegerToUnicodeString);
    return write_integer(value, base, string);
}

NTSTATUS NTAPI RtlInt64ToUnicodeString(ULONGLONG value, ULONG base, PUNICODE_STRING string) {
    DIRQL_DOOR(RtlInt64ToUnicodeString);
    return write_integer(value, base, string);
}

// STATUS_INVALID_PARAMETER for an empty string or a base that is none.
NTSTATUS NTAPI RtlUnicodeStringToInteger(PCUNICODE_STRING string, ULONG base, PULONG value) {
    DIRQL_DOOR(RtlUnicodeStringToInteger);
    if (string->Length < sizeof(WCHAR) || !rtl::is_rtl_base(base)) return STATUS_INVALID_PARAMETER;
    *value = rtl::parse_rtl_integer(ex::view(string), base);
    return STATUS_SUCCESS;
}

// `end`, where it is asked for, is the first character that was not read.
NTSTATUS NTAPI RtlUnicodeStringToInt64(PCUNICODE_STRING string, ULONG base, PLONG64 value, PWSTR* end) {
    DIRQL_DOOR(RtlUnicodeStringToInt64);
    if (string->Length < sizeof(WCHAR) || !rtl::is_rtl_base(base)) return STATUS_INVALID_PARAMETER;
    const auto parsed = rtl::parse_rtl_integer64(ex::view(string), base);
    *value = static_cast<LONG64>(parsed.value);
    if (end != nullptr) *end = string->Buffer + parsed.length;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCharToInteger(PCSZ text, ULONG base, PULONG value) {
    DIRQL_DOOR(RtlCharToInteger);
    if (!rtl::is_rtl_base(base)) return STATUS_INVALID_PARAMETER;
    *value = rtl::parse_rtl_integer(std::string_view(text, rtl::text_length(text)), base);
    return STATUS_SUCCESS;
}

// The string is in paged pool. STATUS_NO_MEMORY.
NTSTATUS NTAPI RtlStringFromGUID(const GUID* guid, PUNICODE_STRING string) {
    DIRQL_DOOR(RtlStringFromGUID);
    char16_t text[rtl::guid_text_length];
    rtl::write_guid(*guid, text);
    const auto status = ex::make_room(string, sizeof(text), ex::Terminator::present, TRUE);
    if (!NT_SUCCESS(status)) return status;
    *std::copy(std::begin(text), std::end(text), string->Buffer) = 0;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGUIDFromString(PUNICODE_STRING string, GUID* guid) {
    DIRQL_DOOR(RtlGUIDFromString);
    const auto parsed = rtl::parse_guid(ex::view(string));
    if (!parsed) return STATUS_INVALID_PARAMETER;
    *guid = *parsed;
    return STATUS_SUCCESS;
}

// -1 when no bit is set.
CCHAR NTAPI RtlFindLeastSignificantBit(ULONGLONG set) {
    DIRQL_DOOR(RtlFindLeastSignificantBit);
    return static_cast<CCHAR>(set == 0 ? -1 : std::countr_zero(set));
}

CCHAR NTAPI RtlFindMostSignificantBit(ULONGLONG set) {
    DIRQL_DOOR(RtlFindMostSignificantBit);
    return static_cast<CCHAR>(63 - std::countl_zero(set));
}

ULONG NTAPI RtlNumberOfSetBitsUlongPtr(ULONG_PTR set) {
    DIRQL_DOOR(RtlNumberOfSetBitsUlongPtr);
    return static_cast<ULONG>(std::popcount(set));
}

} // extern "C"
