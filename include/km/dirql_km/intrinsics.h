/* Compiler intrinsics: bits, bytes, barriers, break points. */
#pragma once

#include <ntdef.h>

#define _ReadBarrier() __asm__ volatile("" : : : "memory")
#define _WriteBarrier() __asm__ volatile("" : : : "memory")
#define _ReadWriteBarrier() __asm__ volatile("" : : : "memory")
#define KeMemoryBarrier() __sync_synchronize()
#define KeMemoryBarrierWithoutFence() _ReadWriteBarrier()
#define MemoryBarrier() __sync_synchronize()
#define FastFence() __sync_synchronize()
#define LoadFence() __asm__ volatile("lfence" : : : "memory")
#define MemoryFence() __asm__ volatile("mfence" : : : "memory")
#define StoreFence() __asm__ volatile("sfence" : : : "memory")
#define PrefetchForWrite(address) __builtin_prefetch((const void *)(address), 1)
#define ReadForWriteAccess(pointer) (*(pointer))
#define __debugbreak() __asm__ volatile("int3")
/* What an assertion notes for the debugger; nothing of it is evaluated. */
#define __annotation(...) ((void)0)
#define __nop() __asm__ volatile("nop")

#define DIRQL_READ_WRITE(name, type) \
    DIRQL_HEADER_INLINE type Read##name##Acquire(type const volatile *Source) { \
        return __atomic_load_n(Source, __ATOMIC_ACQUIRE); \
    } \
    DIRQL_HEADER_INLINE type Read##name##NoFence(type const volatile *Source) { return *Source; } \
    DIRQL_HEADER_INLINE type Read##name##Raw(type const volatile *Source) { return *Source; } \
    DIRQL_HEADER_INLINE VOID Write##name##Release(type volatile *Destination, type Value) { \
        __atomic_store_n(Destination, Value, __ATOMIC_RELEASE); \
    } \
    DIRQL_HEADER_INLINE VOID Write##name##NoFence(type volatile *Destination, type Value) { *Destination = Value; } \
    DIRQL_HEADER_INLINE VOID Write##name##Raw(type volatile *Destination, type Value) { *Destination = Value; }
DIRQL_READ_WRITE(8, CHAR)
DIRQL_READ_WRITE(16, SHORT)
DIRQL_READ_WRITE(, LONG)
DIRQL_READ_WRITE(64, LONG64)
DIRQL_READ_WRITE(Pointer, PVOID)
DIRQL_READ_WRITE(UChar, UCHAR)
DIRQL_READ_WRITE(UShort, USHORT)
DIRQL_READ_WRITE(ULong, ULONG)
DIRQL_READ_WRITE(ULong64, ULONG64)
DIRQL_READ_WRITE(Boolean, BOOLEAN)
#undef DIRQL_READ_WRITE

/* Each intrinsic is an inline function of ours under its own name: clang has builtins by the Microsoft names.
 *
 * A bit scan returns 0 when no bit is set. */
DIRQL_HEADER_INLINE BOOLEAN dirql_bit_scan_forward(ULONG *Index, ULONG Mask) {
    *Index = Mask ? (ULONG)__builtin_ctz(Mask) : 0;
    return Mask != 0;
}

DIRQL_HEADER_INLINE BOOLEAN dirql_bit_scan_reverse(ULONG *Index, ULONG Mask) {
    *Index = Mask ? 31 - (ULONG)__builtin_clz(Mask) : 0;
    return Mask != 0;
}

DIRQL_HEADER_INLINE BOOLEAN dirql_bit_scan_forward_64(ULONG *Index, ULONG64 Mask) {
    *Index = Mask ? (ULONG)__builtin_ctzl(Mask) : 0;
    return Mask != 0;
}

DIRQL_HEADER_INLINE BOOLEAN dirql_bit_scan_reverse_64(ULONG *Index, ULONG64 Mask) {
    *Index = Mask ? 63 - (ULONG)__builtin_clzl(Mask) : 0;
    return Mask != 0;
}
#define _BitScanForward dirql_bit_scan_forward
#define _BitScanReverse dirql_bit_scan_reverse
#define _BitScanForward64 dirql_bit_scan_forward_64
#define _BitScanReverse64 dirql_bit_scan_reverse_64
#define BitScanForward dirql_bit_scan_forward
#define BitScanReverse dirql_bit_scan_reverse
#define BitScanForward64 dirql_bit_scan_forward_64
#define BitScanReverse64 dirql_bit_scan_reverse_64

DIRQL_HEADER_INLINE UCHAR dirql_bit_test(const LONG *Base, LONG Bit) { return (Base[Bit >> 5] >> (Bit & 31)) & 1; }
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_set(LONG *Base, LONG Bit) {
    UCHAR old = dirql_bit_test(Base, Bit);
    Base[Bit >> 5] |= (LONG)(1U << (Bit & 31));
    return old;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_reset(LONG *Base, LONG Bit) {
    UCHAR old = dirql_bit_test(Base, Bit);
    Base[Bit >> 5] &= ~(LONG)(1U << (Bit & 31));
    return old;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_complement(LONG *Base, LONG Bit) {
    UCHAR old = dirql_bit_test(Base, Bit);
    Base[Bit >> 5] ^= (LONG)(1U << (Bit & 31));
    return old;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_64(const LONG64 *Base, LONG64 Bit) {
    return (Base[Bit >> 6] >> (Bit & 63)) & 1;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_set_64(LONG64 *Base, LONG64 Bit) {
    UCHAR old = dirql_bit_test_64(Base, Bit);
    Base[Bit >> 6] |= (LONG64)(1UL << (Bit & 63));
    return old;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_reset_64(LONG64 *Base, LONG64 Bit) {
    UCHAR old = dirql_bit_test_64(Base, Bit);
    Base[Bit >> 6] &= ~(LONG64)(1UL << (Bit & 63));
    return old;
}
DIRQL_HEADER_INLINE UCHAR dirql_bit_test_complement_64(LONG64 *Base, LONG64 Bit) {
    UCHAR old = dirql_bit_test_64(Base, Bit);
    Base[Bit >> 6] ^= (LONG64)(1UL << (Bit & 63));
    return old;
}
#define _bittestandcomplement64 dirql_bit_test_complement_64
#define _bittestandset64 dirql_bit_test_set_64
#define _bittestandreset64 dirql_bit_test_reset_64
#define _bittest64 dirql_bit_test_64
#define _bittestandcomplement dirql_bit_test_complement
#define _bittestandset dirql_bit_test_set
#define _bittestandreset dirql_bit_test_reset
#define _bittest dirql_bit_test
#define BitTest dirql_bit_test
#define BitTestAndSet dirql_bit_test_set
#define BitTestAndReset dirql_bit_test_reset
#define BitTestAndComplement dirql_bit_test_complement
#define BitTest64 dirql_bit_test_64
#define BitTestAndSet64 dirql_bit_test_set_64
#define BitTestAndReset64 dirql_bit_test_reset_64
#define BitTestAndComplement64 dirql_bit_test_complement_64

DIRQL_HEADER_INLINE UCHAR dirql_rotl_8(UCHAR Value, UCHAR Shift) {
    return (UCHAR)((Value << (Shift & 7)) | (Value >> (-Shift & 7)));
}
DIRQL_HEADER_INLINE USHORT dirql_rotl_16(USHORT Value, UCHAR Shift) {
    return (USHORT)((Value << (Shift & 15)) | (Value >> (-Shift & 15)));
}
DIRQL_HEADER_INLINE UINT dirql_rotl(UINT Value, int Shift) {
    return (Value << (Shift & 31)) | (Value >> (-Shift & 31));
}
DIRQL_HEADER_INLINE UINT dirql_rotr(UINT Value, int Shift) {
    return (Value >> (Shift & 31)) | (Value << (-Shift & 31));
}
DIRQL_HEADER_INLINE ULONG64 dirql_rotl64(ULONG64 Value, int Shift) {
    return (Value << (Shift & 63)) | (Value >> (-Shift & 63));
}
DIRQL_HEADER_INLINE ULONG64 dirql_rotr64(ULONG64 Value, int Shift) {
    return (Value >> (Shift & 63)) | (Value << (-Shift & 63));
}

#if DIRQL_DRIVER_CODE
#define _rotl8 dirql_rotl_8
#define _rotl16 dirql_rotl_16
#define _rotl dirql_rotl
#define _rotr dirql_rotr
#define _lrotl dirql_rotl
#define _lrotr dirql_rotr
#define _rotl64 dirql_rotl64
#define _rotr64 dirql_rotr64
#define RotateLeft32 dirql_rotl
#define RotateRight32 dirql_rotr
#define RotateLeft64 dirql_rotl64
#define RotateRight64 dirql_rotr64
#define _byteswap_ushort(value) __builtin_bswap16(value)
#define _byteswap_ulong(value) __builtin_bswap32(value)
#define _byteswap_uint64(value) __builtin_bswap64(value)
#define __popcnt(value) ((unsigned int)__builtin_popcount(value))
#define __popcnt64(value) ((ULONG64)__builtin_popcountl(value))
#define _AddressOfReturnAddress() ((void *)((char *)__builtin_frame_address(0) + 8))
#define _ReturnAddress() __builtin_return_address(0)
#define __movsb(to, from, bytes) ((void)__builtin_memcpy((to), (from), (bytes)))
#define __stosb(to, value, bytes) ((void)__builtin_memset((to), (value), (bytes)))
#define __ud2() __builtin_trap()
#endif

#define UnsignedMultiply128 dirql_unsigned_multiply_128
DIRQL_HEADER_INLINE ULONG64 dirql_unsigned_multiply_128(ULONG64 Multiplier, ULONG64 Multiplicand,
                                                        ULONG64 *HighProduct) {
    unsigned __int128 product = (unsigned __int128)Multiplier * Multiplicand;
    *HighProduct = (ULONG64)(product >> 64);
    return (ULONG64)product;
}
#define _umul128 dirql_unsigned_multiply_128

DIRQL_HEADER_INLINE LONG64 dirql_multiply_high(LONG64 Multiplier, LONG64 Multiplicand) {
    return (LONG64)(((__int128)Multiplier * Multiplicand) >> 64);
}
#define MultiplyHigh dirql_multiply_high
#define __mulh dirql_multiply_high
