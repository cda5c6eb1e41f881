/* NT's basic types: LLP64 widths, whatever the host's `long` and wchar_t are. */
#pragma once

#include <dirql_shared/compiler.h>

#include <stddef.h>

#ifndef VOID
#define VOID void
#endif
#ifndef CONST
#define CONST const
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif

typedef char CHAR, CCHAR, *PCHAR, *PCCHAR;
typedef signed char INT8, *PINT8, SCHAR, *PSCHAR;
typedef unsigned char UCHAR, *PUCHAR, UINT8, *PUINT8, BOOLEAN, *PBOOLEAN;
typedef short SHORT, *PSHORT, CSHORT, *PCSHORT, INT16, *PINT16;
typedef unsigned short USHORT, *PUSHORT, UINT16, *PUINT16;
typedef int INT, *PINT, LONG, *PLONG, INT32, *PINT32, LONG32, *PLONG32;
typedef unsigned int UINT, *PUINT, ULONG, *PULONG, UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32, CLONG,
    *PCLONG;
typedef __INT64_TYPE__ LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64, *PINT64;
typedef __UINT64_TYPE__ ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, UINT64, *PUINT64, DWORDLONG, *PDWORDLONG, DWORD64,
    *PDWORD64;
typedef __INTPTR_TYPE__ INT_PTR, *PINT_PTR, LONG_PTR, *PLONG_PTR, SSIZE_T, *PSSIZE_T;
typedef __UINTPTR_TYPE__ UINT_PTR, *PUINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, *PDWORD_PTR;
typedef __SIZE_TYPE__ SIZE_T, *PSIZE_T;
typedef ULONG_PTR KAFFINITY, *PKAFFINITY;
typedef LONGLONG USN;

typedef void *PVOID, **PPVOID;
typedef void *HANDLE;
typedef HANDLE *PHANDLE;
typedef LONG NTSTATUS, *PNTSTATUS;
typedef UCHAR KIRQL, *PKIRQL;
typedef CCHAR KPROCESSOR_MODE;
typedef LONG HRESULT;

typedef UCHAR FCHAR;
typedef USHORT FSHORT;
typedef ULONG FLONG;
typedef ULONG LOGICAL, *PLOGICAL;
typedef ULONG LCID, *PLCID;
typedef USHORT LANGID;
