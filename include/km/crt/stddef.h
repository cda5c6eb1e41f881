/* stddef.h of driver code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
#ifndef __cplusplus
typedef __WCHAR_TYPE__ wchar_t;
#endif

#undef NULL
#ifdef __cplusplus
#define NULL __null
#else
#define NULL ((void *)0)
#endif

#undef offsetof
#define offsetof(type, field) __builtin_offsetof(type, field)
