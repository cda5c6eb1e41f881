/* Each function of <ntintsafe.h> against arithmetic in 128 bits, at the borders of every type. */
#include "check.h"

#include <ntintsafe.h>

typedef __int128 WIDE;
typedef unsigned __int128 UWIDE;

static const LONGLONG samples[] = {
    0,
    1,
    2,
    3,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2147483647,
    2147483648LL,
    4294967295LL,
    4294967296LL,
    9223372036854775807LL,
    -1,
    -2,
    -128,
    -129,
    -32768,
    -32769,
    -2147483648LL,
    -2147483649LL,
    -9223372036854775807LL - 1,
};

/* A conversion stores the value, or fails and stores `error`. `narrowed` is what a cast gives. */
static void check_conversion(PCHECKS checks, const char* name, WIDE operand, NTSTATUS status, WIDE result,
                             WIDE narrowed, WIDE error) {
    int fits = operand == narrowed;
    int as_expected =
        fits ? status == STATUS_SUCCESS && result == operand : status == STATUS_INTEGER_OVERFLOW && result == error;
    check_that(checks, as_expected, name, __LINE__);
}

#define CONVERSION(From, from_type, Target, to_type, error) \
    for (i = 0; i < RTL_NUMBER_OF(samples); i++) { \
        from_type operand = (from_type)samples[i]; \
        to_type result = 85; \
        NTSTATUS status = Rtl##From##To##Target(operand, &result); \
        check_conversion(checks, "Rtl" #From "To" #Target, operand, status, result, (to_type)operand, \
                         (to_type)(error)); \
    }

/* Whether a result lies within a type. A signed one is exact in 128 bits; of the unsigned, a difference is negative in
 * `exact`, and sums and products are exact as unsigned. */
static void check_operation(PCHECKS checks, const char* name, NTSTATUS status, int fits, ULONGLONG result,
                            ULONGLONG expected, ULONGLONG error) {
    int as_expected =
        fits ? status == STATUS_SUCCESS && result == expected : status == STATUS_INTEGER_OVERFLOW && result == error;
    check_that(checks, as_expected, name, __LINE__);
}

#define IS_SIGNED(type) ((type)-1 < (type)1)
#define FITS(type, exact) \
    (IS_SIGNED(type) ? (WIDE)(type)(exact) == (WIDE)(exact) : (UWIDE)(type)(exact) == (UWIDE)(exact))

#define OPERATION(Name, type, Operation, symbol) \
    { \
        type result = 85; \
        NTSTATUS status = Rtl##Name##Operation(left, right, &result); \
        WIDE exact = IS_SIGNED(type) ? (WIDE)left symbol(WIDE) right : (WIDE)((UWIDE)left symbol(UWIDE) right); \
        check_operation(checks, "Rtl" #Name #Operation, status, FITS(type, exact), (ULONGLONG)result, \
                        (ULONGLONG)(type)exact, (ULONGLONG)(type) ~(type)0); \
    }

#define OPERATIONS(Name, type) \
    for (i = 0; i < RTL_NUMBER_OF(samples); i++) { \
        for (j = 0; j < RTL_NUMBER_OF(samples); j++) { \
            type left = (type)samples[i], right = (type)samples[j]; \
            OPERATION(Name, type, Add, +) \
            OPERATION(Name, type, Sub, -) \
            OPERATION(Name, type, Mult, *) \
        } \
    }

void check_integers(PCHECKS checks) {
    ULONG i, j;
    UCHAR character = 7;
    DIRQL_INTSAFE_CONVERSIONS(CONVERSION)
    DIRQL_INTSAFE_TYPES(OPERATIONS)
    CHECK(RtlIntToUChar(256, &character) == STATUS_INTEGER_OVERFLOW && character == 0);
}
