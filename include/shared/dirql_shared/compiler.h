/* The Microsoft C dialect on gcc and clang: calling conventions, __declspec, sized integers, inlining.
 *
 * A translation unit is *driver code* when its wchar_t has 16 bits (-fshort-wchar, as `dirql cc` compiles). Words that
 * C++ standard libraries use for themselves (__in, try, min ...) are given their Windows meaning only there. */
#pragma once

#if defined(__SIZEOF_WCHAR_T__) && __SIZEOF_WCHAR_T__ == 2
#define DIRQL_DRIVER_CODE 1
#else
#define DIRQL_DRIVER_CODE 0
#endif

#if DIRQL_DRIVER_CODE || defined(DIRQL_ENABLE_WDK_KEYWORDS)
#define DIRQL_WDK_KEYWORDS 1
#else
#define DIRQL_WDK_KEYWORDS 0
#endif

#if !defined(__x86_64__) || !defined(__linux__)
#error "dirql's headers describe x64 NT on x86-64 Linux"
#endif

/* The target macros a WDK build defines, which driver sources test (and which host libraries would misread). */
#if DIRQL_DRIVER_CODE
#ifndef _AMD64_
#define _AMD64_ 1
#endif
#ifndef _M_AMD64
#define _M_AMD64 100
#endif
#ifndef _M_X64
#define _M_X64 100
#endif
#ifndef _WIN64
#define _WIN64 1
#endif
#ifndef _WIN32
#define _WIN32 1
#endif
#endif

/* x64 has one calling convention; the words remain, without meaning. */
#undef __cdecl
#undef __stdcall
#undef __fastcall
#undef __thiscall
#undef __vectorcall
#define __cdecl
#define __stdcall
#define __fastcall
#define __thiscall
#define __vectorcall
#if DIRQL_DRIVER_CODE
#undef _cdecl
#undef _stdcall
#undef _fastcall
#define _cdecl
#define _stdcall
#define _fastcall
#endif
#define NTAPI
#define FASTCALL
#define CDECL
#define NTAPI_INLINE
#define STDAPICALLTYPE

/* __declspec(x) pastes x onto a prefix, so that each of its words is translated to a GNU attribute. An empty
 * translation is an attribute list without attributes, which both compilers accept. */
#undef __declspec
#undef _declspec
#define __declspec(word) __attribute__((DIRQL_DECLSPEC_##word))
#define _declspec(word) __declspec(word)
#define DIRQL_DECLSPEC_align(bytes) aligned(bytes)
#define DIRQL_DECLSPEC_allocate(section)
#define DIRQL_DECLSPEC_allocator
#define DIRQL_DECLSPEC_code_seg(section)
#define DIRQL_DECLSPEC_deprecated deprecated
#define DIRQL_DECLSPEC_dllexport visibility("default")
#define DIRQL_DECLSPEC_dllimport
#define DIRQL_DECLSPEC_guard(kind)
#define DIRQL_DECLSPEC_naked naked
#define DIRQL_DECLSPEC_noalias
#define DIRQL_DECLSPEC_noinline noinline
#define DIRQL_DECLSPEC_noreturn noreturn
#define DIRQL_DECLSPEC_nothrow nothrow
#define DIRQL_DECLSPEC_novtable
#define DIRQL_DECLSPEC_restrict
#define DIRQL_DECLSPEC_safebuffers
#define DIRQL_DECLSPEC_selectany weak
#define DIRQL_DECLSPEC_uuid(text)

#define DECLSPEC_ALIGN(bytes) __attribute__((aligned(bytes)))
#define DECLSPEC_ALLOCATE(section)
#define DECLSPEC_CACHEALIGN DECLSPEC_ALIGN(64)
#define DECLSPEC_DEPRECATED
#define DECLSPEC_DEPRECATED_DDK
#define DECLSPEC_EXPORT __attribute__((visibility("default")))
#define DECLSPEC_IMPORT
#define DECLSPEC_NOINITALL
#define DECLSPEC_NOINLINE __attribute__((noinline))
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define DECLSPEC_NOTHROW __attribute__((nothrow))
#define DECLSPEC_NOVTABLE
#define DECLSPEC_RESTRICT
#define DECLSPEC_SAFEBUFFERS
#define DECLSPEC_SELECTANY __attribute__((weak))
#define DECLSPEC_UUID(text)
#define DECLSPEC_XFGVIRT(base, function)

/* Kernel functions and data live in libdirql.so, which shows nothing by default. */
#define DIRQL_PUBLIC __attribute__((visibility("default")))
#define NTKERNELAPI DIRQL_PUBLIC
#define NTSYSAPI DIRQL_PUBLIC
#define NTSYSCALLAPI DIRQL_PUBLIC
#define NTHALAPI DIRQL_PUBLIC
#define NTHALCALLAPI DIRQL_PUBLIC

#undef __int8
#undef __int16
#undef __int32
#undef __int64
#define __int8 char
#define __int16 short
#define __int32 int
/* `long`, not `long long`: on Windows unsigned __int64, ULONG_PTR and size_t are one type, and drivers pass pointers
 * to one where another is declared. With this choice they are one type here too (and equal to uint64_t). */
#define __int64 long

#undef __forceinline
#undef _forceinline
#define __forceinline inline __attribute__((always_inline))
#define _forceinline __forceinline
#define FORCEINLINE __forceinline
#define CFORCEINLINE FORCEINLINE
#if DIRQL_DRIVER_CODE && !defined(__cplusplus)
/* In Microsoft's C an __inline function also has a body to link with; C99's inline alone has none. */
#undef __inline
#undef _inline
#define __inline inline __attribute__((gnu_inline))
#define _inline __inline
#endif

/* Inline functions of dirql's own headers. */
#ifdef __cplusplus
#define DIRQL_HEADER_INLINE inline __attribute__((always_inline))
#define DIRQL_NOEXCEPT noexcept
#else
#define DIRQL_HEADER_INLINE static inline __attribute__((always_inline, unused))
#define DIRQL_NOEXCEPT
#endif

#if defined(__cplusplus)
#define DIRQL_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define DIRQL_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define DIRQL_ASSERT_SIZE(type, size) DIRQL_STATIC_ASSERT(sizeof(type) == (size), #type " has another size on x64 NT")

/* Pointer qualifiers without meaning on a flat 64-bit machine. */
#undef __ptr32
#undef __ptr64
#undef __unaligned
#undef __w64
#define __ptr32
#define __ptr64
#define __unaligned
#define __w64
#define _W64
#define UNALIGNED
#define UNALIGNED64
#define RESTRICTED_POINTER __restrict
#define POINTER_32
#define POINTER_64
#define FIRMWARE_PTR

#if DIRQL_DRIVER_CODE
#ifndef __clang__
#define DIRQL_STRING_OF(text) #text
#define __pragma(text) _Pragma(DIRQL_STRING_OF(text))
#endif
#define __noop(...) ((void)0)
#define __assume(condition) ((condition) ? (void)0 : __builtin_unreachable())
#define _alloca(bytes) __builtin_alloca(bytes)
#endif

#define DECLSPEC_NOSANITIZEADDRESS __attribute__((no_sanitize("address")))
#define STDMETHODCALLTYPE
#define TYPE_ALIGNMENT(type) __alignof__(type)
#define PROBE_ALIGNMENT(type) TYPE_ALIGNMENT(type)
#define PROBE_ALIGNMENT32(type) TYPE_ALIGNMENT(type)
#define MAX_NATURAL_ALIGNMENT 8
#define MEMORY_ALLOCATION_ALIGNMENT 16
#define SYSTEM_CACHE_ALIGNMENT_SIZE 64
#define POINTER_ALIGNMENT DECLSPEC_ALIGN(8)
