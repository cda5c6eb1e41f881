/* wchar.h of driver code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>
#include <dirql_wide_string.h>
#include <stdarg.h>
#include <wctype.h>

#ifdef __cplusplus
extern "C" {
#endif

int swprintf(wchar_t *to, const wchar_t *format, ...);
int vswprintf(wchar_t *to, const wchar_t *format, va_list arguments);
int _swprintf(wchar_t *to, const wchar_t *format, ...);
int _vswprintf(wchar_t *to, const wchar_t *format, va_list arguments);
int _snwprintf(wchar_t *to, size_t limit, const wchar_t *format, ...);
int _vsnwprintf(wchar_t *to, size_t limit, const wchar_t *format, va_list arguments);
int swprintf_s(wchar_t *to, size_t size, const wchar_t *format, ...);
int vswprintf_s(wchar_t *to, size_t size, const wchar_t *format, va_list arguments);
int _snwprintf_s(wchar_t *to, size_t size, size_t limit, const wchar_t *format, ...);
int _vsnwprintf_s(wchar_t *to, size_t size, size_t limit, const wchar_t *format, va_list arguments);

#ifdef __cplusplus
}
#endif
