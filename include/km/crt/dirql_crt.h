/* What the headers of the drivers' C run time share. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <stddef.h>

#ifdef __cplusplus
#define DIRQL_CRT_NOEXCEPT noexcept
#else
#define DIRQL_CRT_NOEXCEPT
#endif

typedef int errno_t;
typedef size_t rsize_t;
#ifndef _TRUNCATE
#define _TRUNCATE ((size_t)-1)
#endif
#define EINVAL 22
#define ERANGE 34
#define EILSEQ 42
#define STRUNCATE 80
