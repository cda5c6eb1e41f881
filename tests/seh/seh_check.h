/*
 * A check of structured exception handling: a function compiled as driver code, which reports to the host side what it
 * finds wrong. The same sources are compiled as C and as C++; each language's suites have names of their own.
 */
#pragma once

#include <ntddk.h>

#ifdef __cplusplus
extern "C" {
#endif

struct seh_check {
    const char* name;
    void (*run)(void);
};

/* Each suite is a function that returns its checks; the last one has no name. */
typedef const struct seh_check* seh_suite(void);

#ifdef __cplusplus
#define SEH_DEFINE_SUITE(name) \
    extern "C" seh_suite seh_##name##_cpp; \
    const struct seh_check* seh_##name##_cpp(void)
#else
#define SEH_DEFINE_SUITE(name) \
    seh_suite seh_##name##_c; \
    const struct seh_check* seh_##name##_c(void)
#endif

#define SEH_CHECK(function) \
    { #function, function }
#define SEH_END \
    { NULL, NULL }

#define EXPECT(condition) ((condition) ? (void)0 : seh_failed(#condition, __FILE__, __LINE__))

/* The order of events: note() appends to the host thread's log, EXPECT_NOTES() compares and empties it. */
#define EXPECT_NOTES(expected) EXPECT(seh_notes_are(expected))

/* Provided by the host side. */
void seh_failed(const char* condition, const char* file, int line);
void seh_note(const char* event);
int seh_notes_are(const char* expected);

/* An address that nothing is mapped at. */
#define BAD_ADDRESS ((volatile int*)0x10)

/* A page that may not be accessed until it is opened. */
char* seh_closed_page(void);
void seh_open_page(char* page);
void seh_free_page(char* page);

/* A page of a file that has no such page: the host says SIGBUS. */
char* seh_page_of_empty_file(void);

#ifdef __cplusplus
}
#endif

#define note seh_note
