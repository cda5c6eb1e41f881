// The driver CRT under the names the library gives it, for tests that call it without a driver.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {
void* dirql_crt_memmove(void*, const void*, std::size_t);
void* dirql_crt_memcpy(void*, const void*, std::size_t);
void* dirql_crt_memset(void*, int, std::size_t);
int dirql_crt_memcmp(const void*, const void*, std::size_t);
int dirql_crt__memicmp(const void*, const void*, std::size_t);
const void* dirql_crt_memchr(const void*, int, std::size_t);
int dirql_crt_memcpy_s(void*, std::size_t, const void*, std::size_t);
int dirql_crt_memmove_s(void*, std::size_t, const void*, std::size_t);

std::size_t dirql_crt_strlen(const char*);
std::size_t dirql_crt_strnlen(const char*, std::size_t);
int dirql_crt_strcmp(const char*, const char*);
int dirql_crt_strncmp(const char*, const char*, std::size_t);
int dirql_crt__stricmp(const char*, const char*);
int dirql_crt__strnicmp(const char*, const char*, std::size_t);
char* dirql_crt_strcpy(char*, const char*);
char* dirql_crt_stpcpy(char*, const char*);
char* dirql_crt_strncpy(char*, const char*, std::size_t);
char* dirql_crt_strcat(char*, const char*);
char* dirql_crt_strncat(char*, const char*, std::size_t);
const char* dirql_crt_strchr(const char*, int);
const char* dirql_crt_strrchr(const char*, int);
const char* dirql_crt_strstr(const char*, const char*);
std::size_t dirql_crt_strspn(const char*, const char*);
std::size_t dirql_crt_strcspn(const char*, const char*);
const char* dirql_crt_strpbrk(const char*, const char*);
char* dirql_crt__strrev(char*);
char* dirql_crt__strupr(char*);
char* dirql_crt__strnset(char*, int, std::size_t);
char* dirql_crt_strtok_s(char*, const char*, char**);

std::size_t dirql_crt_wcslen(const char16_t*);
int dirql_crt_wcscmp(const char16_t*, const char16_t*);
int dirql_crt__wcsicmp(const char16_t*, const char16_t*);
int dirql_crt__wcsnicmp(const char16_t*, const char16_t*, std::size_t);
char16_t* dirql_crt_wcsncpy(char16_t*, const char16_t*, std::size_t);
const char16_t* dirql_crt_wcsstr(const char16_t*, const char16_t*);
const char16_t* dirql_crt_wcsrchr(const char16_t*, char16_t);
char16_t* dirql_crt__wcslwr(char16_t*);
char16_t dirql_crt_towupper(char16_t);

int dirql_crt_strcpy_s(char*, std::size_t, const char*);
int dirql_crt_strncpy_s(char*, std::size_t, const char*, std::size_t);
int dirql_crt_strcat_s(char*, std::size_t, const char*);
int dirql_crt_strncat_s(char*, std::size_t, const char*, std::size_t);
int dirql_crt_wcscpy_s(char16_t*, std::size_t, const char16_t*);

int dirql_crt_atoi(const char*);
std::int64_t dirql_crt__atoi64(const char*);
std::int32_t dirql_crt_strtol(const char*, const char**, int);
std::uint32_t dirql_crt_strtoul(const char*, const char**, int);
std::uint64_t dirql_crt__strtoui64(const char*, const char**, int);
std::uint32_t dirql_crt_wcstoul(const char16_t*, const char16_t**, int);
char* dirql_crt__itoa(std::int32_t, char*, int);
char* dirql_crt__ultoa(std::uint32_t, char*, int);
char16_t* dirql_crt__itow(std::int32_t, char16_t*, int);
int dirql_crt__i64toa_s(std::int64_t, char*, std::size_t, int);

int dirql_crt_isdigit(int);
int dirql_crt_isspace(int);
int dirql_crt_isxdigit(int);
int dirql_crt_isprint(int);
int dirql_crt_isupper(int);
int dirql_crt_islower(int);
int dirql_crt_isalpha(int);
int dirql_crt_isalnum(int);
int dirql_crt_isgraph(int);
int dirql_crt_iscntrl(int);
int dirql_crt_ispunct(int);
int dirql_crt_toupper(int);
int dirql_crt_tolower(int);

std::size_t dirql_crt_mbstowcs(char16_t*, const char*, std::size_t);
std::size_t dirql_crt_wcstombs(char*, const char16_t*, std::size_t);

int dirql_crt_sprintf(char*, const char*, ...);
int dirql_crt_swprintf(char16_t*, const char16_t*, ...);
int dirql_crt__snprintf(char*, std::size_t, const char*, ...);
int dirql_crt__snwprintf(char16_t*, std::size_t, const char16_t*, ...);
int dirql_crt_snprintf(char*, std::size_t, const char*, ...);
int dirql_crt_sprintf_s(char*, std::size_t, const char*, ...);
int dirql_crt__snprintf_s(char*, std::size_t, std::size_t, const char*, ...);

void dirql_crt_qsort(void*, std::size_t, std::size_t, int (*)(const void*, const void*));
void* dirql_crt_bsearch(const void*, const void*, std::size_t, std::size_t, int (*)(const void*, const void*));
}
