/* stdio.h of driver code: formatting into buffers, in Microsoft's format language; there are no files. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>
#include <stdarg.h>
#include <wchar.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The _snprintf family returns a negative number when the text does not fit, and then need not terminate it. */
int sprintf(char *to, const char *format, ...);
int vsprintf(char *to, const char *format, va_list arguments);
int snprintf(char *to, size_t limit, const char *format, ...);
int vsnprintf(char *to, size_t limit, const char *format, va_list arguments);
int _snprintf(char *to, size_t limit, const char *format, ...);
int _vsnprintf(char *to, size_t limit, const char *format, va_list arguments);
int sprintf_s(char *to, size_t size, const char *format, ...);
int vsprintf_s(char *to, size_t size, const char *format, va_list arguments);
int _snprintf_s(char *to, size_t size, size_t limit, const char *format, ...);
int _vsnprintf_s(char *to, size_t size, size_t limit, const char *format, va_list arguments);

#ifdef __cplusplus
}
#endif

#define EOF (-1)
