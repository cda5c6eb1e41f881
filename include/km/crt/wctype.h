/* wctype.h of driver code. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>

typedef unsigned short wint_t;
#define WEOF ((wint_t)0xffff)

#ifdef __cplusplus
extern "C" {
#endif

wchar_t towlower(wchar_t value) DIRQL_CRT_NOEXCEPT;
wchar_t towupper(wchar_t value) DIRQL_CRT_NOEXCEPT;
int iswdigit(wint_t value) DIRQL_CRT_NOEXCEPT;
int iswxdigit(wint_t value) DIRQL_CRT_NOEXCEPT;
int iswspace(wint_t value) DIRQL_CRT_NOEXCEPT;
int iswalpha(wint_t value) DIRQL_CRT_NOEXCEPT;
int iswalnum(wint_t value) DIRQL_CRT_NOEXCEPT;

#ifdef __cplusplus
}
#endif
