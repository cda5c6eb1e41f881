// Counted strings over terminated text, and the end of allocated ones.
#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/memory.hpp"
#include "rtl/terminated_text.hpp"

using namespace dirql;

namespace {

// The longest text, in bytes, whose MaximumLength still counts a terminator. Lengths of wide text are even.
template <class Unit> constexpr SIZE_T longest_text = (MAXUSHORT & ~(sizeof(Unit) - 1)) - sizeof(Unit);

template <class String> using SourceOf = const ex::UnitOf<String>*;

template <class String> SIZE_T bytes_of(SourceOf<String> source) {
    return source ? rtl::text_length(source) * sizeof(ex::UnitOf<String>) : 0;
}

template <class String> void describe(String* string, SourceOf<String> source, SIZE_T length) {
    string->Buffer = const_cast<ex::UnitOf<String>*>(source);
    string->Length = static_cast<USHORT>(length);
    string->MaximumLength = static_cast<USHORT>(source ? length + sizeof(ex::UnitOf<String>) : 0);
}

// Text that is too long is described as far as it goes.
template <class String> void init(String* string, SourceOf<String> source) {
    describe(string, source, std::min(bytes_of<String>(source), longest_text<ex::UnitOf<String>>));
}

template <class String> NTSTATUS init_checked(String* string, SourceOf<String> source) {
    const SIZE_T length = bytes_of<String>(source);
    if (length > longest_text<ex::UnitOf<String>>) return STATUS_NAME_TOO_LONG;
    describe(string, source, length);
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING string, PCWSTR source) {
    DIRQL_DOOR(RtlInitUnicodeString);
    init(string, source);
}

NTSTATUS NTAPI RtlInitUnicodeStringEx(PUNICODE_STRING string, PCWSTR source) {
    DIRQL_DOOR(RtlInitUnicodeStringEx);
    return init_checked(string, source);
}

VOID NTAPI RtlInitAnsiString(PANSI_STRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitAnsiString);
    init(string, source);
}

NTSTATUS NTAPI RtlInitAnsiStringEx(PANSI_STRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitAnsiStringEx);
    return init_checked(string, source);
}

VOID NTAPI RtlInitString(PSTRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitString);
    init(string, source);
}

NTSTATUS NTAPI RtlInitStringEx(PSTRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitStringEx);
    return init_checked(string, source);
}

VOID NTAPI RtlInitUTF8String(PUTF8_STRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitUTF8String);
    init(string, source);
}

NTSTATUS NTAPI RtlInitUTF8StringEx(PUTF8_STRING string, PCSZ source) {
    DIRQL_DOOR(RtlInitUTF8StringEx);
    return init_checked(string, source);
}

// TRUE with a copy in paged pool, terminator included.
BOOLEAN NTAPI RtlCreateUnicodeString(PUNICODE_STRING string, PCWSTR source) {
    DIRQL_DOOR(RtlCreateUnicodeString);
    const SIZE_T length = bytes_of<UNICODE_STRING>(source);
    if (length > longest_text<WCHAR>) return FALSE;
    const auto status = ex::make_room(string, static_cast<ULONG>(length), ex::Terminator::present, TRUE);
    if (!NT_SUCCESS(status)) return FALSE;
    rtl::move_memory(string->Buffer, source, length);
    string->Buffer[length / sizeof(WCHAR)] = 0;
    return TRUE;
}

VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING string) {
    DIRQL_DOOR(RtlFreeUnicodeString);
    ex::free_string(string);
}

VOID NTAPI RtlFreeAnsiString(PANSI_STRING string) {
    DIRQL_DOOR(RtlFreeAnsiString);
    ex::free_string(string);
}

VOID NTAPI RtlFreeOemString(POEM_STRING string) {
    DIRQL_DOOR(RtlFreeOemString);
    ex::free_string(string);
}

VOID NTAPI RtlFreeUTF8String(PUTF8_STRING string) {
    DIRQL_DOOR(RtlFreeUTF8String);
    ex::free_string(string);
}

} // extern "C"
