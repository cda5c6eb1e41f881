/* __finally: it runs whichever way its body is left, and AbnormalTermination() tells which. */
#include "../seh_check.h"

static void raise_(NTSTATUS status) { ExRaiseStatus(status); }

enum way { AT_THE_END, BY_LEAVE, BY_RAISE, BY_RETURN, BY_GOTO, BY_BREAK, BY_CONTINUE };

static void note_termination(int abnormal) { note(abnormal ? "A" : "N"); }

static void end_of_body(enum way way) {
    __try {
        __try {
            note("b");
            if (way == BY_LEAVE) __leave;
            if (way == BY_RAISE) raise_(STATUS_UNSUCCESSFUL);
            note("e");
        } __finally {
            note_termination(AbnormalTermination());
        }
        note("x");
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note("H");
    }
}

static void it_runs_at_the_end_of_the_body(void) {
    end_of_body(AT_THE_END);
    EXPECT_NOTES("beNx");
    end_of_body(BY_LEAVE);
    EXPECT_NOTES("bNx");
}

static void it_runs_before_the_outer_handler(void) {
    end_of_body(BY_RAISE);
    EXPECT_NOTES("bAH");
}

static int jump_out_of_body(enum way way) {
    int value = 1, i;
    for (i = 0; i < 1; i++) {
        __try {
            value = 2;
            if (way == BY_RETURN) return value + 40;
            if (way == BY_GOTO) goto out;
            if (way == BY_BREAK) break;
            if (way == BY_CONTINUE) continue;
            value = 3;
        } __finally {
            note_termination(_abnormal_termination());
            note(value == 2 ? "2" : "3");
            value = 77;
        }
        note("l");
    }
    note("x");
out:
    note("o");
    return value;
}

static void it_runs_on_every_jump_out_of_the_body(void) {
    EXPECT(jump_out_of_body(AT_THE_END) == 77);
    EXPECT_NOTES("N3lxo");
    EXPECT(jump_out_of_body(BY_GOTO) == 77);
    EXPECT_NOTES("A2o");
    EXPECT(jump_out_of_body(BY_BREAK) == 77);
    EXPECT_NOTES("A2xo");
    EXPECT(jump_out_of_body(BY_CONTINUE) == 77);
    EXPECT_NOTES("A2xo");
}

static void a_returned_value_is_fixed_before_it_runs(void) {
    EXPECT(jump_out_of_body(BY_RETURN) == 42);
    EXPECT_NOTES("A2");
}

static void break_out_of_a_switch_runs_it(void) {
    int value = 0;
    switch (value) {
    case 0: __try { break;
        } __finally {
            note("s");
        }
        value = 2;
        break;
    default: value = 3;
    }
    EXPECT(value == 0);
    EXPECT_NOTES("s");
}

static void without_braces(int guarded) {
    if (guarded) __try {
            note("b");
        } __finally {
            note("f");
        }
    else
        note("e");
}

static void it_belongs_to_the_if_before_the_try(void) {
    without_braces(1);
    EXPECT_NOTES("bf");
    without_braces(0);
    EXPECT_NOTES("e");
}

static void leave_in_a_loop_runs_each(void) {
    int i, count = 0;
    __try {
        for (i = 0; i < 3; i++) {
            __try {
                if (i == 1) __leave;
                count += 1;
            } __finally {
                count += 10;
            }
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        count = -1;
    }
    EXPECT(count == 32);
}

static void guarded_raise(void) {
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __finally {
        note("i");
    }
}

static int note_filter(void) {
    note("f");
    return EXCEPTION_EXECUTE_HANDLER;
}

static void filters_run_before_inner_finally_blocks(void) {
    __try {
        guarded_raise();
    } __except (note_filter()) {
        note("h");
    }
    EXPECT_NOTES("fih");
}

static int recurse_and_raise(int levels) {
    int result;
    if (levels == 0) {
        raise_(STATUS_UNSUCCESSFUL);
        return 0;
    }
    __try {
        result = recurse_and_raise(levels - 1);
    } __finally {
        note(".");
    }
    return result;
}

static void an_unwind_runs_all_of_them(void) {
    __try {
        recurse_and_raise(5);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note("h");
    }
    EXPECT_NOTES(".....h");
}

static int raise_in_finally_of_return(void) {
    __try {
        __try {
            __try {
                return 4;
            } __finally {
                note("1");
            }
        } __finally {
            note("2");
            raise_(STATUS_UNSUCCESSFUL);
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note("H");
        return 6;
    }
    return 7;
}

static void a_raise_in_it_takes_over_a_return(void) {
    EXPECT(raise_in_finally_of_return() == 6);
    EXPECT_NOTES("12H");
}

/* Collided unwinds: the first exception is being unwound when a __finally block raises the second. */
static void a_raise_in_it_takes_over_an_unwind(void) {
    ULONG code = 0;
    __try {
        __try {
            __try {
                raise_(STATUS_UNSUCCESSFUL);
            } __finally {
                note("1");
                raise_(STATUS_CANCELLED);
            }
        } __finally {
            note_termination(AbnormalTermination());
        }
    } __except (note("f"), EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_CANCELLED);
    EXPECT_NOTES("f1fA");
}

static void a_collision_may_end_inside_the_first_target(void) {
    ULONG inner = 0;
    int outer_ran = 0;
    __try {
        __try {
            __try {
                raise_(STATUS_UNSUCCESSFUL);
            } __finally {
                raise_(STATUS_CANCELLED);
            }
        } __except (GetExceptionCode() == (ULONG)STATUS_CANCELLED) {
            inner = GetExceptionCode();
        }
        note("x");
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        outer_ran = 1;
    }
    EXPECT(inner == (ULONG)STATUS_CANCELLED);
    EXPECT(!outer_ran);
    EXPECT_NOTES("x");
}

static void an_exception_may_be_handled_inside_it(void) {
    ULONG inner = 0, outer = 0;
    __try {
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __finally {
            __try {
                raise_(STATUS_CANCELLED);
            } __except (EXCEPTION_EXECUTE_HANDLER) {
                inner = GetExceptionCode();
            }
            note_termination(AbnormalTermination());
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        outer = GetExceptionCode();
    }
    EXPECT(inner == (ULONG)STATUS_CANCELLED);
    EXPECT(outer == (ULONG)STATUS_UNSUCCESSFUL);
    EXPECT_NOTES("A");
}

static int return_ends_the_unwind(void) {
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __finally {
        return 8;
    }
    return 9;
}

static void a_return_in_it_ends_the_unwind(void) {
    int result = 0;
    __try {
        result = return_ends_the_unwind();
        note("c");
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        note("h");
    }
    EXPECT(result == 8);
    EXPECT_NOTES("c");
}

SEH_DEFINE_SUITE(finally) {
    static const struct seh_check checks[] = {
        SEH_CHECK(it_runs_at_the_end_of_the_body),
        SEH_CHECK(it_runs_before_the_outer_handler),
        SEH_CHECK(it_runs_on_every_jump_out_of_the_body),
        SEH_CHECK(a_returned_value_is_fixed_before_it_runs),
        SEH_CHECK(break_out_of_a_switch_runs_it),
        SEH_CHECK(it_belongs_to_the_if_before_the_try),
        SEH_CHECK(leave_in_a_loop_runs_each),
        SEH_CHECK(filters_run_before_inner_finally_blocks),
        SEH_CHECK(an_unwind_runs_all_of_them),
        SEH_CHECK(a_raise_in_it_takes_over_a_return),
        SEH_CHECK(a_raise_in_it_takes_over_an_unwind),
        SEH_CHECK(a_collision_may_end_inside_the_first_target),
        SEH_CHECK(an_exception_may_be_handled_inside_it),
        SEH_CHECK(a_return_in_it_ends_the_unwind),
        SEH_END,
    };
    return checks;
}
