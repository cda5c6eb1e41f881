/* The safe string functions of UNICODE_STRING, the names that follow UNICODE, and unaligned text. */
#include "check.h"

#include <ntstrsafe.h>

static NTSTATUS format(PUNICODE_STRING to, NTSTRSAFE_PCWSTR text, ...) {
    NTSTATUS status;
    va_list arguments;
    va_start(arguments, text);
    status = RtlUnicodeStringVPrintf(to, text, arguments);
    va_end(arguments);
    return status;
}

static NTSTATUS format_ex(PUNICODE_STRING to, PUNICODE_STRING rest, ULONG flags, NTSTRSAFE_PCWSTR text, ...) {
    NTSTATUS status;
    va_list arguments;
    va_start(arguments, text);
    status = RtlUnicodeStringVPrintfEx(to, rest, flags, text, arguments);
    va_end(arguments);
    return status;
}

static int holds(PCUNICODE_STRING string, PCWSTR expected) {
    UNICODE_STRING other;
    RtlUnicodeStringInit(&other, expected);
    return string->Length == other.Length && RtlEqualMemory(string->Buffer, other.Buffer, other.Length);
}

#define IS(text) holds(&to, L##text)
#define RESTS(characters) (rest.Length == 0 && rest.MaximumLength == (characters)*2)

static void check_copies(PCHECKS checks) {
    DECLARE_UNICODE_STRING_SIZE(to, 4);
    DECLARE_CONST_UNICODE_STRING(source, L"abc");
    UNICODE_STRING rest, odd = {1, 4, to_buffer};
    CHECK(RtlUnicodeStringCopyString(&to, L"wxyz") == STATUS_SUCCESS && IS("wxyz"));
    CHECK(RtlUnicodeStringCopyString(&to, L"vwxyz") == STATUS_BUFFER_OVERFLOW && IS("vwxy"));
    CHECK(RtlUnicodeStringCopyString(&odd, L"v") == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCopyStringEx(&to, NULL, &rest, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS && RESTS(4));
    CHECK(RtlUnicodeStringCopyStringEx(&to, NULL, &rest, 0) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCopy(&to, &source) == STATUS_SUCCESS && IS("abc"));
    CHECK(RtlUnicodeStringCopy(&to, NULL) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCopyEx(&to, &source, &rest, STRSAFE_FILL_BEHIND | 'z') == STATUS_SUCCESS && RESTS(1) &&
          rest.Buffer == to.Buffer + 3 && to.Buffer[3] == 0x7a7a);
    CHECK(RtlUnicodeStringCchCopyStringN(&to, L"pqr", 2) == STATUS_SUCCESS && IS("pq"));
    CHECK(RtlUnicodeStringCchCopyStringN(&to, L"p", 32768) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCchCopyStringN(&to, L"p", MAXSIZE_T) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCbCopyStringN(&to, L"pqr", 2) == STATUS_SUCCESS && IS("p"));
    CHECK(RtlUnicodeStringCbCopyStringN(&to, L"pqr", 65536) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCchCopyStringNEx(&to, L"pqr", 1, &rest, 0) == STATUS_SUCCESS && IS("p") && RESTS(3));
    CHECK(RtlUnicodeStringCbCopyStringNEx(&to, L"pqrst", 10, &rest, STRSAFE_NO_TRUNCATION) == STATUS_BUFFER_OVERFLOW &&
          IS("") && RESTS(4));
    CHECK(RtlUnicodeStringCchCopyN(&to, &source, 2) == STATUS_SUCCESS && IS("ab"));
    CHECK(RtlUnicodeStringCchCopyN(&to, &source, 32768) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringCbCopyN(&to, &source, 2) == STATUS_SUCCESS && IS("a"));
    CHECK(RtlUnicodeStringCchCopyNEx(&to, &source, 9, &rest, 0) == STATUS_SUCCESS && IS("abc") && RESTS(1));
    CHECK(RtlUnicodeStringCbCopyNEx(&to, &source, 4, &rest, 0) == STATUS_SUCCESS && IS("ab") && RESTS(2));
}

static void check_appends(PCHECKS checks) {
    DECLARE_UNICODE_STRING_SIZE(to, 5);
    DECLARE_CONST_UNICODE_STRING(source, L"abc");
    UNICODE_STRING rest;
    CHECK(RtlUnicodeStringCatString(&to, L"w") == STATUS_SUCCESS && IS("w"));
    CHECK(RtlUnicodeStringCat(&to, &source) == STATUS_SUCCESS && IS("wabc"));
    CHECK(RtlUnicodeStringCat(&to, &source) == STATUS_BUFFER_OVERFLOW && IS("wabca"));
    to.Length = 2;
    CHECK(RtlUnicodeStringCatEx(&to, &source, &rest, 0) == STATUS_SUCCESS && IS("wabc") && RESTS(1));
    CHECK(RtlUnicodeStringCatEx(&to, &source, &rest, STRSAFE_NO_TRUNCATION) == STATUS_BUFFER_OVERFLOW && IS("wabc"));
    CHECK(RtlUnicodeStringCatStringEx(&to, L"xy", &rest, STRSAFE_ZERO_LENGTH_ON_FAILURE) == STATUS_BUFFER_OVERFLOW &&
          to.Length == 0 && RESTS(5));
    CHECK(RtlUnicodeStringCatStringEx(&to, L"xy", &rest, 0) == STATUS_SUCCESS && IS("xy"));
    CHECK(RtlUnicodeStringCchCatN(&to, &source, 1) == STATUS_SUCCESS && IS("xya"));
    CHECK(RtlUnicodeStringCbCatN(&to, &source, 2) == STATUS_SUCCESS && IS("xyaa"));
    CHECK(RtlUnicodeStringCbCatN(&to, &source, 65536) == STATUS_INVALID_PARAMETER && IS("xyaa"));
    CHECK(RtlUnicodeStringCchCatNEx(&to, &source, 1, &rest, 0) == STATUS_SUCCESS && IS("xyaaa") && RESTS(0));
    CHECK(RtlUnicodeStringCbCatNEx(&to, &source, 2, &rest, STRSAFE_FILL_ON_FAILURE | '#') == STATUS_BUFFER_OVERFLOW &&
          to.Length == 0 && to.Buffer[4] == 0x2323);
    CHECK(RtlUnicodeStringCchCatStringN(&to, L"def", 2) == STATUS_SUCCESS && IS("de"));
    CHECK(RtlUnicodeStringCbCatStringN(&to, L"fgh", 2) == STATUS_SUCCESS && IS("def"));
    CHECK(RtlUnicodeStringCchCatStringNEx(&to, L"gh", 1, &rest, 0) == STATUS_SUCCESS && IS("defg") && RESTS(1));
    CHECK(RtlUnicodeStringCbCatStringNEx(&to, L"hi", 2, &rest, 0) == STATUS_SUCCESS && IS("defgh") && RESTS(0));
    CHECK(RtlUnicodeStringCchCatStringN(&to, L"", 2) == STATUS_SUCCESS && IS("defgh"));
}

static void check_others(PCHECKS checks) {
    DECLARE_UNICODE_STRING_SIZE(to, 4);
    UNICODE_STRING rest, made;
    WCHAR text[4], *end;
    size_t left, length;
    UNALIGNED char bytes[9] = {'#', 'a', 0, 'b', 0, 0, 0, '#', '#'};
    CHECK(RtlUnicodeStringPrintf(&to, L"%d", 1234) == STATUS_SUCCESS && IS("1234"));
    CHECK(RtlUnicodeStringPrintf(&to, L"%d", 12345) == STATUS_BUFFER_OVERFLOW && IS("1234"));
    CHECK(RtlUnicodeStringPrintfEx(&to, &rest, 0, L"%d", 12) == STATUS_SUCCESS && IS("12") && RESTS(2));
    CHECK(RtlUnicodeStringPrintfEx(&to, &rest, 0, NULL) == STATUS_INVALID_PARAMETER);
    CHECK(format(&to, L"<%s>", L"x") == STATUS_SUCCESS && IS("<x>"));
    CHECK(format_ex(&to, &rest, 0, L"<>") == STATUS_SUCCESS && IS("<>") && RESTS(2));
    CHECK(format_ex(&to, &rest, 0x2000, L"<>") == STATUS_INVALID_PARAMETER);

    CHECK(RtlUnicodeStringInit(&made, L"ab") == STATUS_SUCCESS && made.Length == 4 && made.MaximumLength == 6);
    CHECK(RtlUnicodeStringInitEx(&made, NULL, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS && made.Buffer == NULL);
    CHECK(RtlUnicodeStringInitEx(NULL, L"a", STRSAFE_IGNORE_NULLS) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringInitEx(&made, L"a", 1) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringValidate(&to) == STATUS_SUCCESS);
    made = to;
    made.Length = made.MaximumLength + 2;
    CHECK(RtlUnicodeStringValidate(&made) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringValidateEx(NULL, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS);
    CHECK(RtlUnicodeStringValidateEx(NULL, 0) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnicodeStringValidateEx(&to, 2) == STATUS_INVALID_PARAMETER);

    CHECK(RtlStringCchCopyUnicodeString(text, 4, &to) == STATUS_SUCCESS && text[0] == '<' && text[2] == 0);
    CHECK(RtlStringCbCopyUnicodeString(text, 4, &to) == STATUS_BUFFER_OVERFLOW && text[1] == 0);
    CHECK(RtlStringCchCopyUnicodeStringEx(text, 4, &to, &end, &left, 0) == STATUS_SUCCESS && end == text + 2 &&
          left == 2);
    CHECK(RtlStringCbCopyUnicodeStringEx(text, 8, NULL, &end, &left, STRSAFE_IGNORE_NULLS) == STATUS_SUCCESS &&
          text[0] == 0 && left == 8);
    CHECK(RtlStringCbCopyUnicodeStringEx(text, 8, NULL, &end, &left, 0) == STATUS_INVALID_PARAMETER);

    CHECK(RtlUnalignedStringCchLengthW((NTSTRSAFE_PCUWSTR)(bytes + 1), 3, &length) == STATUS_SUCCESS && length == 2);
    CHECK(RtlUnalignedStringCchLengthW((NTSTRSAFE_PCUWSTR)(bytes + 1), 2, &length) == STATUS_INVALID_PARAMETER &&
          length == 0);
    CHECK(RtlUnalignedStringCchLengthW(NULL, 2, NULL) == STATUS_INVALID_PARAMETER);
    CHECK(RtlUnalignedStringCbLengthW((NTSTRSAFE_PCUWSTR)(bytes + 1), 6, &length) == STATUS_SUCCESS && length == 4);

    CHECK(STRSAFE_FILL_BYTE('z') == 0x27a && STRSAFE_FAILURE_BYTE('z') == 0x47a);
    CHECK(STRSAFE_GET_FILL_PATTERN(0x47a) == 'z');
}

/* UNICODE is defined: the names without suffix are those of wide text. */
static void check_names(PCHECKS checks) {
    WCHAR to[8], *end;
    size_t left;
    CHECK(RtlStringCchCopy(to, 8, L"a") == STATUS_SUCCESS && RtlStringCbCopy(to, 16, L"a") == STATUS_SUCCESS);
    CHECK(RtlStringCchCopyN(to, 8, L"a", 1) == STATUS_SUCCESS && RtlStringCbCopyN(to, 16, L"a", 2) == STATUS_SUCCESS);
    CHECK(RtlStringCchCopyEx(to, 8, L"a", &end, &left, 0) == STATUS_SUCCESS && left == 7);
    CHECK(RtlStringCbCopyEx(to, 16, L"a", &end, &left, 0) == STATUS_SUCCESS && left == 14);
    CHECK(RtlStringCchCopyNEx(to, 8, L"a", 1, &end, &left, 0) == STATUS_SUCCESS && left == 7);
    CHECK(RtlStringCbCopyNEx(to, 16, L"a", 2, &end, &left, 0) == STATUS_SUCCESS && left == 14);
    CHECK(RtlStringCchCat(to, 8, L"b") == STATUS_SUCCESS && RtlStringCbCat(to, 16, L"c") == STATUS_SUCCESS);
    CHECK(RtlStringCchCatN(to, 8, L"d", 1) == STATUS_SUCCESS && RtlStringCbCatN(to, 16, L"e", 2) == STATUS_SUCCESS);
    CHECK(RtlStringCchLength(to, 8, &left) == STATUS_SUCCESS && left == 5);
    CHECK(RtlStringCbLength(to, 16, &left) == STATUS_SUCCESS && left == 10);
    CHECK(RtlStringCchCatEx(to, 8, L"f", &end, &left, 0) == STATUS_SUCCESS && left == 2);
    CHECK(RtlStringCbCatEx(to, 16, L"g", &end, &left, 0) == STATUS_SUCCESS && left == 2);
    CHECK(RtlStringCchCatNEx(to, 8, L"", 1, &end, &left, 0) == STATUS_SUCCESS && left == 1);
    CHECK(RtlStringCbCatNEx(to, 16, L"h", 2, &end, &left, 0) == STATUS_BUFFER_OVERFLOW && left == 2);
    CHECK(RtlStringCchPrintf(to, 8, L"%d", 1) == STATUS_SUCCESS &&
          RtlStringCbPrintf(to, 16, L"%d", 2) == STATUS_SUCCESS);
    CHECK(RtlStringCchPrintfEx(to, 8, &end, &left, 0, L"%d", 1) == STATUS_SUCCESS && left == 7);
    CHECK(RtlStringCbPrintfEx(to, 16, &end, &left, 0, L"%d", 1) == STATUS_SUCCESS && left == 14);
    CHECK(RtlStringCchVPrintf == RtlStringCchVPrintfW && RtlStringCbVPrintf == RtlStringCbVPrintfW);
    CHECK(RtlStringCchVPrintfEx == RtlStringCchVPrintfExW && RtlStringCbVPrintfEx == RtlStringCbVPrintfExW);
}

void check_counted_strings(PCHECKS checks) {
    check_copies(checks);
    check_appends(checks);
    check_others(checks);
    check_names(checks);
}
