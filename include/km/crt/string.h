/* string.h of driver code: memory and strings, narrow and wide. */
#pragma once

#ifndef DIRQL_HEADER_TEST
#pragma GCC system_header
#endif

#include <dirql_crt.h>

#ifdef __cplusplus
extern "C" {
#endif

void *memcpy(void *to, const void *from, size_t bytes) DIRQL_CRT_NOEXCEPT;
void *memmove(void *to, const void *from, size_t bytes) DIRQL_CRT_NOEXCEPT;
void *memset(void *to, int value, size_t bytes) DIRQL_CRT_NOEXCEPT;
int memcmp(const void *a, const void *b, size_t bytes) DIRQL_CRT_NOEXCEPT;
void *memchr(const void *memory, int value, size_t bytes) DIRQL_CRT_NOEXCEPT;
int _memicmp(const void *a, const void *b, size_t bytes) DIRQL_CRT_NOEXCEPT;
errno_t memcpy_s(void *to, rsize_t size, const void *from, rsize_t bytes) DIRQL_CRT_NOEXCEPT;
errno_t memmove_s(void *to, rsize_t size, const void *from, rsize_t bytes) DIRQL_CRT_NOEXCEPT;

size_t strlen(const char *text) DIRQL_CRT_NOEXCEPT;
size_t strnlen(const char *text, size_t limit) DIRQL_CRT_NOEXCEPT;
int strcmp(const char *a, const char *b) DIRQL_CRT_NOEXCEPT;
int strncmp(const char *a, const char *b, size_t limit) DIRQL_CRT_NOEXCEPT;
int _stricmp(const char *a, const char *b) DIRQL_CRT_NOEXCEPT;
int _strnicmp(const char *a, const char *b, size_t limit) DIRQL_CRT_NOEXCEPT;
char *strcpy(char *to, const char *from) DIRQL_CRT_NOEXCEPT;
char *strncpy(char *to, const char *from, size_t limit) DIRQL_CRT_NOEXCEPT;
char *strcat(char *to, const char *from) DIRQL_CRT_NOEXCEPT;
char *strncat(char *to, const char *from, size_t limit) DIRQL_CRT_NOEXCEPT;
char *strchr(const char *text, int value) DIRQL_CRT_NOEXCEPT;
char *strrchr(const char *text, int value) DIRQL_CRT_NOEXCEPT;
char *strstr(const char *text, const char *part) DIRQL_CRT_NOEXCEPT;
char *strpbrk(const char *text, const char *set) DIRQL_CRT_NOEXCEPT;
size_t strspn(const char *text, const char *set) DIRQL_CRT_NOEXCEPT;
size_t strcspn(const char *text, const char *set) DIRQL_CRT_NOEXCEPT;
char *_strlwr(char *text) DIRQL_CRT_NOEXCEPT;
char *_strupr(char *text) DIRQL_CRT_NOEXCEPT;
char *strlwr(char *text) DIRQL_CRT_NOEXCEPT;
char *_strrev(char *text) DIRQL_CRT_NOEXCEPT;
char *_strset(char *text, int value) DIRQL_CRT_NOEXCEPT;
char *_strnset(char *text, int value, size_t limit) DIRQL_CRT_NOEXCEPT;
errno_t strcpy_s(char *to, rsize_t size, const char *from) DIRQL_CRT_NOEXCEPT;
errno_t strncpy_s(char *to, rsize_t size, const char *from, rsize_t limit) DIRQL_CRT_NOEXCEPT;
errno_t strncat_s(char *to, rsize_t size, const char *from, rsize_t limit) DIRQL_CRT_NOEXCEPT;
errno_t _strset_s(char *text, rsize_t size, int value) DIRQL_CRT_NOEXCEPT;
errno_t _strnset_s(char *text, rsize_t size, int value, rsize_t limit) DIRQL_CRT_NOEXCEPT;
char *strtok_s(char *text, const char *set, char **next) DIRQL_CRT_NOEXCEPT;
errno_t strcat_s(char *to, rsize_t size, const char *from) DIRQL_CRT_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#define memicmp _memicmp
#define stricmp _stricmp
#define strnicmp _strnicmp
#define strupr _strupr

#include <dirql_wide_string.h>
