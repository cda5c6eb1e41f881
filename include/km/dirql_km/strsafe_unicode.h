/* The string-safe functions of UNICODE_STRING: the target's room is its MaximumLength; no terminator is written.
 * Only <ntstrsafe.h> includes this file. */
#pragma once

#define DIRQL_SS_UNICODE_FLAGS \
    (0xFFU | STRSAFE_FILL_BEHIND | STRSAFE_IGNORE_NULLS | STRSAFE_FILL_ON_FAILURE | STRSAFE_ZERO_LENGTH_ON_FAILURE | \
     STRSAFE_NO_TRUNCATION)

/* Well formed: even lengths, Length within MaximumLength, a buffer unless both are zero. */
DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringValidateEx(PCUNICODE_STRING SourceString, ULONG dwFlags) {
    if ((dwFlags & ~(ULONG)STRSAFE_IGNORE_NULLS) != 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if (SourceString == NULL) {
        return dwFlags & STRSAFE_IGNORE_NULLS ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }
    BOOLEAN odd = (SourceString->Length % sizeof(WCHAR)) != 0 || (SourceString->MaximumLength % sizeof(WCHAR)) != 0;
    BOOLEAN overlong = SourceString->Length > SourceString->MaximumLength;
    BOOLEAN homeless = SourceString->Buffer == NULL && SourceString->MaximumLength != 0;
    return odd || overlong || homeless ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringValidate(PCUNICODE_STRING SourceString) {
    return RtlUnicodeStringValidateEx(SourceString, 0);
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringInitEx(PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszSrc,
                                                  ULONG dwFlags) {
    if ((dwFlags & ~(ULONG)STRSAFE_IGNORE_NULLS) != 0 || DestinationString == NULL) {
        return dwFlags == STRSAFE_IGNORE_NULLS && pszSrc == NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    }
    size_t length = pszSrc == NULL ? 0 : dirql_ss_lengthW(pszSrc, NTSTRSAFE_UNICODE_STRING_MAX_CCH);
    BOOLEAN fits = pszSrc == NULL || length < NTSTRSAFE_UNICODE_STRING_MAX_CCH;
    DestinationString->Length = (USHORT)(fits ? length * sizeof(WCHAR) : 0);
    DestinationString->MaximumLength = (USHORT)(fits && pszSrc != NULL ? (length + 1) * sizeof(WCHAR) : 0);
    DestinationString->Buffer = fits ? (PWSTR)pszSrc : NULL;
    return fits ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszSrc) {
    return RtlUnicodeStringInitEx(DestinationString, pszSrc, STRSAFE_IGNORE_NULLS);
}

/* What the flags ask for once the target holds `length` of its `room` characters; `original` stood there before. */
DIRQL_SS_FUNCTION NTSTATUS dirql_ss_unicode_close(PUNICODE_STRING to, size_t length, size_t original, NTSTATUS status,
                                                  PUNICODE_STRING remaining, ULONG flags) {
    size_t room = to->MaximumLength / sizeof(WCHAR);
    if (NT_SUCCESS(status)) {
        if (flags & STRSAFE_FILL_BEHIND) {
            memset(to->Buffer + length, (int)(flags & 0xFF), (room - length) * sizeof(WCHAR));
        }
    } else {
        if ((flags & STRSAFE_NO_TRUNCATION) && status == STATUS_BUFFER_OVERFLOW) {
            length = original;
        }
        if (flags & STRSAFE_FILL_ON_FAILURE) {
            memset(to->Buffer, (int)(flags & 0xFF), room * sizeof(WCHAR));
            length = 0;
        }
        if (flags & STRSAFE_ZERO_LENGTH_ON_FAILURE) {
            length = 0;
        }
    }
    to->Length = (USHORT)(length * sizeof(WCHAR));
    if (remaining != NULL && (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW)) {
        remaining->Length = 0;
        remaining->MaximumLength = (USHORT)((room - length) * sizeof(WCHAR));
        remaining->Buffer = to->Buffer + length;
    }
    return status;
}

/* A count of characters that is no limit, and a count of the caller's, which is never that one. */
#define DIRQL_SS_ALL MAXSIZE_T
#define DIRQL_SS_COUNT(count, unit) ((count) / (unit) - ((count) / (unit) == DIRQL_SS_ALL))

/* Copies or appends `count` characters of `from`, or up to its null. */
DIRQL_SS_FUNCTION NTSTATUS dirql_ss_unicode_put(PUNICODE_STRING to, BOOLEAN append, const WCHAR *from, size_t count,
                                                BOOLEAN stop_at_null, PUNICODE_STRING remaining, ULONG flags) {
    if ((flags & ~DIRQL_SS_UNICODE_FLAGS) != 0 || !NT_SUCCESS(RtlUnicodeStringValidate(to))) {
        return STATUS_INVALID_PARAMETER;
    }
    size_t room = to->MaximumLength / sizeof(WCHAR);
    size_t original = append ? to->Length / sizeof(WCHAR) : 0;
    size_t length = original;
    if ((count > NTSTRSAFE_UNICODE_STRING_MAX_CCH && count != DIRQL_SS_ALL) ||
        (from == NULL && !(flags & STRSAFE_IGNORE_NULLS))) {
        return dirql_ss_unicode_close(to, length, original, STATUS_INVALID_PARAMETER, remaining, flags);
    }
    size_t taken = 0;
    NTSTATUS status = STATUS_SUCCESS;
    while (from != NULL && taken < count && !(stop_at_null && from[taken] == 0)) {
        if (length == room) {
            status = STATUS_BUFFER_OVERFLOW;
            break;
        }
        to->Buffer[length++] = from[taken++];
    }
    return dirql_ss_unicode_close(to, length, original, status, remaining, flags);
}

DIRQL_SS_FUNCTION NTSTATUS dirql_ss_unicode_put_string(PUNICODE_STRING to, BOOLEAN append, PCUNICODE_STRING from,
                                                       size_t count, PUNICODE_STRING remaining, ULONG flags) {
    if (!NT_SUCCESS(RtlUnicodeStringValidateEx(from, flags & STRSAFE_IGNORE_NULLS))) {
        return STATUS_INVALID_PARAMETER;
    }
    size_t length = from == NULL ? 0 : from->Length / sizeof(WCHAR);
    ULONG with_empty = flags | (from != NULL && from->Buffer == NULL ? STRSAFE_IGNORE_NULLS : 0);
    BOOLEAN whole = count == DIRQL_SS_ALL || (count >= length && count <= NTSTRSAFE_UNICODE_STRING_MAX_CCH);
    size_t taken = whole ? length : count;
    return dirql_ss_unicode_put(to, append, from == NULL ? NULL : from->Buffer, taken, FALSE, remaining, with_empty);
}

#define DIRQL_SS_UNICODE(Verb, append) \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Verb##StringEx( \
        PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszSrc, PUNICODE_STRING RemainingString, ULONG dwFlags) { \
        return dirql_ss_unicode_put(DestinationString, append, pszSrc, DIRQL_SS_ALL, TRUE, RemainingString, dwFlags); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Verb##String(PUNICODE_STRING DestinationString, \
                                                              NTSTRSAFE_PCWSTR pszSrc) { \
        return RtlUnicodeString##Verb##StringEx(DestinationString, pszSrc, NULL, 0); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Verb##Ex(PUNICODE_STRING DestinationString, \
                                                          PCUNICODE_STRING SourceString, \
                                                          PUNICODE_STRING RemainingString, ULONG dwFlags) { \
        return dirql_ss_unicode_put_string(DestinationString, append, SourceString, DIRQL_SS_ALL, RemainingString, \
                                           dwFlags); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Verb(PUNICODE_STRING DestinationString, \
                                                      PCUNICODE_STRING SourceString) { \
        return RtlUnicodeString##Verb##Ex(DestinationString, SourceString, NULL, 0); \
    }

#define DIRQL_SS_UNICODE_N(Verb, Count, UNIT, append) \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Count##Verb##StringNEx( \
        PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszSrc, size_t toCopy, PUNICODE_STRING RemainingString, \
        ULONG dwFlags) { \
        return dirql_ss_unicode_put(DestinationString, append, pszSrc, DIRQL_SS_COUNT(toCopy, UNIT), TRUE, \
                                    RemainingString, dwFlags); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Count##Verb##StringN(PUNICODE_STRING DestinationString, \
                                                                      NTSTRSAFE_PCWSTR pszSrc, size_t toCopy) { \
        return RtlUnicodeString##Count##Verb##StringNEx(DestinationString, pszSrc, toCopy, NULL, 0); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Count##Verb##NEx(PUNICODE_STRING DestinationString, \
                                                                  PCUNICODE_STRING SourceString, size_t toCopy, \
                                                                  PUNICODE_STRING RemainingString, ULONG dwFlags) { \
        return dirql_ss_unicode_put_string(DestinationString, append, SourceString, DIRQL_SS_COUNT(toCopy, UNIT), \
                                           RemainingString, dwFlags); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeString##Count##Verb##N(PUNICODE_STRING DestinationString, \
                                                                PCUNICODE_STRING SourceString, size_t toCopy) { \
        return RtlUnicodeString##Count##Verb##NEx(DestinationString, SourceString, toCopy, NULL, 0); \
    }

DIRQL_SS_UNICODE(Copy, FALSE)
DIRQL_SS_UNICODE(Cat, TRUE)

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringVPrintfEx(PUNICODE_STRING DestinationString, PUNICODE_STRING RemainingString,
                                                     ULONG dwFlags, NTSTRSAFE_PCWSTR pszFormat, va_list argList) {
    if ((dwFlags & ~DIRQL_SS_UNICODE_FLAGS) != 0 || !NT_SUCCESS(RtlUnicodeStringValidate(DestinationString)) ||
        (pszFormat == NULL && !(dwFlags & STRSAFE_IGNORE_NULLS))) {
        return STATUS_INVALID_PARAMETER;
    }
    size_t room = DestinationString->MaximumLength / sizeof(WCHAR);
    int length = pszFormat == NULL ? 0 : DIRQL_SS_FORMAT_W(DestinationString->Buffer, room, pszFormat, argList);
    BOOLEAN cut = (BOOLEAN)(length < 0 || (size_t)length > room);
    return dirql_ss_unicode_close(DestinationString, cut ? room : (size_t)length, 0,
                                  cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS, RemainingString, dwFlags);
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszFormat,
                                                   va_list argList) {
    return RtlUnicodeStringVPrintfEx(DestinationString, NULL, 0, pszFormat, argList);
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringPrintfEx(PUNICODE_STRING DestinationString, PUNICODE_STRING RemainingString,
                                                    ULONG dwFlags, NTSTRSAFE_PCWSTR pszFormat, ...) {
    va_list arguments;
    va_start(arguments, pszFormat);
    NTSTATUS status = RtlUnicodeStringVPrintfEx(DestinationString, RemainingString, dwFlags, pszFormat, arguments);
    va_end(arguments);
    return status;
}

DIRQL_SS_FUNCTION NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, NTSTRSAFE_PCWSTR pszFormat, ...) {
    va_list arguments;
    va_start(arguments, pszFormat);
    NTSTATUS status = RtlUnicodeStringVPrintf(DestinationString, pszFormat, arguments);
    va_end(arguments);
    return status;
}

/* From a counted string into a terminated one. */
DIRQL_SS_FUNCTION NTSTATUS dirql_ss_copy_counted(NTSTRSAFE_PWSTR pszDest, size_t cbDest, PCUNICODE_STRING SourceString,
                                                 NTSTRSAFE_PWSTR *ppszDestEnd, size_t *pcbRemaining, ULONG dwFlags) {
    if (!NT_SUCCESS(RtlUnicodeStringValidateEx(SourceString, dwFlags & STRSAFE_IGNORE_NULLS))) {
        return STATUS_INVALID_PARAMETER;
    }
    size_t length = SourceString == NULL ? 0 : SourceString->Length / sizeof(WCHAR);
    const WCHAR nothing = 0;
    return dirql_ss_put_textW(pszDest, cbDest, length == 0 ? &nothing : SourceString->Buffer, length, ppszDestEnd,
                              pcbRemaining, dwFlags, FALSE);
}

#define DIRQL_SS_FROM_COUNTED(Count, UNIT) \
    DIRQL_SS_FUNCTION NTSTATUS RtlString##Count##CopyUnicodeStringEx( \
        NTSTRSAFE_PWSTR pszDest, size_t size, PCUNICODE_STRING SourceString, NTSTRSAFE_PWSTR *ppszDestEnd, \
        size_t *pRemaining, ULONG dwFlags) { \
        NTSTATUS status = dirql_ss_copy_counted(pszDest, dirql_ss_bytes(size, UNIT), SourceString, ppszDestEnd, \
                                                pRemaining, dwFlags); \
        dirql_ss_to_units(pRemaining, status, UNIT); \
        return status; \
    } \
    DIRQL_SS_FUNCTION NTSTATUS RtlString##Count##CopyUnicodeString(NTSTRSAFE_PWSTR pszDest, size_t size, \
                                                                   PCUNICODE_STRING SourceString) { \
        return RtlString##Count##CopyUnicodeStringEx(pszDest, size, SourceString, NULL, NULL, 0); \
    }

#ifndef NTSTRSAFE_NO_CCH_FUNCTIONS
DIRQL_SS_FROM_COUNTED(Cch, sizeof(WCHAR))
DIRQL_SS_UNICODE_N(Copy, Cch, 1, FALSE)
DIRQL_SS_UNICODE_N(Cat, Cch, 1, TRUE)
#endif
#ifndef NTSTRSAFE_NO_CB_FUNCTIONS
DIRQL_SS_FROM_COUNTED(Cb, 1)
DIRQL_SS_UNICODE_N(Copy, Cb, sizeof(WCHAR), FALSE)
DIRQL_SS_UNICODE_N(Cat, Cb, sizeof(WCHAR), TRUE)
#endif
#undef DIRQL_SS_FROM_COUNTED
#undef DIRQL_SS_UNICODE
#undef DIRQL_SS_UNICODE_N
