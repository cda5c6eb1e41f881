/* stdarg.h of driver code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

typedef __builtin_va_list va_list;
#undef va_start
#undef va_arg
#undef va_end
#undef va_copy
#define va_start(list, last) __builtin_va_start(list, last)
#define va_arg(list, type) __builtin_va_arg(list, type)
#define va_end(list) __builtin_va_end(list)
#define va_copy(to, from) __builtin_va_copy(to, from)
