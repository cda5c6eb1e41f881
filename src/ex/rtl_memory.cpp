// Memory functions by their exported names. Drivers mostly meet them as macros over memcpy, memset and memcmp.
#include "ke/exports/rtl.hpp"
#include "rtl/memory.hpp"

#include <ntifs.h>

#include <algorithm>

#undef RtlCopyMemory
#undef RtlMoveMemory
#undef RtlFillMemory
#undef RtlZeroMemory

using namespace dirql;

extern "C" {

NTSYSAPI VOID NTAPI RtlCopyMemory(VOID* to, const VOID* from, SIZE_T size) {
    DIRQL_DOOR(RtlCopyMemory);
    rtl::move_memory(to, from, size);
}

NTSYSAPI VOID NTAPI RtlMoveMemory(VOID* to, const VOID* from, SIZE_T size) {
    DIRQL_DOOR(RtlMoveMemory);
    rtl::move_memory(to, from, size);
}

NTSYSAPI VOID NTAPI RtlFillMemory(VOID* at, SIZE_T size, INT value) {
    DIRQL_DOOR(RtlFillMemory);
    rtl::fill_memory(at, static_cast<UCHAR>(value), size);
}

NTSYSAPI VOID NTAPI RtlZeroMemory(VOID* at, SIZE_T size) {
    DIRQL_DOOR(RtlZeroMemory);
    rtl::fill_memory(at, 0, size);
}

// The number of bytes that match from the start.
NTSYSAPI SIZE_T NTAPI RtlCompareMemory(const VOID* left, const VOID* right, SIZE_T size) {
    DIRQL_DOOR(RtlCompareMemory);
    return rtl::equal_bytes(left, right, size);
}

// The number of bytes that repeat the pattern; 0 when address or length is not of whole ULONGs.
NTSYSAPI SIZE_T NTAPI RtlCompareMemoryUlong(PVOID at, SIZE_T length, ULONG pattern) {
    DIRQL_DOOR(RtlCompareMemoryUlong);
    if ((reinterpret_cast<ULONG_PTR>(at) | length) % sizeof(ULONG) != 0) return 0;
    const auto* const words = static_cast<const ULONG*>(at);
    SIZE_T same = 0;
    while (same < length / sizeof(ULONG) && words[same] == pattern) ++same;
    return same * sizeof(ULONG);
}

// Whole ULONGs; what is left of the length is not written.
NTSYSAPI VOID NTAPI RtlFillMemoryUlong(PVOID at, SIZE_T length, ULONG pattern) {
    DIRQL_DOOR(RtlFillMemoryUlong);
    std::fill_n(static_cast<ULONG*>(at), length / sizeof(ULONG), pattern);
}

NTSYSAPI VOID NTAPI RtlFillMemoryUlonglong(PVOID at, SIZE_T length, ULONGLONG pattern) {
    DIRQL_DOOR(RtlFillMemoryUlonglong);
    std::fill_n(static_cast<ULONGLONG*>(at), length / sizeof(ULONGLONG), pattern);
}

NTSYSAPI BOOLEAN NTAPI RtlIsZeroMemory(PVOID at, SIZE_T length) {
    DIRQL_DOOR(RtlIsZeroMemory);
    const auto* const bytes = static_cast<const UCHAR*>(at);
    return std::all_of(bytes, bytes + length, [](UCHAR byte) { return byte == 0; });
}

} // extern "C"
