/* __try and __except: which handler runs, with which code, and where control goes on. */
#include "../seh_check.h"

static void raise_(NTSTATUS status) { ExRaiseStatus(status); }

static NTSTATUS status_of(NTSTATUS raised) {
    NTSTATUS status = STATUS_SUCCESS;
    __try {
        raise_(raised);
        status = STATUS_NOT_IMPLEMENTED;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        status = (NTSTATUS)GetExceptionCode();
    }
    return status;
}

static void a_handler_sees_the_raised_status(void) {
    EXPECT(status_of(STATUS_ACCESS_DENIED) == STATUS_ACCESS_DENIED);
    EXPECT(status_of(STATUS_TIMEOUT) == STATUS_TIMEOUT);
}

static int handler_is_chosen(NTSTATUS status) {
    int chosen = 0;
    __try {
        __try {
            raise_(status);
        } __except (GetExceptionCode() == (ULONG)STATUS_END_OF_FILE ? EXCEPTION_EXECUTE_HANDLER
                                                                    : EXCEPTION_CONTINUE_SEARCH) {
            chosen = 1;
        }
    } __except (GetExceptionCode() == (ULONG)STATUS_ACCESS_DENIED) {
        chosen = 2;
    }
    return chosen;
}

static void the_filter_chooses_the_handler(void) {
    EXPECT(handler_is_chosen(STATUS_END_OF_FILE) == 1);
    EXPECT(handler_is_chosen(STATUS_ACCESS_DENIED) == 2);
}

static int return_from_body(int early) {
    __try {
        if (early) return 5;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return 6;
    }
    return 7;
}

static void a_return_leaves_the_frame(void) {
    int handled = 0;
    EXPECT(return_from_body(1) == 5);
    EXPECT(return_from_body(0) == 7);
    __try {
        return_from_body(1);
        raise_(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        handled = 9;
    }
    EXPECT(handled == 9);
}

/* Returns on all paths: no warning about the function's end, which is never reached. */
static int returns_everywhere(int fail) {
    __try {
        if (fail) raise_(STATUS_UNSUCCESSFUL);
        return 1;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return 2;
    }
}

static void both_branches_may_return(void) {
    EXPECT(returns_everywhere(0) == 1);
    EXPECT(returns_everywhere(1) == 2);
}

static int goto_out_of_body(int jump) {
    int steps = 0;
    __try {
        __try {
            if (jump) goto out;
            steps = 1;
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            steps = 2;
        }
        raise_(STATUS_PENDING + 2);
    out:
        steps += 10;
        raise_(STATUS_PENDING + 3);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return (int)(GetExceptionCode() - STATUS_PENDING) * 100 + steps;
    }
    return -1;
}

static void a_goto_leaves_the_frame(void) {
    EXPECT(goto_out_of_body(1) == 310);
    EXPECT(goto_out_of_body(0) == 201);
}

static void break_and_continue_leave_the_frame(void) {
    int i, bodies = 0, handled = 0;
    for (i = 0; i < 10; i++) {
        __try {
            if (i == 2) continue;
            if (i == 5) break;
            bodies++;
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            handled = 100;
        }
    }
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        handled++;
    }
    EXPECT(i == 5);
    EXPECT(bodies == 4);
    EXPECT(handled == 1);
}

static void break_and_continue_in_a_handler_mean_the_loop(void) {
    int i, rounds = 0;
    for (i = 0; i < 10; i++) {
        __try {
            raise_(i);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            if (i == 4) break;
            if (i % 2) continue;
        }
        rounds++;
    }
    EXPECT(i == 4);
    EXPECT(rounds == 2);
}

static void leave_ends_the_body(void) {
    int steps = 0;
    __try {
        for (;;) {
            while (1) {
                steps = 3;
                __leave;
            }
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        steps = -1;
    }
    EXPECT(steps == 3);
}

static void leave_means_the_innermost_body(void) {
    int steps = 0;
    __try {
        __try {
            __leave;
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            steps = -1;
        }
        steps += 1;
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            __leave; /* of the outer body: a handler is no body */
        }
        steps += 10;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        steps = -1;
    }
    EXPECT(steps == 1);
}

static int without_braces(int guarded) {
    if (guarded) __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            return 1;
        }
    else
        return 2;
    return 3;
}

static void an_else_belongs_to_the_if_before_the_try(void) {
    EXPECT(without_braces(1) == 1);
    EXPECT(without_braces(0) == 2);
}

static void raising_in_a_handler_reaches_the_outer_handler(void) {
    ULONG code = 0;
    __try {
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            raise_(STATUS_CANCELLED);
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_CANCELLED);
}

static void a_function_may_hold_many_tries(void) {
    int handled = 0;
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        handled++;
    }
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        handled++;
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            handled += 10;
        }
    }
    __try {
    } __finally {
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            handled += 100;
        }
    }
    EXPECT(handled == 112);
}

static int stage_reached(int calls) {
    int stage = 0;
    __try {
        stage = 1;
        return_from_body(0);
        stage = 2;
        if (calls) raise_(STATUS_UNSUCCESSFUL);
        stage = 3;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return stage;
    }
    return stage + 10;
}

static void a_handler_sees_the_locals_as_they_were(void) {
    EXPECT(stage_reached(1) == 2);
    EXPECT(stage_reached(0) == 13);
}

static double floating_locals(double x) {
    double y = x * 2;
    __try {
        y = y + 1;
        raise_(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return y + x;
    }
    return 0;
}

static void floating_point_locals_survive(void) { EXPECT(floating_locals(2) == 7.0); }

static void over_aligned_locals_survive(void) {
    volatile int sum = 0;
    volatile DECLSPEC_ALIGN(64) char line[64];
    line[0] = 11;
    line[63] = 31;
    __try {
        line[0] = 12;
        raise_(STATUS_UNSUCCESSFUL);
    } __except (sum = line[0] + line[63], EXCEPTION_EXECUTE_HANDLER) {
        EXPECT(sum == 43);
        EXPECT(line[0] == 12 && line[63] == 31);
        EXPECT(((ULONG_PTR)line & 63) == 0);
    }
}

static void any_positive_answer_executes_the_handler(void) {
    int handled = 0;
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (17) {
        handled = 1;
    }
    EXPECT(handled);
}

static ULONG depth_first(int levels) {
    ULONG code = 0;
    __try {
        if (levels == 0) raise_(STATUS_UNSUCCESSFUL);
        depth_first(levels - 1);
        raise_(levels);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    return code;
}

static void recursion_has_a_frame_for_each_call(void) { EXPECT(depth_first(50) == 50); }

static void access_violation_is_raised(void) {
    ULONG code = 0, parameters = 1;
    __try {
        ExRaiseAccessViolation();
    } __except (parameters = GetExceptionInformation()->ExceptionRecord->NumberParameters, EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_ACCESS_VIOLATION);
    EXPECT(parameters == 0);
}

static void datatype_misalignment_is_raised(void) {
    ULONG code = 0;
    __try {
        ExRaiseDatatypeMisalignment();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_DATATYPE_MISALIGNMENT);
}

SEH_DEFINE_SUITE(except) {
    static const struct seh_check checks[] = {
        SEH_CHECK(a_handler_sees_the_raised_status),
        SEH_CHECK(the_filter_chooses_the_handler),
        SEH_CHECK(a_return_leaves_the_frame),
        SEH_CHECK(both_branches_may_return),
        SEH_CHECK(a_goto_leaves_the_frame),
        SEH_CHECK(break_and_continue_leave_the_frame),
        SEH_CHECK(break_and_continue_in_a_handler_mean_the_loop),
        SEH_CHECK(leave_ends_the_body),
        SEH_CHECK(leave_means_the_innermost_body),
        SEH_CHECK(an_else_belongs_to_the_if_before_the_try),
        SEH_CHECK(raising_in_a_handler_reaches_the_outer_handler),
        SEH_CHECK(a_function_may_hold_many_tries),
        SEH_CHECK(a_handler_sees_the_locals_as_they_were),
        SEH_CHECK(floating_point_locals_survive),
        SEH_CHECK(over_aligned_locals_survive),
        SEH_CHECK(any_positive_answer_executes_the_handler),
        SEH_CHECK(recursion_has_a_frame_for_each_call),
        SEH_CHECK(access_violation_is_raised),
        SEH_CHECK(datatype_misalignment_is_raised),
        SEH_END,
    };
    return checks;
}
