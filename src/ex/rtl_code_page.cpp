// Conversions of counted buffers: ANSI, OEM, UTF-8 and Unicode. Counts are in bytes.
#include "ke/exports/rtl.hpp"
#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"
#include "rtl/utf8.hpp"

#include <ntifs.h>

#include <algorithm>

using namespace dirql;
using rtl::CodePage;

namespace {

// Both widen and narrow convert what fits and tell whether that was all.
bool widen(CodePage page, PWCH to, ULONG room, PULONG written, const CHAR* from, ULONG bytes) {
    const ULONG count = std::min(bytes, room / ULONG{sizeof(WCHAR)});
    for (ULONG i = 0; i < count; ++i) to[i] = rtl::to_unicode(page, from[i]);
    if (written) *written = count * ULONG{sizeof(WCHAR)};
    return count == bytes;
}

enum class Raise : bool { no, yes };

bool narrow(CodePage page, Raise raise, PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    const ULONG count = std::min(bytes / ULONG{sizeof(WCHAR)}, room);
    for (ULONG i = 0; i < count; ++i)
        to[i] = rtl::from_unicode(page, raise == Raise::yes ? rtl::upcase(from[i]) : from[i]);
    if (written) *written = count;
    return count == bytes / sizeof(WCHAR);
}

// Documented: only the OEM functions tell of truncation.
NTSTATUS oem_status(bool whole) { return whole ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW; }

NTSTATUS utf8_status(const rtl::Utf8Result& result) {
    if (!result.complete) return STATUS_BUFFER_TOO_SMALL;
    return result.all_well_formed ? STATUS_SUCCESS : STATUS_SOME_NOT_MAPPED;
}

} // namespace

extern "C" {

NTSTATUS NTAPI RtlMultiByteToUnicodeN(PWCH to, ULONG room, PULONG written, const CHAR* from, ULONG bytes) {
    DIRQL_DOOR(RtlMultiByteToUnicodeN);
    widen(CodePage::ansi, to, room, written, from, bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlOemToUnicodeN(PWCH to, ULONG room, PULONG written, PCCH from, ULONG bytes) {
    DIRQL_DOOR(RtlOemToUnicodeN);
    return oem_status(widen(CodePage::oem, to, room, written, from, bytes));
}

NTSTATUS NTAPI RtlUnicodeToMultiByteN(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUnicodeToMultiByteN);
    narrow(CodePage::ansi, Raise::no, to, room, written, from, bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUpcaseUnicodeToMultiByteN(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUpcaseUnicodeToMultiByteN);
    narrow(CodePage::ansi, Raise::yes, to, room, written, from, bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeToOemN(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUnicodeToOemN);
    return oem_status(narrow(CodePage::oem, Raise::no, to, room, written, from, bytes));
}

NTSTATUS NTAPI RtlUpcaseUnicodeToOemN(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUpcaseUnicodeToOemN);
    return oem_status(narrow(CodePage::oem, Raise::yes, to, room, written, from, bytes));
}

NTSTATUS NTAPI RtlMultiByteToUnicodeSize(PULONG size, const CHAR*, ULONG bytes) {
    DIRQL_DOOR(RtlMultiByteToUnicodeSize);
    *size = bytes * ULONG{sizeof(WCHAR)};
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlUnicodeToMultiByteSize(PULONG size, PCWCH, ULONG bytes) {
    DIRQL_DOOR(RtlUnicodeToMultiByteSize);
    *size = bytes / ULONG{sizeof(WCHAR)};
    return STATUS_SUCCESS;
}

// Reads one character and steps behind it.
WCHAR NTAPI RtlAnsiCharToUnicodeChar(PUCHAR* source) {
    DIRQL_DOOR(RtlAnsiCharToUnicodeChar);
    return rtl::to_unicode(CodePage::ansi, static_cast<char>(*(*source)++));
}

// The character becomes what it is after a way through the OEM page; TRUE when that is a character at all.
BOOLEAN NTAPI RtlIsValidOemCharacter(PWCHAR unit) {
    DIRQL_DOOR(RtlIsValidOemCharacter);
    *unit = rtl::to_unicode(CodePage::oem, rtl::from_unicode(CodePage::oem, rtl::upcase(*unit)));
    return *unit != rtl::unmappable;
}

// A null destination measures. Statuses as documented: STATUS_INVALID_PARAMETER when nothing is to be written,
// STATUS_INVALID_PARAMETER_4 without source, STATUS_BUFFER_TOO_SMALL after what fits, STATUS_SOME_NOT_MAPPED.
NTSTATUS NTAPI RtlUTF8ToUnicodeN(PWSTR to, ULONG room, PULONG written, PCCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUTF8ToUnicodeN);
    if (to == nullptr && written == nullptr) return STATUS_INVALID_PARAMETER;
    if (from == nullptr) return STATUS_INVALID_PARAMETER_4;
    const auto result = rtl::utf8_to_utf16(to, room / sizeof(WCHAR), {from, bytes});
    if (written) *written = static_cast<ULONG>(result.written * sizeof(WCHAR));
    return utf8_status(result);
}

// As above, and STATUS_INVALID_PARAMETER_5 when the source ends inside a unit.
NTSTATUS NTAPI RtlUnicodeToUTF8N(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes) {
    DIRQL_DOOR(RtlUnicodeToUTF8N);
    if (to == nullptr && written == nullptr) return STATUS_INVALID_PARAMETER;
    if (from == nullptr) return STATUS_INVALID_PARAMETER_4;
    if (bytes % sizeof(WCHAR) != 0) return STATUS_INVALID_PARAMETER_5;
    const auto result = rtl::utf16_to_utf8(to, room, {from, bytes / sizeof(WCHAR)});
    if (written) *written = static_cast<ULONG>(result.written);
    return utf8_status(result);
}

} // extern "C"
