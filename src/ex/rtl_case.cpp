// Upper and lower case of characters and counted strings.
#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/code_page.hpp"
#include "rtl/letter_case.hpp"

#include <algorithm>

using namespace dirql;

namespace {

// The destination may be the source.
NTSTATUS change_case(PUNICODE_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate,
                     char16_t (*change)(char16_t) noexcept) {
    const auto text = ex::view(source);
    const auto status = ex::make_room(destination, source->Length, ex::Terminator::absent, allocate);
    if (!NT_SUCCESS(status)) return status;
    std::transform(text.begin(), text.end(), destination->Buffer, change);
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

WCHAR NTAPI RtlUpcaseUnicodeChar(WCHAR unit) {
    DIRQL_DOOR(RtlUpcaseUnicodeChar);
    return rtl::upcase(unit);
}

WCHAR NTAPI RtlDowncaseUnicodeChar(WCHAR unit) {
    DIRQL_DOOR(RtlDowncaseUnicodeChar);
    return rtl::downcase(unit);
}

CHAR NTAPI RtlUpperChar(CHAR byte) {
    DIRQL_DOOR(RtlUpperChar);
    return rtl::upcase(rtl::CodePage::ansi, byte);
}

NTSTATUS NTAPI RtlUpcaseUnicodeString(PUNICODE_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlUpcaseUnicodeString);
    return change_case(destination, source, allocate, rtl::upcase);
}

NTSTATUS NTAPI RtlDowncaseUnicodeString(PUNICODE_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate) {
    DIRQL_DOOR(RtlDowncaseUnicodeString);
    return change_case(destination, source, allocate, rtl::downcase);
}

// What does not fit is left out.
VOID NTAPI RtlUpperString(PSTRING destination, const PSTRING source) {
    DIRQL_DOOR(RtlUpperString);
    const USHORT length = std::min(source->Length, destination->MaximumLength);
    for (USHORT i = 0; i < length; ++i) destination->Buffer[i] = rtl::upcase(rtl::CodePage::ansi, source->Buffer[i]);
    destination->Length = length;
}

} // extern "C"
