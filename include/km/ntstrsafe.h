/* ntstrsafe.h: string functions that know the size of their target.
 *
 * IRQL: any for narrow text and for copying; PASSIVE_LEVEL for wide formatting, whose conversions use paged tables. */
#pragma once
#define _NTSTRSAFE_H_INCLUDED_

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <ntdef.h>
#include <ntstatus.h>
#include <stdarg.h>
#include <string.h>

/* NTSTRSAFE_LIB, which asks for functions of a library instead of inlines, changes nothing here. Of the two kinds of counts
 * one may be left out. */
#if defined(NTSTRSAFE_NO_CCH_FUNCTIONS) && defined(NTSTRSAFE_NO_CB_FUNCTIONS)
#error NTSTRSAFE_NO_CCH_FUNCTIONS and NTSTRSAFE_NO_CB_FUNCTIONS leave no functions
#endif

/* A driver may set less. */
#ifndef NTSTRSAFE_MAX_CCH
#define NTSTRSAFE_MAX_CCH 2147483647
#elif NTSTRSAFE_MAX_CCH > 2147483647
#error NTSTRSAFE_MAX_CCH is larger than 2147483647
#endif
#define NTSTRSAFE_MAX_LENGTH (NTSTRSAFE_MAX_CCH - 1)
#ifndef NTSTRSAFE_UNICODE_STRING_MAX_CCH
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH 32767
#elif NTSTRSAFE_UNICODE_STRING_MAX_CCH > 32767
#error NTSTRSAFE_UNICODE_STRING_MAX_CCH is larger than 32767
#endif

/* The low byte is what to fill with. */
#define STRSAFE_IGNORE_NULLS 0x00000100
#define STRSAFE_FILL_BEHIND_NULL 0x00000200
#define STRSAFE_FILL_ON_FAILURE 0x00000400
#define STRSAFE_NULL_ON_FAILURE 0x00000800
#define STRSAFE_NO_TRUNCATION 0x00001000
#define STRSAFE_IGNORE_NULL_UNICODE_STRINGS 0x00010000
#define STRSAFE_UNICODE_STRING_DEST_NULL_TERMINATED 0x00020000
#define STRSAFE_FILL_BEHIND 0x00000200
#define STRSAFE_ZERO_LENGTH_ON_FAILURE 0x00000800
#define STRSAFE_VALID_FLAGS 0x00001FFF
#define STRSAFE_FILL_BYTE(x) ((ULONG)(((x)&0x000000FF) | STRSAFE_FILL_BEHIND_NULL))
#define STRSAFE_FAILURE_BYTE(x) ((ULONG)(((x)&0x000000FF) | STRSAFE_FILL_ON_FAILURE))
#define STRSAFE_GET_FILL_PATTERN(flags) ((int)((flags)&0x000000FF))

typedef CHAR *NTSTRSAFE_PSTR;
typedef const CHAR *NTSTRSAFE_PCSTR;
typedef WCHAR *NTSTRSAFE_PWSTR;
typedef const WCHAR *NTSTRSAFE_PCWSTR;
typedef const WCHAR UNALIGNED *NTSTRSAFE_PCUWSTR;

#ifdef __cplusplus
extern "C" {
#define DIRQL_SS_FUNCTION inline
#else
#define DIRQL_SS_FUNCTION static inline __attribute__((unused))
#endif

/* The formatter of the drivers' run time: a negative result says that the text did not fit. Host code calls it by the
 * name under which the library keeps it apart from the host's own run time. */
#if DIRQL_DRIVER_CODE
NTKERNELAPI int _vsnprintf(char *to, size_t limit, const char *format, va_list arguments);
NTKERNELAPI int _vsnwprintf(WCHAR *to, size_t limit, const WCHAR *format, va_list arguments);
#define DIRQL_SS_FORMAT_A _vsnprintf
#define DIRQL_SS_FORMAT_W _vsnwprintf
#else
NTKERNELAPI int dirql_crt__vsnprintf(char *to, size_t limit, const char *format, va_list arguments);
NTKERNELAPI int dirql_crt__vsnwprintf(WCHAR *to, size_t limit, const WCHAR *format, va_list arguments);
#define DIRQL_SS_FORMAT_A dirql_crt__vsnprintf
#define DIRQL_SS_FORMAT_W dirql_crt__vsnwprintf
#endif

/* A count in the caller's units as bytes; more than any limit when it would overflow. */
DIRQL_SS_FUNCTION size_t dirql_ss_bytes(size_t count, size_t unit) {
    return count > MAXSIZE_T / unit ? MAXSIZE_T : count * unit;
}

DIRQL_SS_FUNCTION void dirql_ss_to_units(size_t *remaining, NTSTATUS status, size_t unit) {
    if (remaining != NULL && (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW)) {
        *remaining /= unit;
    }
}

#define DIRQL_SS_CHAR CHAR
#define DIRQL_SS_NAME(name) name##A
#define DIRQL_SS_VPRINTF DIRQL_SS_FORMAT_A
#include <dirql_km/strsafe_family.h>
#undef DIRQL_SS_CHAR
#undef DIRQL_SS_NAME
#undef DIRQL_SS_VPRINTF

#define DIRQL_SS_CHAR WCHAR
#define DIRQL_SS_NAME(name) name##W
#define DIRQL_SS_VPRINTF DIRQL_SS_FORMAT_W
#include <dirql_km/strsafe_family.h>
#undef DIRQL_SS_CHAR
#undef DIRQL_SS_NAME
#undef DIRQL_SS_VPRINTF

/* The processor reads unaligned text as it reads any other; the compilers have to be told. */
DIRQL_SS_FUNCTION NTSTATUS dirql_ss_unaligned_length(const void *psz, size_t cbMax, size_t *pcbLength) {
    size_t limit = cbMax / sizeof(WCHAR), length = 0;
    BOOLEAN usable = psz != NULL && limit <= NTSTRSAFE_MAX_CCH, found = FALSE;
    for (; usable && !found && length < limit; length += !found) {
        WCHAR character;
        memcpy(&character, (const char *)psz + length * sizeof(WCHAR), sizeof(character));
        found = character == 0;
    }
    if (pcbLength != NULL) {
        *pcbLength = found ? length * sizeof(WCHAR) : 0;
    }
    return found ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

#ifndef NTSTRSAFE_NO_CCH_FUNCTIONS
DIRQL_SS_FUNCTION NTSTATUS RtlUnalignedStringCchLengthW(NTSTRSAFE_PCUWSTR psz, size_t cchMax, size_t *pcchLength) {
    NTSTATUS status = dirql_ss_unaligned_length(psz, dirql_ss_bytes(cchMax, sizeof(WCHAR)), pcchLength);
    dirql_ss_to_units(pcchLength, status, sizeof(WCHAR));
    return status;
}
#endif
#ifndef NTSTRSAFE_NO_CB_FUNCTIONS
DIRQL_SS_FUNCTION NTSTATUS RtlUnalignedStringCbLengthW(NTSTRSAFE_PCUWSTR psz, size_t cbMax, size_t *pcbLength) {
    return dirql_ss_unaligned_length(psz, cbMax, pcbLength);
}
#endif

#ifndef NTSTRSAFE_NO_UNICODE_STRING_FUNCTIONS
#include <dirql_km/strsafe_unicode.h>
#endif

#undef DIRQL_SS_FUNCTION
#ifdef __cplusplus
}
#endif

#include <dirql_km/strsafe_tchar.h>
