/* GetExceptionCode() in handlers: it is the code of the handler it stands in, whatever happened since. */
#include "../seh_check.h"

static void raise_(NTSTATUS status) { ExRaiseStatus(status); }

static ULONG handle(NTSTATUS status) {
    __try {
        raise_(status);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return GetExceptionCode();
    }
    return 0;
}

static void a_called_functions_handler_does_not_change_it(void) {
    __try {
        raise_(STATUS_CANCELLED);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        EXPECT(handle(STATUS_TIMEOUT) == STATUS_TIMEOUT);
        EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
    }
}

static void a_try_inside_the_handler_does_not_change_it(void) {
    __try {
        raise_(STATUS_CANCELLED);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        __try {
            EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
            raise_(STATUS_TIMEOUT);
        } __except (GetExceptionCode() == STATUS_TIMEOUT) {
            EXPECT(GetExceptionCode() == STATUS_TIMEOUT);
        }
        EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
        __try {
            EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
        } __finally {
            EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
        }
        EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
    }
}

static void three_levels_have_three_codes(void) {
    __try {
        raise_(1);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        __try {
            raise_(2);
        } __except (GetExceptionCode() == 2) {
            __try {
                raise_(3);
            } __except (GetExceptionCode() == 3) {
                EXPECT(GetExceptionCode() == 3);
            }
            EXPECT(GetExceptionCode() == 2);
        }
        EXPECT(GetExceptionCode() == 1);
    }
}

static void each_round_of_a_loop_has_its_own(void) {
    int i;
    for (i = 1; i < 100; i++) {
        __try {
            raise_(i);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            EXPECT(GetExceptionCode() == (ULONG)i);
            EXPECT(handle(i + 1) == (ULONG)i + 1);
            EXPECT(GetExceptionCode() == (ULONG)i);
        }
    }
}

static void recurse_in_handlers(int levels) {
    __try {
        raise_(levels);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        if (levels > 1) recurse_in_handlers(levels - 1);
        EXPECT(GetExceptionCode() == (ULONG)levels);
    }
}

static void handlers_that_recurse_keep_theirs(void) { recurse_in_handlers(30); }

/* Handlers that were left long ago do not use up the memory of codes. */
static ULONG handle_from_deeper(int levels) {
    volatile char room[64];
    room[0] = 0;
    return levels == 0 ? handle(7) : handle_from_deeper(levels - 1) + room[0];
}

static void handlers_left_long_ago_are_forgotten(void) {
    int i;
    __try {
        raise_(STATUS_CANCELLED);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        for (i = 0; i < 200; i++) {
            EXPECT(handle_from_deeper(i % 40) == 7);
            __try {
            } __finally {
            }
        }
        EXPECT(GetExceptionCode() == (ULONG)STATUS_CANCELLED);
    }
}

SEH_DEFINE_SUITE(code) {
    static const struct seh_check checks[] = {
        SEH_CHECK(a_called_functions_handler_does_not_change_it),
        SEH_CHECK(a_try_inside_the_handler_does_not_change_it),
        SEH_CHECK(three_levels_have_three_codes),
        SEH_CHECK(each_round_of_a_loop_has_its_own),
        SEH_CHECK(handlers_that_recurse_keep_theirs),
        SEH_CHECK(handlers_left_long_ago_are_forgotten),
        SEH_END,
    };
    return checks;
}
