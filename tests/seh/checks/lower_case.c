/* The lower-case keywords of excpt.h, which C sources use, and C's own extensions beside them. */
#include "../seh_check.h"

/* It would take `except` for a function. */
/* clang-format off */

static void raise_(NTSTATUS status) { ExRaiseStatus(status); }

static void try_and_except(void) {
    NTSTATUS status = STATUS_SUCCESS;
    try {
        raise_(STATUS_CANCELLED);
        status = STATUS_NOT_IMPLEMENTED;
    } except (EXCEPTION_EXECUTE_HANDLER) {
        status = GetExceptionCode();
    }
    EXPECT(status == STATUS_CANCELLED);
}

static void try_leave_and_finally(void) {
    int i;
    for (i = 0; i < 2; i++) {
        try {
            if (i == 0) leave;
            note("e");
        } finally {
            note(AbnormalTermination() ? "A" : "N");
        }
    }
    EXPECT_NOTES("NeN");
}

static void a_try_inside_a_finally_block(void) {
    try {
        note("b");
    } finally {
        try {
            raise_(STATUS_CANCELLED);
        } except (EXCEPTION_EXECUTE_HANDLER) {
            note("h");
        }
    }
    EXPECT_NOTES("bh");
}

#if !defined(__clang__)
/* gcc's nested functions: their frames lie deeper, their locals are the outer function's. */
static void functions_may_nest(void) {
    int sum = 0;
    try {
        int add_or_raise(int value) {
            int before = sum;
            try {
                if (value < 0) raise_(STATUS_CANCELLED);
                sum += value;
            } finally {
                if (AbnormalTermination()) sum = before + 1000;
            }
            return sum;
        }
        add_or_raise(1);
        add_or_raise(2);
        add_or_raise(-1);
        note("!");
    } except (GetExceptionCode() == (ULONG)STATUS_CANCELLED) {
        int read_sum(void) { return sum; }
        EXPECT(read_sum() == 1003);
    }
    EXPECT_NOTES("");
}
#endif

SEH_DEFINE_SUITE(lower_case) {
    static const struct seh_check checks[] = {
        SEH_CHECK(try_and_except),
        SEH_CHECK(try_leave_and_finally),
        SEH_CHECK(a_try_inside_a_finally_block),
#if !defined(__clang__)
        SEH_CHECK(functions_may_nest),
#endif
        SEH_END,
    };
    return checks;
}
