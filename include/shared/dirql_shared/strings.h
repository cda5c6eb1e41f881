/* Characters and counted strings. */
#pragma once

#include <dirql_shared/types.h>

/* WCHAR has 16 bits everywhere. It is the type of L"" in driver code (-fshort-wchar) and of u"" in host code. */
#if DIRQL_DRIVER_CODE
typedef wchar_t WCHAR;
#elif defined(__cplusplus)
typedef char16_t WCHAR;
#else
typedef __CHAR16_TYPE__ WCHAR;
#endif
DIRQL_ASSERT_SIZE(WCHAR, 2);

typedef CHAR *LPCH, *PCH, *LPSTR, *PSTR, *NPSTR, *PNZCH, **PZPSTR;
typedef const CHAR *LPCCH, *PCCH, *LPCSTR, *PCSTR, *PCNZCH, **PZPCSTR;
typedef CHAR *PSZ;
typedef const char *PCSZ;
typedef WCHAR *PWCHAR, *LPWCH, *PWCH, *NWPSTR, *LPWSTR, *PWSTR, *PNZWCH, **PZPWSTR;
typedef const WCHAR *LPCWCH, *PCWCH, *LPCWSTR, *PCWSTR, *PCNZWCH, *LPCWCHAR, *PCWCHAR, **PZPCWSTR;
typedef WCHAR *PUNZWCH, *LPUWSTR, *PUWSTR;
typedef const WCHAR *PCUNZWCH, *LPCUWSTR, *PCUWSTR;

#define ANSI_NULL ((CHAR)0)
#define UNICODE_NULL ((WCHAR)0)
#define UNICODE_STRING_MAX_BYTES ((USHORT)65534)
#define UNICODE_STRING_MAX_CHARS (32767)
#define ANSI_STRING_MAX_BYTES ((USHORT)65535)

/* Lengths are in bytes and leave out a terminating null, which need not be there. */
typedef struct _UNICODE_STRING {
    USHORT Length;
    USHORT MaximumLength;
    PWCH Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;
DIRQL_ASSERT_SIZE(UNICODE_STRING, 0x10);

typedef struct _STRING {
    USHORT Length;
    USHORT MaximumLength;
    PCHAR Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, OEM_STRING, *POEM_STRING, UTF8_STRING, *PUTF8_STRING;
typedef const STRING *PCSTRING, *PCANSI_STRING, *PCOEM_STRING, *PCUTF8_STRING;
DIRQL_ASSERT_SIZE(STRING, 0x10);

typedef struct _CSTRING {
    USHORT Length;
    USHORT MaximumLength;
    const char *Buffer;
} CSTRING;

#define DECLARE_CONST_UNICODE_STRING(name, text) \
    const WCHAR name##_buffer[] = text; \
    const UNICODE_STRING name = {sizeof(text) - sizeof(WCHAR), sizeof(text), (PWCH)name##_buffer}
#define DECLARE_GLOBAL_CONST_UNICODE_STRING(name, text) \
    extern const DECLSPEC_SELECTANY UNICODE_STRING name; \
    const UNICODE_STRING name = RTL_CONSTANT_STRING(text)
#define DECLARE_UNICODE_STRING_SIZE(name, characters) \
    WCHAR name##_buffer[characters]; \
    UNICODE_STRING name = {0, (characters) * sizeof(WCHAR), name##_buffer}

/* Initializes a counted string (of either width) from a literal. The type of the buffer follows the literal. */
#ifdef __cplusplus
extern "C++" { /* though a driver includes us within extern "C" */
namespace dirql_rtl {
template <class Char> constexpr Char *without_const(const Char *text) { return const_cast<Char *>(text); }
} // namespace dirql_rtl
}
#define DIRQL_STRING_BUFFER(text) ::dirql_rtl::without_const(text)
#else
#define DIRQL_STRING_BUFFER(text) ((void *)(text))
#endif
#define RTL_CONSTANT_STRING(text) \
    { sizeof(text) - sizeof((text)[0]), sizeof(text), DIRQL_STRING_BUFFER(text) }
#define RTL_CONSTANT_OBJECT_ATTRIBUTES(name, attributes) \
    { sizeof(OBJECT_ATTRIBUTES), 0, RTL_CONST_CAST(PUNICODE_STRING)(name), attributes, 0, 0 }
#define RTL_INIT_OBJECT_ATTRIBUTES(name, attributes) RTL_CONSTANT_OBJECT_ATTRIBUTES(name, attributes)
#ifdef __cplusplus
#define RTL_CONST_CAST(type) const_cast<type>
#else
#define RTL_CONST_CAST(type) (type)
#endif
