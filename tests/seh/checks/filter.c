/* Filters: what they see, continuing execution, and what happens when one fails itself. */
#include "../seh_check.h"

static void raise_(NTSTATUS status) { ExRaiseStatus(status); }

static void raise_with(NTSTATUS status, ULONG flags, ULONG parameters) {
    EXCEPTION_RECORD record;
    ULONG i;
    record.ExceptionCode = status;
    record.ExceptionFlags = flags;
    record.ExceptionRecord = NULL;
    record.ExceptionAddress = NULL;
    record.NumberParameters = parameters;
    for (i = 0; i < parameters; i++) record.ExceptionInformation[i] = 100 + i;
    RtlRaiseException(&record);
}

static int copy_record(PEXCEPTION_POINTERS pointers, EXCEPTION_RECORD* copy, int answer) {
    *copy = *pointers->ExceptionRecord;
    return answer;
}

static void a_filter_sees_the_whole_record(void) {
    EXCEPTION_RECORD seen;
    __try {
        raise_with(STATUS_UNSUCCESSFUL, 0, 3);
    } __except (copy_record(GetExceptionInformation(), &seen, EXCEPTION_EXECUTE_HANDLER)) {
        EXPECT((NTSTATUS)seen.ExceptionCode == STATUS_UNSUCCESSFUL);
        EXPECT(seen.NumberParameters == 3);
        EXPECT(seen.ExceptionInformation[0] == 100 && seen.ExceptionInformation[2] == 102);
        EXPECT(seen.ExceptionAddress != NULL);
    }
}

static int in_function(PVOID address, void (*function)(NTSTATUS)) {
    return (ULONG_PTR)address > (ULONG_PTR)function && (ULONG_PTR)address < (ULONG_PTR)function + 256;
}

static int context_points_at(PEXCEPTION_POINTERS pointers, void (*function)(NTSTATUS)) {
    return in_function((PVOID)(ULONG_PTR)pointers->ContextRecord->Rip, function) &&
           in_function(pointers->ExceptionRecord->ExceptionAddress, function);
}

static void the_raise_has_the_callers_address(void) {
    int right = 0;
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (right = context_points_at(GetExceptionInformation(), raise_), EXCEPTION_EXECUTE_HANDLER) {
    }
    EXPECT(right);
}

static void the_other_spellings_mean_the_same(void) {
    ULONG in_filter = 0;
    PEXCEPTION_POINTERS pointers = NULL;
    __try {
        raise_(STATUS_CANCELLED);
    } __except (in_filter = _exception_code(), pointers = (PEXCEPTION_POINTERS)_exception_info(),
                EXCEPTION_EXECUTE_HANDLER) {
        EXPECT(exception_code() == (ULONG)STATUS_CANCELLED);
    }
    EXPECT(in_filter == (ULONG)STATUS_CANCELLED);
    EXPECT(pointers != NULL);
}

static void a_continuable_raise_goes_on(void) {
    int asked = 0, after = 0;
    __try {
        raise_with(STATUS_UNSUCCESSFUL, 0, 0);
        after = 1;
        raise_with(STATUS_UNSUCCESSFUL, 0, 0);
        after = 2;
    } __except (asked++, EXCEPTION_CONTINUE_EXECUTION) {
        after = -1;
    }
    EXPECT(asked == 2);
    EXPECT(after == 2);
}

static void a_constant_may_continue_execution(void) {
    int after = 0;
    __try {
        raise_with(STATUS_UNSUCCESSFUL, 0, 0);
        after = 1;
    } __except (EXCEPTION_CONTINUE_EXECUTION) {
        after = -1;
    }
    EXPECT(after == 1);
}

static int open_page(PEXCEPTION_POINTERS pointers, char* page, int* count) {
    char* address = (char*)pointers->ExceptionRecord->ExceptionInformation[1];
    ++*count;
    if (address < page || address >= page + 4096) return EXCEPTION_CONTINUE_SEARCH;
    seh_open_page(page);
    return EXCEPTION_CONTINUE_EXECUTION;
}

static void a_fault_is_tried_again(void) {
    int a = 6, b = 15, w = 28, count = 0;
    char* page = seh_closed_page();
    __try {
        *(volatile int*)page = a + b;
        w += *(volatile int*)page + a * b;
    } __except (open_page(GetExceptionInformation(), page, &count)) {
        w = -1;
    }
    seh_free_page(page);
    EXPECT(count == 1);
    EXPECT(w == 28 + 21 + 90);
}

/* Arguments in memory: the filter's function stores them near a stack pointer that is not its own. */
struct large {
    int values[300];
};

static int sum_of_ends(struct large a, int b, int c, int d, int e, int f, int g, int h, struct large i) {
    return a.values[0] + a.values[299] + b + c + d + e + f + g + h + i.values[0] + i.values[299];
}

static void filters_and_finally_blocks_may_pass_large_arguments(void) {
    struct large large = {{1}};
    int in_filter = 0, in_finally = 0;
    large.values[299] = 10;
    __try {
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __finally {
            in_finally = sum_of_ends(large, 1, 2, 3, 4, 5, 6, 7, large);
        }
    } __except (in_filter = sum_of_ends(large, 1, 2, 3, 4, 5, 6, 7, large), EXCEPTION_EXECUTE_HANDLER) {
    }
    EXPECT(in_filter == 50);
    EXPECT(in_finally == 50);
    __try {
        in_filter = 0;
    } __finally {
        in_finally = sum_of_ends(large, 0, 0, 0, 0, 0, 0, 0, large);
    }
    EXPECT(in_finally == 22);
}

static int continue_search(int* count) {
    ++*count;
    return EXCEPTION_CONTINUE_SEARCH;
}

static void each_filter_is_asked_once_from_inside_out(void) {
    int inner = 0, middle = 0;
    __try {
        __try {
            __try {
                raise_(STATUS_UNSUCCESSFUL);
            } __except (note("1"), continue_search(&inner)) {
                note("!");
            }
        } __except (note("2"), continue_search(&middle)) {
            note("!");
        }
    } __except (note("3"), EXCEPTION_EXECUTE_HANDLER) {
        note("h");
    }
    EXPECT(inner == 1 && middle == 1);
    EXPECT_NOTES("123h");
}

static int read_bad_address(void) { return *BAD_ADDRESS; }

static void a_fault_in_a_filter_reaches_the_outer_handler(void) {
    ULONG code = 0;
    __try {
        __try {
            raise_(STATUS_UNSUCCESSFUL);
        } __except (read_bad_address()) {
            note("!");
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_ACCESS_VIOLATION);
    EXPECT_NOTES("");
}

static void a_raise_in_a_filter_unwinds_both(void) {
    ULONG code = 0;
    __try {
        __try {
            __try {
                raise_(STATUS_UNSUCCESSFUL);
            } __finally {
                note("i");
            }
        } __except (raise_(STATUS_CANCELLED), EXCEPTION_EXECUTE_HANDLER) {
            note("!");
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_CANCELLED);
    EXPECT_NOTES("i");
}

static int filter_with_its_own_handler(ULONG* code) {
    __try {
        return read_bad_address();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        *code = GetExceptionCode();
    }
    return EXCEPTION_EXECUTE_HANDLER;
}

static void a_filter_may_handle_its_own_exceptions(void) {
    ULONG inner = 0, outer = 0, again = 0;
    __try {
        raise_(STATUS_UNSUCCESSFUL);
    } __except (filter_with_its_own_handler(&inner) + 0 * (again = GetExceptionCode())) {
        outer = GetExceptionCode();
    }
    EXPECT(inner == (ULONG)STATUS_ACCESS_VIOLATION);
    EXPECT(again == (ULONG)STATUS_UNSUCCESSFUL);
    EXPECT(outer == (ULONG)STATUS_UNSUCCESSFUL);
}

/* Frames between the raise and the filter that failed are asked about the new exception too, and told so. */
static int note_nested(PEXCEPTION_POINTERS pointers) {
    note((pointers->ExceptionRecord->ExceptionFlags & EXCEPTION_NESTED_CALL) ? "n" : "f");
    return EXCEPTION_CONTINUE_SEARCH;
}

static void frames_in_between_are_told_of_nesting(void) {
    __try {
        __try {
            __try {
                raise_(STATUS_UNSUCCESSFUL);
            } __except (note("1"), note_nested(GetExceptionInformation())) {
                note("!");
            }
        } __except (note("2"), read_bad_address()) {
            note("!");
        }
    } __except (note("3"), note_nested(GetExceptionInformation()), EXCEPTION_EXECUTE_HANDLER) {
        note("h");
    }
    EXPECT_NOTES("1f21n3fh");
}

static int chained_status(PEXCEPTION_POINTERS pointers, NTSTATUS* original) {
    PEXCEPTION_RECORD cause = pointers->ExceptionRecord->ExceptionRecord;
    *original = cause ? (NTSTATUS)cause->ExceptionCode : STATUS_SUCCESS;
    return EXCEPTION_EXECUTE_HANDLER;
}

static void what_cannot_continue_raises_again(void) {
    ULONG code = 0;
    NTSTATUS original = STATUS_SUCCESS;
    __try {
        __try {
            raise_(STATUS_CANCELLED);
            note("!");
        } __except (EXCEPTION_CONTINUE_EXECUTION) {
            note("!");
        }
    } __except (chained_status(GetExceptionInformation(), &original)) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_NONCONTINUABLE_EXCEPTION);
    EXPECT(original == STATUS_CANCELLED);
    EXPECT_NOTES("");
}

SEH_DEFINE_SUITE(filter) {
    static const struct seh_check checks[] = {
        SEH_CHECK(a_filter_sees_the_whole_record),
        SEH_CHECK(the_raise_has_the_callers_address),
        SEH_CHECK(the_other_spellings_mean_the_same),
        SEH_CHECK(a_continuable_raise_goes_on),
        SEH_CHECK(a_constant_may_continue_execution),
        SEH_CHECK(a_fault_is_tried_again),
        SEH_CHECK(filters_and_finally_blocks_may_pass_large_arguments),
        SEH_CHECK(each_filter_is_asked_once_from_inside_out),
        SEH_CHECK(a_fault_in_a_filter_reaches_the_outer_handler),
        SEH_CHECK(a_raise_in_a_filter_unwinds_both),
        SEH_CHECK(a_filter_may_handle_its_own_exceptions),
        SEH_CHECK(frames_in_between_are_told_of_nesting),
        SEH_CHECK(what_cannot_continue_raises_again),
        SEH_END,
    };
    return checks;
}
