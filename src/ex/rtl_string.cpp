// Copying, appending, comparing and hashing counted strings.
#include "ex/rtl_strings.hpp"
#include "ke/exports/rtl.hpp"
#include "rtl/memory.hpp"
#include "rtl/terminated_text.hpp"

#include <algorithm>

using namespace dirql;

namespace {

// Unicode strings are terminated when there is room behind the text; no one may rely on it.
void terminate_if_room(UNICODE_STRING* string) {
    if (string->Length + sizeof(WCHAR) <= string->MaximumLength) string->Buffer[string->Length / sizeof(WCHAR)] = 0;
}

void terminate_if_room(STRING*) {}

template <class String> void copy(String* destination, const String* source) {
    if (source == nullptr) {
        destination->Length = 0;
        return;
    }
    const USHORT length = std::min(source->Length, destination->MaximumLength);
    destination->Length = length;
    rtl::move_memory(destination->Buffer, source->Buffer, length);
    terminate_if_room(destination);
}

template <class String> NTSTATUS append(String* destination, const void* text, SIZE_T bytes) {
    if (bytes > SIZE_T{destination->MaximumLength} - std::min(destination->Length, destination->MaximumLength))
        return STATUS_BUFFER_TOO_SMALL;
    rtl::move_memory(reinterpret_cast<char*>(destination->Buffer) + destination->Length, text, bytes);
    destination->Length = static_cast<USHORT>(destination->Length + bytes);
    terminate_if_room(destination);
    return STATUS_SUCCESS;
}

bool is_valid(const UNICODE_STRING* string) {
    if (string == nullptr) return true;
    return string->Length % 2 == 0 && string->MaximumLength % 2 == 0 && string->Length <= string->MaximumLength &&
           (string->Buffer != nullptr || string->MaximumLength == 0);
}

} // namespace

extern "C" {

VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING destination, PCUNICODE_STRING source) {
    DIRQL_DOOR(RtlCopyUnicodeString);
    copy<UNICODE_STRING>(destination, source);
}

VOID NTAPI RtlCopyString(PSTRING destination, const PSTRING source) {
    DIRQL_DOOR(RtlCopyString);
    copy<STRING>(destination, source);
}

// A null source appends nothing. STATUS_BUFFER_TOO_SMALL leaves the destination as it was.
NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING destination, PCWSTR source) {
    DIRQL_DOOR(RtlAppendUnicodeToString);
    if (source == nullptr) return STATUS_SUCCESS;
    return append(destination, source, rtl::text_length(source) * sizeof(WCHAR));
}

NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING destination, PCUNICODE_STRING source) {
    DIRQL_DOOR(RtlAppendUnicodeStringToString);
    return source->Length == 0 ? STATUS_SUCCESS : append(destination, source->Buffer, source->Length);
}

NTSTATUS NTAPI RtlAppendStringToString(PSTRING destination, const STRING* source) {
    DIRQL_DOOR(RtlAppendStringToString);
    return source->Length == 0 ? STATUS_SUCCESS : append(destination, source->Buffer, source->Length);
}

NTSTATUS NTAPI RtlAppendAsciizToString(PSTRING destination, PCSZ source) {
    DIRQL_DOOR(RtlAppendAsciizToString);
    return source == nullptr ? STATUS_SUCCESS : append(destination, source, rtl::text_length(source));
}

LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING left, PCUNICODE_STRING right, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlCompareUnicodeString);
    return rtl::compare(ex::view(left), ex::view(right), ex::case_of(case_insensitive));
}

// Lengths are in units.
LONG NTAPI RtlCompareUnicodeStrings(PCWCH left, SIZE_T left_length, PCWCH right, SIZE_T right_length,
                                    BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlCompareUnicodeStrings);
    return rtl::compare(std::u16string_view(left, left_length), std::u16string_view(right, right_length),
                        ex::case_of(case_insensitive));
}

LONG NTAPI RtlCompareString(const PSTRING left, const PSTRING right, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlCompareString);
    return rtl::compare(ex::view(left), ex::view(right), ex::case_of(case_insensitive));
}

BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING left, PCUNICODE_STRING right, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlEqualUnicodeString);
    return rtl::equal(ex::view(left), ex::view(right), ex::case_of(case_insensitive));
}

BOOLEAN NTAPI RtlEqualString(const PSTRING left, const PSTRING right, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlEqualString);
    return rtl::equal(ex::view(left), ex::view(right), ex::case_of(case_insensitive));
}

BOOLEAN NTAPI RtlPrefixUnicodeString(PCUNICODE_STRING prefix, PCUNICODE_STRING string, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlPrefixUnicodeString);
    return rtl::has_prefix(ex::view(string), ex::view(prefix), ex::case_of(case_insensitive));
}

BOOLEAN NTAPI RtlPrefixString(const STRING* prefix, const STRING* string, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlPrefixString);
    return rtl::has_prefix(ex::view(string), ex::view(prefix), ex::case_of(case_insensitive));
}

BOOLEAN NTAPI RtlSuffixUnicodeString(PCUNICODE_STRING suffix, PCUNICODE_STRING string, BOOLEAN case_insensitive) {
    DIRQL_DOOR(RtlSuffixUnicodeString);
    return rtl::has_suffix(ex::view(string), ex::view(suffix), ex::case_of(case_insensitive));
}

// STATUS_INVALID_PARAMETER for a null argument or an unknown algorithm.
NTSTATUS NTAPI RtlHashUnicodeString(PCUNICODE_STRING string, BOOLEAN case_insensitive, ULONG algorithm, PULONG hash) {
    DIRQL_DOOR(RtlHashUnicodeString);
    const bool known = algorithm == HASH_STRING_ALGORITHM_DEFAULT || algorithm == HASH_STRING_ALGORITHM_X65599;
    if (string == nullptr || hash == nullptr || !known) return STATUS_INVALID_PARAMETER;
    *hash = rtl::hash_x65599(ex::view(string), ex::case_of(case_insensitive));
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlValidateUnicodeString(ULONG flags, PCUNICODE_STRING string) {
    DIRQL_DOOR(RtlValidateUnicodeString);
    return flags == 0 && is_valid(string) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

// The copy is in paged pool. An empty source has a buffer only when RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING
// asks for it, which needs the flag that terminates too.
NTSTATUS NTAPI RtlDuplicateUnicodeString(ULONG flags, PCUNICODE_STRING source, PUNICODE_STRING destination) {
    DIRQL_DOOR(RtlDuplicateUnicodeString);
    constexpr ULONG terminate = RTL_DUPLICATE_UNICODE_STRING_NULL_TERMINATE;
    constexpr ULONG allocate_empty = RTL_DUPLICATE_UNICODE_STRING_ALLOCATE_NULL_STRING;
    const bool bad_flags =
        (flags & ~(terminate | allocate_empty)) != 0 || (flags & (terminate | allocate_empty)) == allocate_empty;
    if (destination == nullptr || bad_flags || !is_valid(source)) return STATUS_INVALID_PARAMETER;
    const USHORT length = source ? source->Length : 0;
    const bool terminated = (flags & terminate) != 0 && (length != 0 || (flags & allocate_empty) != 0);
    const auto status = ex::make_room(destination, length, ex::Terminator{terminated}, TRUE);
    if (!NT_SUCCESS(status)) return status;
    if (length != 0) rtl::move_memory(destination->Buffer, source->Buffer, length);
    if (terminated) destination->Buffer[length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

} // extern "C"
