/* The only __try of a driver, found by whoever looks where the driver's includes lead. */
#pragma once

static int changed_before_the_fault(int* address) {
    int value = 1;
    __try {
        value = 2;
        value += *address;
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        return value;
    }
    return 0;
}
