/* ntintsafe.h: arithmetic and conversions that say when a result does not fit.
 *
 * Each returns STATUS_SUCCESS, or STATUS_INTEGER_OVERFLOW and all bits set in the result (a UCHAR result is 0). IRQL: any.
 * Every name is there under each of its type's spellings: RtlUShortAdd, RtlUInt16Add and RtlWordAdd. */
#pragma once
#define _NTINTSAFE_H_INCLUDED_

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_km/intsafe_types.h>
#include <ntdef.h>
#include <ntstatus.h>

typedef UCHAR BYTE;
typedef USHORT WORD;
typedef ULONG DWORD;

#define DIRQL_SAFE_RESULT(type, pResult, failed, value, error) \
    (*(pResult) = (failed) ? (type)(error) : (value), (failed) ? STATUS_INTEGER_OVERFLOW : STATUS_SUCCESS)

#define DIRQL_SAFE_OPERATIONS(Name, type) \
    DIRQL_HEADER_INLINE NTSTATUS Rtl##Name##Add(type Augend, type Addend, type *pResult) { \
        type value; \
        BOOLEAN failed = __builtin_add_overflow(Augend, Addend, &value); \
        return DIRQL_SAFE_RESULT(type, pResult, failed, value, ~0); \
    } \
    DIRQL_HEADER_INLINE NTSTATUS Rtl##Name##Sub(type Minuend, type Subtrahend, type *pResult) { \
        type value; \
        BOOLEAN failed = __builtin_sub_overflow(Minuend, Subtrahend, &value); \
        return DIRQL_SAFE_RESULT(type, pResult, failed, value, ~0); \
    } \
    DIRQL_HEADER_INLINE NTSTATUS Rtl##Name##Mult(type Multiplicand, type Multiplier, type *pResult) { \
        type value; \
        BOOLEAN failed = __builtin_mul_overflow(Multiplicand, Multiplier, &value); \
        return DIRQL_SAFE_RESULT(type, pResult, failed, value, ~0); \
    }

#define DIRQL_SAFE_CONVERSION(From, from_type, Target, to_type, error) \
    DIRQL_HEADER_INLINE NTSTATUS Rtl##From##To##Target(from_type Operand, to_type *pResult) { \
        to_type value; \
        BOOLEAN failed = __builtin_add_overflow(Operand, (from_type)0, &value); \
        return DIRQL_SAFE_RESULT(to_type, pResult, failed, value, error); \
    }

DIRQL_INTSAFE_TYPES(DIRQL_SAFE_OPERATIONS)
DIRQL_INTSAFE_CONVERSIONS(DIRQL_SAFE_CONVERSION)

#undef DIRQL_SAFE_OPERATIONS
#undef DIRQL_SAFE_CONVERSION
#undef DIRQL_SAFE_RESULT
