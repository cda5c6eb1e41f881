/* assert.h of driver code: a failed assertion goes where ASSERT's goes. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#ifdef __cplusplus
extern "C" {
#endif
void RtlAssert(void *failed, void *file, unsigned int line, char *message);
#ifdef __cplusplus
}
#endif

#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression) \
    ((expression) ? (void)0 : RtlAssert((void *)#expression, (void *)__FILE__, __LINE__, (char *)0))
#endif
