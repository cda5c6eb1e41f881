#include "scenarios.h"

#include "seh_check.h"

ULONG seh_try_except(seh_body* body, seh_filter* filter, void* argument) {
    __try {
        body(argument);
    } __except (filter(GetExceptionInformation(), argument)) {
        return GetExceptionCode();
    }
    return 0;
}

void seh_try_finally(seh_body* body, seh_body* last, void* argument) {
    __try {
        body(argument);
    } __finally {
        last(argument);
    }
}

ULONG seh_try_handle(seh_body* body, seh_body* handler, void* argument) {
    __try {
        body(argument);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        handler(argument);
        return GetExceptionCode();
    }
    return 0;
}

void seh_read_bad_address(void* unused) {
    (void)unused;
    (void)*BAD_ADDRESS;
}

void seh_raise_cancelled(void* unused) {
    (void)unused;
    ExRaiseStatus(STATUS_CANCELLED);
}
