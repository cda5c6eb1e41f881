/* __try statements for the host side's tests: each calls back what the test gives, with the test's argument. */
#pragma once

#include <ntddk.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void seh_body(void* argument);
typedef int seh_filter(PEXCEPTION_POINTERS pointers, void* argument);

/* Returns the code that the handler got, or 0 when the body ended. */
ULONG seh_try_except(seh_body* body, seh_filter* filter, void* argument);
/* Calls last(argument) in the __finally block, when the body is left. */
void seh_try_finally(seh_body* body, seh_body* last, void* argument);
/* Calls handler(argument) inside the handler, and returns the code that the handler gets after that. */
ULONG seh_try_handle(seh_body* body, seh_body* handler, void* argument);

/* Bodies that fault and that raise STATUS_CANCELLED. */
void seh_read_bad_address(void* unused);
void seh_raise_cancelled(void* unused);

#ifdef __cplusplus
}
#endif
