#include "check.h"

void check_that(PCHECKS checks, int holds, const char* expression, ULONG line) {
    checks->made++;
    if (holds) {
        return;
    }
    if (checks->failed++ == 0) {
        checks->first_failure = expression;
        checks->line = line;
    }
}

typedef void CHECK_GROUP(PCHECKS checks);

/* The host hands in an array of CHECKS, one a group, in this order. */
static CHECK_GROUP* const groups[] = {
    check_macros,    check_macros_cpp, check_lists,           check_lists_cpp, check_integers,
    check_strings_a, check_strings_w,  check_counted_strings, check_avl_names,
};

DRIVER_INITIALIZE DriverEntry;
NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath) {
    PCHECKS checks = (PCHECKS)RegistryPath;
    ULONG i;
    UNREFERENCED_PARAMETER(DriverObject);
    for (i = 0; i < RTL_NUMBER_OF(groups); i++) {
        groups[i](&checks[i]);
    }
    return (NTSTATUS)i;
}
