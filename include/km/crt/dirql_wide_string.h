/* Wide strings of driver code: 16-bit units, unlike the host library's functions of these names. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>

#ifdef __cplusplus
extern "C" {
#endif

size_t wcslen(const wchar_t *text) DIRQL_CRT_NOEXCEPT;
size_t wcsnlen(const wchar_t *text, size_t limit) DIRQL_CRT_NOEXCEPT;
int wcscmp(const wchar_t *a, const wchar_t *b) DIRQL_CRT_NOEXCEPT;
int wcsncmp(const wchar_t *a, const wchar_t *b, size_t limit) DIRQL_CRT_NOEXCEPT;
int _wcsicmp(const wchar_t *a, const wchar_t *b) DIRQL_CRT_NOEXCEPT;
int _wcsnicmp(const wchar_t *a, const wchar_t *b, size_t limit) DIRQL_CRT_NOEXCEPT;
wchar_t *wcscpy(wchar_t *to, const wchar_t *from) DIRQL_CRT_NOEXCEPT;
wchar_t *wcsncpy(wchar_t *to, const wchar_t *from, size_t limit) DIRQL_CRT_NOEXCEPT;
wchar_t *wcscat(wchar_t *to, const wchar_t *from) DIRQL_CRT_NOEXCEPT;
wchar_t *wcsncat(wchar_t *to, const wchar_t *from, size_t limit) DIRQL_CRT_NOEXCEPT;
wchar_t *wcschr(const wchar_t *text, wchar_t value) DIRQL_CRT_NOEXCEPT;
wchar_t *wcsrchr(const wchar_t *text, wchar_t value) DIRQL_CRT_NOEXCEPT;
wchar_t *wcsstr(const wchar_t *text, const wchar_t *part) DIRQL_CRT_NOEXCEPT;
size_t wcsspn(const wchar_t *text, const wchar_t *set) DIRQL_CRT_NOEXCEPT;
size_t wcscspn(const wchar_t *text, const wchar_t *set) DIRQL_CRT_NOEXCEPT;
wchar_t *_wcslwr(wchar_t *text) DIRQL_CRT_NOEXCEPT;
wchar_t *_wcsupr(wchar_t *text) DIRQL_CRT_NOEXCEPT;
wchar_t *wcslwr(wchar_t *text) DIRQL_CRT_NOEXCEPT;
wchar_t *_wcsnset(wchar_t *text, wchar_t value, size_t limit) DIRQL_CRT_NOEXCEPT;
wchar_t *wcspbrk(const wchar_t *text, const wchar_t *set) DIRQL_CRT_NOEXCEPT;
wchar_t *_wcsrev(wchar_t *text) DIRQL_CRT_NOEXCEPT;
errno_t wcscpy_s(wchar_t *to, rsize_t size, const wchar_t *from) DIRQL_CRT_NOEXCEPT;
errno_t wcsncpy_s(wchar_t *to, rsize_t size, const wchar_t *from, rsize_t limit) DIRQL_CRT_NOEXCEPT;
errno_t wcsncat_s(wchar_t *to, rsize_t size, const wchar_t *from, rsize_t limit) DIRQL_CRT_NOEXCEPT;
errno_t _wcslwr_s(wchar_t *text, rsize_t size) DIRQL_CRT_NOEXCEPT;
errno_t _wcsnset_s(wchar_t *text, rsize_t size, wchar_t value, rsize_t limit) DIRQL_CRT_NOEXCEPT;
errno_t _wcsset_s(wchar_t *text, rsize_t size, wchar_t value) DIRQL_CRT_NOEXCEPT;
errno_t wcscat_s(wchar_t *to, rsize_t size, const wchar_t *from) DIRQL_CRT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#define wcsicmp _wcsicmp
#define wcsnicmp _wcsnicmp
#define wcsupr _wcsupr
