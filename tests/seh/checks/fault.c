/* Real faults arrive at the same handlers as raised statuses, and leave the locals as they were. */
#include "../seh_check.h"

static ULONG code_of_read(volatile int* address) {
    int value = 0;
    __try {
        value = *address;
    } __except (GetExceptionCode() == (ULONG)STATUS_ACCESS_VIOLATION) {
        return GetExceptionCode();
    }
    return value;
}

static void a_bad_read_is_an_access_violation(void) {
    volatile int good = 3;
    EXPECT(code_of_read(BAD_ADDRESS) == (ULONG)STATUS_ACCESS_VIOLATION);
    EXPECT(code_of_read(&good) == 3);
}

static int copy_record(PEXCEPTION_POINTERS pointers, EXCEPTION_RECORD* copy) {
    *copy = *pointers->ExceptionRecord;
    return EXCEPTION_EXECUTE_HANDLER;
}

static void the_record_says_how_and_where(void) {
    EXCEPTION_RECORD reading, writing;
    char* page = seh_closed_page();
    __try {
        (void)*BAD_ADDRESS;
    } __except (copy_record(GetExceptionInformation(), &reading)) {
    }
    __try {
        page[5] = 3;
    } __except (copy_record(GetExceptionInformation(), &writing)) {
    }
    seh_free_page(page);
    EXPECT(reading.NumberParameters == 2 && writing.NumberParameters == 2);
    EXPECT(reading.ExceptionInformation[0] == 0 && writing.ExceptionInformation[0] == 1);
    EXPECT(reading.ExceptionInformation[1] == 0x10 && writing.ExceptionInformation[1] == (ULONG_PTR)page + 5);
    EXPECT(reading.ExceptionFlags == 0);
    EXPECT(reading.ExceptionAddress != NULL && reading.ExceptionAddress != writing.ExceptionAddress);
}

static void a_noncanonical_address_is_not_told(void) {
    EXCEPTION_RECORD record;
    volatile int* address = (volatile int*)0x8000000000000000;
    __try {
        __asm__ volatile("movl (%0), %%eax" ::"r"(address) : "eax"); /* unseen by sanitizers */
    } __except (copy_record(GetExceptionInformation(), &record)) {
    }
    EXPECT((NTSTATUS)record.ExceptionCode == STATUS_ACCESS_VIOLATION);
    EXPECT(record.ExceptionInformation[1] == ~(ULONG_PTR)0);
}

static void a_call_of_data_is_an_access_violation(void) {
    EXCEPTION_RECORD record;
    char* page = seh_closed_page();
    seh_open_page(page); /* readable, not executable */
    __try {
        __asm__ volatile("callq *%0" ::"r"(page) : "memory");
    } __except (copy_record(GetExceptionInformation(), &record)) {
    }
    EXPECT((NTSTATUS)record.ExceptionCode == STATUS_ACCESS_VIOLATION);
    EXPECT(record.ExceptionInformation[0] == 8);
    EXPECT(record.ExceptionInformation[1] == (ULONG_PTR)page);
    seh_free_page(page);
}

static int divide(int a, volatile int b) {
    int quotient = 0;
    __asm__ volatile("cltd; idivl %1" : "=a"(quotient) : "r"(b), "a"(a) : "edx");
    return quotient;
}

static void a_division_by_zero_has_its_status(void) {
    ULONG code = 0;
    __try {
        divide(1, 0);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_INTEGER_DIVIDE_BY_ZERO);
}

static void an_illegal_instruction_has_its_status(void) {
    ULONG code = 0;
    __try {
        __asm__ volatile("ud2");
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        code = GetExceptionCode();
    }
    EXPECT(code == (ULONG)STATUS_ILLEGAL_INSTRUCTION);
}

static void a_file_that_ended_is_an_access_violation(void) {
    EXCEPTION_RECORD record;
    char* page = seh_page_of_empty_file();
    __try {
        (void)*(volatile char*)page;
    } __except (copy_record(GetExceptionInformation(), &record)) {
    }
    seh_free_page(page);
    EXPECT((NTSTATUS)record.ExceptionCode == STATUS_ACCESS_VIOLATION);
    EXPECT(record.ExceptionInformation[1] == (ULONG_PTR)page);
}

static void probe(volatile const char* buffer, size_t length) {
    size_t i;
    for (i = 0; i < length; i += 4096) (void)buffer[i];
    (void)buffer[length - 1];
}

static void copy(char* to, const volatile char* from, size_t length) {
    while (length--) *to++ = *from++;
}

static int capture(const volatile char* user_buffer, size_t length) {
    char buffer[64];
    __try {
        probe(user_buffer, length);
        copy(buffer, user_buffer, length);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return 1;
    }
    return buffer[0] == 0 ? 2 : 3;
}

static void a_fault_in_a_called_function_is_caught(void) {
    EXPECT(capture((const volatile char*)0x1000, 64) == 1);
    EXPECT(capture((const volatile char*)0x1000, 8) == 1);
}

static int stage_of_fault(volatile int* p) {
    int stage = 0, value = 0;
    __try {
        stage = 1;
        stage += *p;
        stage = 2;
        *p = 4;
        stage = 3;
        value = p[1];
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return stage;
    }
    return value + stage;
}

static int rounds_before_fault(int* good, volatile int* bad, int rounds) {
    int done = 0, i;
    __try {
        for (i = 0; i < rounds; i++) {
            *(i == 3 ? bad : good) = i;
            done++;
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return done;
    }
    return -1;
}

static void locals_are_as_the_fault_left_them(void) {
    int good = 0;
    char* page = seh_closed_page();
    EXPECT(stage_of_fault(BAD_ADDRESS) == 1);
    EXPECT(rounds_before_fault(&good, (volatile int*)page, 10) == 3);
    EXPECT(good == 2);
    seh_free_page(page);
}

static void a_thousand_faults_are_caught(void) {
    int caught = 0, i;
    for (i = 0; i < 1000; i++) {
        __try {
            (void)*BAD_ADDRESS;
        } __except (EXCEPTION_EXECUTE_HANDLER) {
            caught++;
        }
    }
    EXPECT(caught == 1000);
}

static int call_and_clean_up(int* argument, int (*callback)(volatile int*), int* cleaned) {
    int status = 0;
    __try {
        status = callback(argument);
        if (status) __leave;
        status = 2;
    } __finally {
        ++*cleaned;
    }
    return status;
}

static int read_callback(volatile int* p) { return *p; }

static void a_fault_in_a_callback_runs_finally(void) {
    int argument = 3, cleaned = 0, result;
    EXPECT(call_and_clean_up(&argument, read_callback, &cleaned) == 3);
    __try {
        result = call_and_clean_up((int*)(ULONG_PTR)BAD_ADDRESS, read_callback, &cleaned);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        result = 55;
    }
    EXPECT(result == 55);
    EXPECT(cleaned == 2);
}

static void a_handler_runs_with_the_direction_flag_clear(void) {
    unsigned long long flags = ~0ull;
    __try {
        __asm__ volatile("std; movl 0x10, %%eax; cld" ::: "eax", "cc");
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    }
    EXPECT((flags & 0x400) == 0);
}

static void a_handler_runs_with_an_empty_x87_stack(void) {
    volatile long double x = 1.5;
    __try {
        __asm__ volatile("fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; movl 0x10, %%eax" ::: "eax");
    } __except (x = x * 2, EXCEPTION_EXECUTE_HANDLER) {
        x = x + 4;
    }
    EXPECT(x == 7);
}

SEH_DEFINE_SUITE(fault) {
    static const struct seh_check checks[] = {
        SEH_CHECK(a_bad_read_is_an_access_violation),        SEH_CHECK(the_record_says_how_and_where),
        SEH_CHECK(a_noncanonical_address_is_not_told),       SEH_CHECK(a_call_of_data_is_an_access_violation),
        SEH_CHECK(a_division_by_zero_has_its_status),        SEH_CHECK(an_illegal_instruction_has_its_status),
        SEH_CHECK(a_file_that_ended_is_an_access_violation), SEH_CHECK(a_fault_in_a_called_function_is_caught),
        SEH_CHECK(locals_are_as_the_fault_left_them),        SEH_CHECK(a_thousand_faults_are_caught),
        SEH_CHECK(a_fault_in_a_callback_runs_finally),       SEH_CHECK(a_handler_runs_with_the_direction_flag_clear),
        SEH_CHECK(a_handler_runs_with_an_empty_x87_stack),   SEH_END,
    };
    return checks;
}
