/* Run-time library: blocks of memory. */
#pragma once

#include <ntdef.h>

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

NTKERNELAPI SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);
NTKERNELAPI SIZE_T NTAPI RtlCompareMemoryUlong(PVOID Source, SIZE_T Length, ULONG Pattern);
NTKERNELAPI VOID NTAPI RtlFillMemoryUlong(PVOID Destination, SIZE_T Length, ULONG Pattern);
NTKERNELAPI VOID NTAPI RtlFillMemoryUlonglong(PVOID Destination, SIZE_T Length, ULONGLONG Pattern);
NTKERNELAPI BOOLEAN NTAPI RtlIsZeroMemory(PVOID Buffer, SIZE_T Length);

/* Also macros, below: these are for who takes their address or names them to MmGetSystemRoutineAddress. */
NTKERNELAPI VOID NTAPI RtlCopyMemory(VOID *Destination, const VOID *Source, SIZE_T Length);
NTKERNELAPI VOID NTAPI RtlMoveMemory(VOID *Destination, const VOID *Source, SIZE_T Length);
NTKERNELAPI VOID NTAPI RtlFillMemory(VOID *Destination, SIZE_T Length, INT Fill);
NTKERNELAPI VOID NTAPI RtlZeroMemory(VOID *Destination, SIZE_T Length);

#ifdef __cplusplus
}
#endif

#define RtlEqualMemory(Destination, Source, Length) (!memcmp((Destination), (Source), (Length)))
#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill) memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length) memset((Destination), 0, (Length))
#define RtlCopyBytes RtlCopyMemory
#define RtlZeroBytes RtlZeroMemory
#define RtlFillBytes RtlFillMemory
#define RtlCopyMemoryNonTemporal RtlCopyMemory
#define RtlCopyDeviceMemory RtlCopyMemory
#define RtlCopyVolatileMemory(Destination, Source, Length) \
    memcpy((void *)(ULONG_PTR)(Destination), (const void *)(ULONG_PTR)(Source), (Length))
#define RtlFillMemoryNonTemporal RtlFillMemory
#define RtlPrefetchMemoryNonTemporal(Source, Length) ((void)(Source), (void)(Length))

/* Survives the optimizer, which may drop a memset of dead memory. */
DIRQL_HEADER_INLINE PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Size) {
    __builtin_memset(Pointer, 0, Size);
    __asm__ volatile("" : : "r"(Pointer) : "memory");
    return Pointer;
}

/* TRUE when equal, in a time that tells nothing of where they differ. */
DIRQL_HEADER_INLINE BOOLEAN RtlConstantTimeEqualMemory(const VOID *v1, const VOID *v2, ULONG len) {
    const volatile UCHAR *left = (const volatile UCHAR *)v1, *right = (const volatile UCHAR *)v2;
    UCHAR differences = 0;
    ULONG i;
    for (i = 0; i < len; i++) {
        differences |= left[i] ^ right[i];
    }
    return (BOOLEAN)(differences == 0);
}

/* The address need not be aligned. */
#define DIRQL_STORE(name, type) \
    DIRQL_HEADER_INLINE VOID name(PVOID Address, type Value) { __builtin_memcpy(Address, &Value, sizeof(Value)); }
DIRQL_STORE(RtlStoreUshort, USHORT)
DIRQL_STORE(RtlStoreUlong, ULONG)
DIRQL_STORE(RtlStoreUlonglong, ULONGLONG)
DIRQL_STORE(RtlStoreUlongPtr, ULONG_PTR)
#undef DIRQL_STORE
#define RtlRetrieveUshort(Destination, Source) memcpy((Destination), (Source), sizeof(USHORT))
#define RtlRetrieveUlong(Destination, Source) memcpy((Destination), (Source), sizeof(ULONG))

DIRQL_HEADER_INLINE USHORT RtlUshortByteSwap(USHORT Source) { return __builtin_bswap16(Source); }
DIRQL_HEADER_INLINE ULONG RtlUlongByteSwap(ULONG Source) { return __builtin_bswap32(Source); }
DIRQL_HEADER_INLINE ULONGLONG RtlUlonglongByteSwap(ULONGLONG Source) { return __builtin_bswap64(Source); }
