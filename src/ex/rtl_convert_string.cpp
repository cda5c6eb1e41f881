// Counted strings of one encoding from counted strings of another.
#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"
#include "rtl/utf8.hpp"

#include <algorithm>

using namespace dirql;
using ex::Terminator;
using rtl::CodePage;

// The results of make_room are the documented ones; a destination that cannot take the text is left as it was.
namespace {

void terminate(auto* string, Terminator terminator) {
    if (terminator == Terminator::present) string->Buffer[string->Length / sizeof(*string->Buffer)] = 0;
}

NTSTATUS widen(CodePage page, PUNICODE_STRING destination, const STRING* source, Terminator terminator,
               BOOLEAN allocate) {
    const auto text = ex::view(source);
    const auto status =
        ex::make_room(destination, static_cast<ULONG>(text.size() * sizeof(WCHAR)), terminator, allocate);
    if (!NT_SUCCESS(status)) return status;
    std::transform(text.begin(), text.end(), destination->Buffer, [page](char c) { return rtl::to_unicode(page, c); });
    terminate(destination, terminator);
    return STATUS_SUCCESS;
}

char16_t unchanged(char16_t unit) noexcept { return unit; }

using Change = char16_t (*)(char16_t) noexcept;

NTSTATUS narrow(CodePage page, PSTRING destination, PCUNICODE_STRING source, Terminator terminator, BOOLEAN allocate,
                Change change = unchanged) {
    const auto text = ex::view(source);
    const auto status = ex::make_room(destination, static_cast<ULONG>(text.size()), terminator, allocate);
    if (!NT_SUCCESS(status)) return status;
    std::transform(text.begin(), text.end(), destination->Buffer,
                   [=](char16_t unit) { return rtl::from_unicode(page, change(unit)); });
    terminate(destination, terminator);
    return STATUS_SUCCESS;
}

// The OEM functions do not substitute: STATUS_UNMAPPABLE_CHARACTER, before anything is allocated.
NTSTATUS narrow_to_oem(POEM_STRING destination, PCUNICODE_STRING source, Terminator terminator, BOOLEAN allocate,
                       Change change = unchanged) {
    const bool mappable = std::ranges::all_of(ex::view(source), [=](char16_t unit) {
        const char16_t changed = change(unit);
        return changed == rtl::unmappable || rtl::from_unicode(CodePage::oem, changed) != rtl::unmappable;
    });
    return mappable ? narrow(CodePage::oem, destination, source, terminator, allocate, change)
                    : STATUS_UNMAPPABLE_CHARACTER;
}

ULONG wide_size(const STRING* source) { return (source->Length + 1u) * ULONG{sizeof(WCHAR)}; }
ULONG narrow_size(PCUNICODE_STRING source) { return source->Length / ULONG{sizeof(WCHAR)} + 1; }

NTSTATUS mapped_status(const rtl::Utf8Result& result) {
    return result.all_well_formed ? STATUS_SUCCESS : STATUS_SOME_NOT_MAPPED;
}

} // namespace

extern "C" {

// Sizes in bytes, the terminator included.
ULONG NTAPI RtlxAnsiStringToUnicodeSize(PCANSI_STRING source) {
    DIRQL_DOOR(RtlxAnsiStringToUnicodeSize);
    return wide_size(source);
}

ULONG NTAPI RtlxOemStringToUnicodeSize(PCOEM_STRING source) {
    DIRQL_DOOR(RtlxOemStringToUnicodeSize);
    return wide_size(source);
}

ULONG NTAPI RtlxUnicodeStringToAnsiSize(PCUNICODE_STRING source) {
    DIRQL_DOOR(RtlxUnicodeStringToAnsiSize);
    return narrow_size(source);
}

ULONG NTAPI RtlxUnicodeStringToOemSize(PCUNICODE_STRING source) {
    DIRQL_DOOR(RtlxUnicodeStringToOemSize);
    return narrow_size(source);
}

NTSTATUS NTAPI RtlAnsiStringToUnicodeString(PUNICODE_STRING destination, PANSI_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlAnsiStringToUnicodeString);
    return widen(CodePage::ansi, destination, source, Terminator::present, allocate);
}

NTSTATUS NTAPI RtlOemStringToUnicodeString(PUNICODE_STRING destination, PCOEM_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlOemStringToUnicodeString);
    return widen(CodePage::oem, destination, source, Terminator::present, allocate);
}

NTSTATUS NTAPI RtlOemStringToCountedUnicodeString(PUNICODE_STRING destination, PCOEM_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlOemStringToCountedUnicodeString);
    return widen(CodePage::oem, destination, source, Terminator::absent, allocate);
}

NTSTATUS NTAPI RtlUnicodeStringToAnsiString(PANSI_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUnicodeStringToAnsiString);
    return narrow(CodePage::ansi, destination, source, Terminator::present, allocate);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToAnsiString(PANSI_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUpcaseUnicodeStringToAnsiString);
    return narrow(CodePage::ansi, destination, source, Terminator::present, allocate, rtl::upcase);
}

NTSTATUS NTAPI RtlUnicodeStringToOemString(POEM_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUnicodeStringToOemString);
    return narrow_to_oem(destination, source, Terminator::present, allocate);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToOemString(POEM_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUpcaseUnicodeStringToOemString);
    return narrow_to_oem(destination, source, Terminator::present, allocate, rtl::upcase);
}

NTSTATUS NTAPI RtlUnicodeStringToCountedOemString(POEM_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUnicodeStringToCountedOemString);
    return narrow_to_oem(destination, source, Terminator::absent, allocate);
}

NTSTATUS NTAPI RtlUpcaseUnicodeStringToCountedOemString(POEM_STRING destination, PCUNICODE_STRING source,
                                                        BOOLEAN allocate) {
    DIRQL_DOOR(RtlUpcaseUnicodeStringToCountedOemString);
    return narrow_to_oem(destination, source, Terminator::absent, allocate, rtl::upcase);
}

NTSTATUS NTAPI RtlUTF8StringToUnicodeString(PUNICODE_STRING destination, PUTF8_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUTF8StringToUnicodeString);
    const auto text = ex::view(source);
    const std::size_t units = rtl::utf8_to_utf16(nullptr, 0, text).written;
    const auto status =
        ex::make_room(destination, static_cast<ULONG>(units * sizeof(WCHAR)), Terminator::present, allocate);
    if (!NT_SUCCESS(status)) return status;
    const auto result = rtl::utf8_to_utf16(destination->Buffer, units, text);
    terminate(destination, Terminator::present);
    return mapped_status(result);
}

NTSTATUS NTAPI RtlUnicodeStringToUTF8String(PUTF8_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUnicodeStringToUTF8String);
    const auto text = ex::view(source);
    const std::size_t bytes = rtl::utf16_to_utf8(nullptr, 0, text).written;
    const auto status = ex::make_room(destination, static_cast<ULONG>(bytes), Terminator::present, allocate);
    if (!NT_SUCCESS(status)) return status;
    const auto result = rtl::utf16_to_utf8(destination->Buffer, bytes, text);
    terminate(destination, Terminator::present);
    return mapped_status(result);
}

} // extern "C"
