/* stdlib.h of driver code: conversions, sorting, searching. There is no heap here: drivers have pools. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Results have Windows' widths: its long is 32 bits wide. */
int abs(int value) DIRQL_CRT_NOEXCEPT;
int atoi(const char *text) DIRQL_CRT_NOEXCEPT;
int atol(const char *text) DIRQL_CRT_NOEXCEPT;
__INT64_TYPE__ _atoi64(const char *text) DIRQL_CRT_NOEXCEPT;
int strtol(const char *text, char **end, int base) DIRQL_CRT_NOEXCEPT;
unsigned int strtoul(const char *text, char **end, int base) DIRQL_CRT_NOEXCEPT;
__INT64_TYPE__ _strtoi64(const char *text, char **end, int base) DIRQL_CRT_NOEXCEPT;
__UINT64_TYPE__ _strtoui64(const char *text, char **end, int base) DIRQL_CRT_NOEXCEPT;
int _wtoi(const wchar_t *text) DIRQL_CRT_NOEXCEPT;
int _wtol(const wchar_t *text) DIRQL_CRT_NOEXCEPT;
__INT64_TYPE__ _wtoi64(const wchar_t *text) DIRQL_CRT_NOEXCEPT;
int wcstol(const wchar_t *text, wchar_t **end, int base) DIRQL_CRT_NOEXCEPT;
unsigned int wcstoul(const wchar_t *text, wchar_t **end, int base) DIRQL_CRT_NOEXCEPT;
char *_itoa(int value, char *to, int radix) DIRQL_CRT_NOEXCEPT;
wchar_t *_itow(int value, wchar_t *to, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _itoa_s(int value, char *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _itow_s(int value, wchar_t *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
char *_ltoa(int value, char *to, int radix) DIRQL_CRT_NOEXCEPT;
wchar_t *_ltow(int value, wchar_t *to, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ltoa_s(int value, char *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ltow_s(int value, wchar_t *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
char *_ultoa(unsigned int value, char *to, int radix) DIRQL_CRT_NOEXCEPT;
wchar_t *_ultow(unsigned int value, wchar_t *to, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ultoa_s(unsigned int value, char *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ultow_s(unsigned int value, wchar_t *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
char *_i64toa(__INT64_TYPE__ value, char *to, int radix) DIRQL_CRT_NOEXCEPT;
wchar_t *_i64tow(__INT64_TYPE__ value, wchar_t *to, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _i64toa_s(__INT64_TYPE__ value, char *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _i64tow_s(__INT64_TYPE__ value, wchar_t *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
char *_ui64toa(__UINT64_TYPE__ value, char *to, int radix) DIRQL_CRT_NOEXCEPT;
wchar_t *_ui64tow(__UINT64_TYPE__ value, wchar_t *to, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ui64toa_s(__UINT64_TYPE__ value, char *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;
errno_t _ui64tow_s(__UINT64_TYPE__ value, wchar_t *to, size_t size, int radix) DIRQL_CRT_NOEXCEPT;

int mbtowc(wchar_t *to, const char *from, size_t bytes) DIRQL_CRT_NOEXCEPT;
int wctomb(char *to, wchar_t from) DIRQL_CRT_NOEXCEPT;
size_t mbstowcs(wchar_t *to, const char *from, size_t limit) DIRQL_CRT_NOEXCEPT;
size_t wcstombs(char *to, const wchar_t *from, size_t limit) DIRQL_CRT_NOEXCEPT;

int rand(void) DIRQL_CRT_NOEXCEPT;
void srand(unsigned int seed) DIRQL_CRT_NOEXCEPT;
void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t size, int (*compare)(const void *, const void *));

void qsort_s(void *base, size_t count, size_t size, int (*compare)(void *, const void *, const void *), void *context);
void *bsearch_s(const void *key, const void *base, size_t count, size_t size,
                int (*compare)(void *, const void *, const void *), void *context);

#ifdef __cplusplus
}
#endif

#define RAND_MAX 0x7fff
#ifndef _countof
#define _countof(array) (sizeof(array) / sizeof((array)[0]))
#endif
