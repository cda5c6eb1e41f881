/* ctype.h of driver code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>

#ifdef __cplusplus
extern "C" {
#endif

int isalnum(int value) DIRQL_CRT_NOEXCEPT;
int isalpha(int value) DIRQL_CRT_NOEXCEPT;
int iscntrl(int value) DIRQL_CRT_NOEXCEPT;
int isdigit(int value) DIRQL_CRT_NOEXCEPT;
int isgraph(int value) DIRQL_CRT_NOEXCEPT;
int islower(int value) DIRQL_CRT_NOEXCEPT;
int isprint(int value) DIRQL_CRT_NOEXCEPT;
int ispunct(int value) DIRQL_CRT_NOEXCEPT;
int isspace(int value) DIRQL_CRT_NOEXCEPT;
int isupper(int value) DIRQL_CRT_NOEXCEPT;
int isxdigit(int value) DIRQL_CRT_NOEXCEPT;
int tolower(int value) DIRQL_CRT_NOEXCEPT;
int toupper(int value) DIRQL_CRT_NOEXCEPT;

#ifdef __cplusplus
}
#endif
