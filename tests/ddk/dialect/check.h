/* Checks in the drivers' dialect. A driver's entry runs them; the host asks what became of them. */
#pragma once

#include <ntifs.h>

typedef struct _CHECKS {
    ULONG made;
    ULONG failed;
    const char* first_failure; /* the expression */
    ULONG line;
} CHECKS, *PCHECKS;

#ifdef __cplusplus
extern "C" {
#endif
void check_that(PCHECKS checks, int holds, const char* expression, ULONG line);
void check_macros(PCHECKS checks);
void check_macros_cpp(PCHECKS checks);
void check_lists(PCHECKS checks);
void check_lists_cpp(PCHECKS checks);
void check_integers(PCHECKS checks);
void check_strings_a(PCHECKS checks);
void check_strings_w(PCHECKS checks);
void check_counted_strings(PCHECKS checks);
void check_avl_names(PCHECKS checks);
#ifdef __cplusplus
}
#endif

#ifndef CHECK /* the host has its own */
#define CHECK(expression) check_that(checks, (expression) ? 1 : 0, #expression, __LINE__)
#endif
