/* The string-safe functions of one character type. <ntstrsafe.h> includes this file once for A and once for W, having
 * defined DIRQL_SS_CHAR, DIRQL_SS_NAME(name) and DIRQL_SS_VPRINTF. Hence no guard.
 *
 * Cch functions count characters, Cb functions bytes; sizes include the terminating null. A text that does not fit is
 * cut, terminated, and answered with STATUS_BUFFER_OVERFLOW; everything else that is wrong with
 * STATUS_INVALID_PARAMETER. (Sources: the "ntstrsafe.h" pages and "Using Safe String Functions".) */

#define DIRQL_SS_WORKER(name) DIRQL_SS_NAME(dirql_ss_##name)

DIRQL_SS_FUNCTION size_t DIRQL_SS_WORKER(length)(const DIRQL_SS_CHAR *text, size_t limit) {
    size_t length = 0;
    while (length < limit && text[length] != 0) {
        ++length;
    }
    return length;
}

/* Copies up to `limit` characters into `size` (at least one) and terminates. */
DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(copy)(DIRQL_SS_CHAR *to, size_t size, const DIRQL_SS_CHAR *from,
                                                 size_t limit, size_t *copied) {
    size_t length = 0;
    while (length < size && length < limit && from[length] != 0) {
        to[length] = from[length];
        ++length;
    }
    NTSTATUS status = length == size ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
    length -= length == size;
    to[length] = 0;
    *copied = length;
    return status;
}

DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(format)(DIRQL_SS_CHAR *to, size_t size, const DIRQL_SS_CHAR *format,
                                                   va_list arguments, size_t *written) {
    int length = DIRQL_SS_VPRINTF(to, size - 1, format, arguments);
    BOOLEAN cut = length < 0 || (size_t)length > size - 1;
    *written = cut ? size - 1 : (size_t)length;
    to[*written] = 0;
    return cut ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* The state of an Ex function: what flags ask for is done to it at the end. */
typedef struct DIRQL_SS_NAME(_DIRQL_SS_TARGET) {
    DIRQL_SS_CHAR *text;
    size_t size;     /* characters */
    size_t bytes;    /* the same, with an odd byte that a Cb caller gave */
    size_t original; /* characters that stood there before */
    size_t end;
    ULONG flags;
    BOOLEAN append;
    BOOLEAN writable; /* there is room for a terminator at least */
} DIRQL_SS_NAME(DIRQL_SS_TARGET);

DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(open)(DIRQL_SS_NAME(DIRQL_SS_TARGET) * target, DIRQL_SS_CHAR *text,
                                                 size_t bytes, ULONG flags, BOOLEAN append) {
    BOOLEAN nulls = (flags & STRSAFE_IGNORE_NULLS) != 0;
    target->text = text;
    target->bytes = bytes;
    target->size = bytes / sizeof(DIRQL_SS_CHAR);
    target->original = target->end = 0;
    target->flags = flags;
    target->append = append;
    target->writable = FALSE;
    if (target->size > NTSTRSAFE_MAX_CCH || (text == NULL) > (target->size == 0) || (target->size == 0 && !nulls)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (append && text != NULL) {
        target->original = DIRQL_SS_WORKER(length)(text, target->size);
        target->end = target->original;
        if (target->original == target->size) {
            return STATUS_INVALID_PARAMETER;
        }
    }
    target->writable = target->size != 0;
    return (flags & ~STRSAFE_VALID_FLAGS) != 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
}

DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(put)(DIRQL_SS_NAME(DIRQL_SS_TARGET) * target, const DIRQL_SS_CHAR *from,
                                                size_t limit) {
    if (from == NULL && !(target->flags & STRSAFE_IGNORE_NULLS)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (limit > NTSTRSAFE_MAX_LENGTH) {
        return STATUS_INVALID_PARAMETER;
    }
    limit = from == NULL ? 0 : limit;
    if (target->size == 0) {
        BOOLEAN nothing = limit == 0 || from[0] == 0;
        return nothing ? STATUS_SUCCESS : target->text == NULL ? STATUS_INVALID_PARAMETER : STATUS_BUFFER_OVERFLOW;
    }
    size_t copied;
    NTSTATUS status =
        DIRQL_SS_WORKER(copy)(target->text + target->end, target->size - target->end, from, limit, &copied);
    target->end += copied;
    return status;
}

DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(put_format)(DIRQL_SS_NAME(DIRQL_SS_TARGET) * target,
                                                       const DIRQL_SS_CHAR *format, va_list arguments) {
    if (format == NULL && !(target->flags & STRSAFE_IGNORE_NULLS)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (target->size == 0) {
        BOOLEAN nothing = format == NULL || format[0] == 0;
        return nothing ? STATUS_SUCCESS : target->text == NULL ? STATUS_INVALID_PARAMETER : STATUS_BUFFER_OVERFLOW;
    }
    if (format == NULL) {
        target->text[0] = 0;
        return STATUS_SUCCESS;
    }
    return DIRQL_SS_WORKER(format)(target->text, target->size, format, arguments, &target->end);
}

/* Without flags a copy that was refused leaves an empty text, an append what stood there. */
DIRQL_SS_FUNCTION void DIRQL_SS_WORKER(apply_failure)(DIRQL_SS_NAME(DIRQL_SS_TARGET) * target, NTSTATUS status) {
    if (status == STATUS_INVALID_PARAMETER && !target->append) {
        target->end = 0;
        target->text[0] = 0;
    }
    if ((target->flags & STRSAFE_NO_TRUNCATION) && status == STATUS_BUFFER_OVERFLOW) {
        target->end = target->original;
        target->text[target->end] = 0;
    }
    if (target->flags & STRSAFE_FILL_ON_FAILURE) {
        UCHAR fill = (UCHAR)(target->flags & 0xFF);
        memset(target->text, fill, target->bytes);
        target->end = fill == 0 ? 0 : target->size - 1;
        target->text[target->end] = 0;
    }
    if (target->flags & STRSAFE_NULL_ON_FAILURE) {
        target->end = 0;
        target->text[0] = 0;
    }
}

DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(close)(const DIRQL_SS_NAME(DIRQL_SS_TARGET) * opened, NTSTATUS status,
                                                  DIRQL_SS_CHAR **end, size_t *remaining_bytes) {
    DIRQL_SS_NAME(DIRQL_SS_TARGET) target = *opened;
    if (!NT_SUCCESS(status)) {
        if (target.writable) {
            DIRQL_SS_WORKER(apply_failure)(&target, status);
        }
    } else if ((target.flags & STRSAFE_FILL_BEHIND_NULL) && target.end + 1 < target.size) {
        size_t used = (target.end + 1) * sizeof(DIRQL_SS_CHAR);
        memset((char *)target.text + used, (int)(target.flags & 0xFF), target.bytes - used);
    }
    if (NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) {
        if (end != NULL) {
            *end = target.text == NULL ? NULL : target.text + target.end;
        }
        if (remaining_bytes != NULL) {
            *remaining_bytes = target.bytes - target.end * sizeof(DIRQL_SS_CHAR);
        }
    }
    return status;
}

/* Copies or appends up to `limit` characters. */
DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_WORKER(put_text)(DIRQL_SS_CHAR *to, size_t bytes, const DIRQL_SS_CHAR *from,
                                                     size_t limit, DIRQL_SS_CHAR **end, size_t *remaining_bytes,
                                                     ULONG flags, BOOLEAN append) {
    DIRQL_SS_NAME(DIRQL_SS_TARGET) target;
    NTSTATUS status = DIRQL_SS_WORKER(open)(&target, to, bytes, flags, append);
    status = NT_SUCCESS(status) ? DIRQL_SS_WORKER(put)(&target, from, limit) : status;
    return DIRQL_SS_WORKER(close)(&target, status, end, remaining_bytes);
}

/* One Cb and one Cch function from each description. UNIT is the bytes that a count of the caller's stands for. */
#define DIRQL_SS_COPYING(Verb, Count, UNIT, append) \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Verb##Ex)( \
        DIRQL_SS_CHAR * pszDest, size_t size, const DIRQL_SS_CHAR *pszSrc, DIRQL_SS_CHAR **ppszDestEnd, \
        size_t *pRemaining, ULONG dwFlags) { \
        NTSTATUS status = DIRQL_SS_WORKER(put_text)(pszDest, dirql_ss_bytes(size, UNIT), pszSrc, NTSTRSAFE_MAX_LENGTH, \
                                                    ppszDestEnd, pRemaining, dwFlags, append); \
        dirql_ss_to_units(pRemaining, status, UNIT); \
        return status; \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Verb##NEx)( \
        DIRQL_SS_CHAR * pszDest, size_t size, const DIRQL_SS_CHAR *pszSrc, size_t toCopy, DIRQL_SS_CHAR **ppszDestEnd, \
        size_t *pRemaining, ULONG dwFlags) { \
        size_t limit = dirql_ss_bytes(toCopy, UNIT) / sizeof(DIRQL_SS_CHAR); \
        NTSTATUS status = DIRQL_SS_WORKER(put_text)(pszDest, dirql_ss_bytes(size, UNIT), pszSrc, limit, ppszDestEnd, \
                                                    pRemaining, dwFlags, append); \
        dirql_ss_to_units(pRemaining, status, UNIT); \
        return status; \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Verb)(DIRQL_SS_CHAR * pszDest, size_t size, \
                                                                     const DIRQL_SS_CHAR *pszSrc) { \
        return DIRQL_SS_NAME(RtlString##Count##Verb##Ex)(pszDest, size, pszSrc, NULL, NULL, 0); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Verb##N)(DIRQL_SS_CHAR * pszDest, size_t size, \
                                                                        const DIRQL_SS_CHAR *pszSrc, size_t toCopy) { \
        return DIRQL_SS_NAME(RtlString##Count##Verb##NEx)(pszDest, size, pszSrc, toCopy, NULL, NULL, 0); \
    }

#define DIRQL_SS_FORMATTING(Count, UNIT) \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##VPrintfEx)( \
        DIRQL_SS_CHAR * pszDest, size_t size, DIRQL_SS_CHAR * *ppszDestEnd, size_t * pRemaining, ULONG dwFlags, \
        const DIRQL_SS_CHAR *pszFormat, va_list argList) { \
        DIRQL_SS_NAME(DIRQL_SS_TARGET) target; \
        size_t bytes = dirql_ss_bytes(size, UNIT); \
        NTSTATUS status = DIRQL_SS_WORKER(open)(&target, pszDest, bytes, dwFlags, FALSE); \
        status = NT_SUCCESS(status) ? DIRQL_SS_WORKER(put_format)(&target, pszFormat, argList) : status; \
        status = DIRQL_SS_WORKER(close)(&target, status, ppszDestEnd, pRemaining); \
        dirql_ss_to_units(pRemaining, status, UNIT); \
        return status; \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##VPrintf)( \
        DIRQL_SS_CHAR * pszDest, size_t size, const DIRQL_SS_CHAR *pszFormat, va_list argList) { \
        return DIRQL_SS_NAME(RtlString##Count##VPrintfEx)(pszDest, size, NULL, NULL, 0, pszFormat, argList); \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##PrintfEx)( \
        DIRQL_SS_CHAR * pszDest, size_t size, DIRQL_SS_CHAR * *ppszDestEnd, size_t * pRemaining, ULONG dwFlags, \
        const DIRQL_SS_CHAR *pszFormat, ...) { \
        va_list arguments; \
        va_start(arguments, pszFormat); \
        NTSTATUS status = DIRQL_SS_NAME(RtlString##Count##VPrintfEx)(pszDest, size, ppszDestEnd, pRemaining, dwFlags, \
                                                                     pszFormat, arguments); \
        va_end(arguments); \
        return status; \
    } \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Printf)(DIRQL_SS_CHAR * pszDest, size_t size, \
                                                                       const DIRQL_SS_CHAR *pszFormat, ...) { \
        va_list arguments; \
        va_start(arguments, pszFormat); \
        NTSTATUS status = DIRQL_SS_NAME(RtlString##Count##VPrintf)(pszDest, size, pszFormat, arguments); \
        va_end(arguments); \
        return status; \
    }

#define DIRQL_SS_MEASURING(Count, UNIT) \
    DIRQL_SS_FUNCTION NTSTATUS DIRQL_SS_NAME(RtlString##Count##Length)(const DIRQL_SS_CHAR *psz, size_t max, \
                                                                       size_t *pLength) { \
        size_t limit = dirql_ss_bytes(max, UNIT) / sizeof(DIRQL_SS_CHAR); \
        BOOLEAN usable = psz != NULL && limit <= NTSTRSAFE_MAX_CCH; \
        size_t length = usable ? DIRQL_SS_WORKER(length)(psz, limit) : 0; \
        BOOLEAN found = usable && length < limit; \
        if (pLength != NULL) { \
            *pLength = found ? length * sizeof(DIRQL_SS_CHAR) / (UNIT) : 0; \
        } \
        return found ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER; \
    }

#ifndef NTSTRSAFE_NO_CCH_FUNCTIONS
DIRQL_SS_COPYING(Copy, Cch, sizeof(DIRQL_SS_CHAR), FALSE)
DIRQL_SS_COPYING(Cat, Cch, sizeof(DIRQL_SS_CHAR), TRUE)
DIRQL_SS_FORMATTING(Cch, sizeof(DIRQL_SS_CHAR))
DIRQL_SS_MEASURING(Cch, sizeof(DIRQL_SS_CHAR))
#endif
#ifndef NTSTRSAFE_NO_CB_FUNCTIONS
DIRQL_SS_COPYING(Copy, Cb, 1, FALSE)
DIRQL_SS_COPYING(Cat, Cb, 1, TRUE)
DIRQL_SS_FORMATTING(Cb, 1)
DIRQL_SS_MEASURING(Cb, 1)
#endif

#undef DIRQL_SS_COPYING
#undef DIRQL_SS_FORMATTING
#undef DIRQL_SS_MEASURING
#undef DIRQL_SS_WORKER
