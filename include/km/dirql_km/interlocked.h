/* Interlocked operations and barriers: full barriers all, as the processor's locked instructions are.
 *
 * Increment, Decrement, Add and AddLargeStatistic return the new value; Exchange, ExchangeAdd, CompareExchange, And, Or
 * and Xor return the old one. */
#pragma once

#include <ntdef.h>

DIRQL_HEADER_INLINE LONG InterlockedIncrement(LONG volatile *Addend) { return __sync_add_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE LONG InterlockedDecrement(LONG volatile *Addend) { return __sync_sub_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE LONG InterlockedAdd(LONG volatile *Addend, LONG Value) {
    return __sync_add_and_fetch(Addend, Value);
}
DIRQL_HEADER_INLINE LONG InterlockedExchange(LONG volatile *Target, LONG Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
DIRQL_HEADER_INLINE LONG InterlockedExchangeAdd(LONG volatile *Addend, LONG Value) {
    return __sync_fetch_and_add(Addend, Value);
}
DIRQL_HEADER_INLINE LONG InterlockedCompareExchange(LONG volatile *Destination, LONG Exchange, LONG Comparand) {
    return __sync_val_compare_and_swap(Destination, Comparand, Exchange);
}
DIRQL_HEADER_INLINE LONG InterlockedAnd(LONG volatile *Destination, LONG Value) {
    return __sync_fetch_and_and(Destination, Value);
}
DIRQL_HEADER_INLINE LONG InterlockedOr(LONG volatile *Destination, LONG Value) {
    return __sync_fetch_and_or(Destination, Value);
}
DIRQL_HEADER_INLINE LONG InterlockedXor(LONG volatile *Destination, LONG Value) {
    return __sync_fetch_and_xor(Destination, Value);
}

DIRQL_HEADER_INLINE LONG64 InterlockedIncrement64(LONG64 volatile *Addend) { return __sync_add_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE LONG64 InterlockedDecrement64(LONG64 volatile *Addend) { return __sync_sub_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE LONG64 InterlockedAdd64(LONG64 volatile *Addend, LONG64 Value) {
    return __sync_add_and_fetch(Addend, Value);
}
DIRQL_HEADER_INLINE LONG64 InterlockedExchange64(LONG64 volatile *Target, LONG64 Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
DIRQL_HEADER_INLINE LONG64 InterlockedExchangeAdd64(LONG64 volatile *Addend, LONG64 Value) {
    return __sync_fetch_and_add(Addend, Value);
}
DIRQL_HEADER_INLINE LONG64 InterlockedCompareExchange64(LONG64 volatile *Destination, LONG64 Exchange,
                                                        LONG64 Comparand) {
    return __sync_val_compare_and_swap(Destination, Comparand, Exchange);
}
DIRQL_HEADER_INLINE LONG64 InterlockedAnd64(LONG64 volatile *Destination, LONG64 Value) {
    return __sync_fetch_and_and(Destination, Value);
}
DIRQL_HEADER_INLINE LONG64 InterlockedOr64(LONG64 volatile *Destination, LONG64 Value) {
    return __sync_fetch_and_or(Destination, Value);
}
DIRQL_HEADER_INLINE LONG64 InterlockedXor64(LONG64 volatile *Destination, LONG64 Value) {
    return __sync_fetch_and_xor(Destination, Value);
}

DIRQL_HEADER_INLINE SHORT InterlockedIncrement16(SHORT volatile *Addend) { return __sync_add_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE SHORT InterlockedDecrement16(SHORT volatile *Addend) { return __sync_sub_and_fetch(Addend, 1); }
DIRQL_HEADER_INLINE SHORT InterlockedExchange16(SHORT volatile *Target, SHORT Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
DIRQL_HEADER_INLINE SHORT InterlockedExchangeAdd16(SHORT volatile *Addend, SHORT Value) {
    return __sync_fetch_and_add(Addend, Value);
}
DIRQL_HEADER_INLINE SHORT InterlockedCompareExchange16(SHORT volatile *Destination, SHORT Exchange, SHORT Comparand) {
    return __sync_val_compare_and_swap(Destination, Comparand, Exchange);
}
DIRQL_HEADER_INLINE SHORT InterlockedAnd16(SHORT volatile *Destination, SHORT Value) {
    return __sync_fetch_and_and(Destination, Value);
}
DIRQL_HEADER_INLINE SHORT InterlockedOr16(SHORT volatile *Destination, SHORT Value) {
    return __sync_fetch_and_or(Destination, Value);
}
DIRQL_HEADER_INLINE SHORT InterlockedXor16(SHORT volatile *Destination, SHORT Value) {
    return __sync_fetch_and_xor(Destination, Value);
}

DIRQL_HEADER_INLINE CHAR InterlockedExchange8(CHAR volatile *Target, CHAR Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
DIRQL_HEADER_INLINE CHAR InterlockedAnd8(CHAR volatile *Destination, CHAR Value) {
    return __sync_fetch_and_and(Destination, Value);
}
DIRQL_HEADER_INLINE CHAR InterlockedOr8(CHAR volatile *Destination, CHAR Value) {
    return __sync_fetch_and_or(Destination, Value);
}
DIRQL_HEADER_INLINE CHAR InterlockedXor8(CHAR volatile *Destination, CHAR Value) {
    return __sync_fetch_and_xor(Destination, Value);
}

DIRQL_HEADER_INLINE PVOID InterlockedExchangePointer(PVOID volatile *Target, PVOID Value) {
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
DIRQL_HEADER_INLINE PVOID InterlockedCompareExchangePointer(PVOID volatile *Destination, PVOID Exchange,
                                                            PVOID Comparand) {
    return __sync_val_compare_and_swap(Destination, Comparand, Exchange);
}

DIRQL_HEADER_INLINE BOOLEAN InterlockedBitTestAndSet(LONG volatile *Base, LONG Bit) {
    return (__sync_fetch_and_or(Base + (Bit >> 5), (LONG)(1U << (Bit & 31))) >> (Bit & 31)) & 1;
}
DIRQL_HEADER_INLINE BOOLEAN InterlockedBitTestAndReset(LONG volatile *Base, LONG Bit) {
    return (__sync_fetch_and_and(Base + (Bit >> 5), ~(LONG)(1U << (Bit & 31))) >> (Bit & 31)) & 1;
}
DIRQL_HEADER_INLINE BOOLEAN InterlockedBitTestAndSet64(LONG64 volatile *Base, LONG64 Bit) {
    return (__sync_fetch_and_or(Base + (Bit >> 6), (LONG64)(1UL << (Bit & 63))) >> (Bit & 63)) & 1;
}
DIRQL_HEADER_INLINE BOOLEAN InterlockedBitTestAndReset64(LONG64 volatile *Base, LONG64 Bit) {
    return (__sync_fetch_and_and(Base + (Bit >> 6), ~(LONG64)(1UL << (Bit & 63))) >> (Bit & 63)) & 1;
}

DIRQL_HEADER_INLINE VOID ExInterlockedAddLargeStatistic(PLARGE_INTEGER Addend, ULONG Increment) {
    __sync_fetch_and_add(&Addend->QuadPart, (LONGLONG)Increment);
}
#define InterlockedAddLargeStatistic ExInterlockedAddLargeStatistic

DIRQL_HEADER_INLINE LONG64 dirql_compare_exchange_64(LONG64 volatile *Destination, LONG64 *Exchange,
                                                     LONG64 *Comparand) {
    return __sync_val_compare_and_swap(Destination, *Comparand, *Exchange);
}
#define ExInterlockedCompareExchange64(Destination, Exchange, Comparand, Lock) \
    dirql_compare_exchange_64((LONG64 volatile *)(Destination), (LONG64 *)(Exchange), (LONG64 *)(Comparand))

/* x64 defines the Acquire, Release and NoFence forms as the plain ones. */
#define InterlockedIncrementAcquire InterlockedIncrement
#define InterlockedIncrementRelease InterlockedIncrement
#define InterlockedIncrementNoFence InterlockedIncrement
#define InterlockedIncrementAcquire64 InterlockedIncrement64
#define InterlockedIncrementRelease64 InterlockedIncrement64
#define InterlockedIncrementNoFence64 InterlockedIncrement64
#define InterlockedDecrementAcquire InterlockedDecrement
#define InterlockedDecrementRelease InterlockedDecrement
#define InterlockedDecrementNoFence InterlockedDecrement
#define InterlockedDecrementAcquire64 InterlockedDecrement64
#define InterlockedDecrementRelease64 InterlockedDecrement64
#define InterlockedDecrementNoFence64 InterlockedDecrement64
#define InterlockedExchangeAcquire InterlockedExchange
#define InterlockedExchangeRelease InterlockedExchange
#define InterlockedExchangeNoFence InterlockedExchange
#define InterlockedExchangeAcquire64 InterlockedExchange64
#define InterlockedExchangeRelease64 InterlockedExchange64
#define InterlockedExchangeNoFence64 InterlockedExchange64
#define InterlockedExchangeAddAcquire InterlockedExchangeAdd
#define InterlockedExchangeAddRelease InterlockedExchangeAdd
#define InterlockedExchangeAddNoFence InterlockedExchangeAdd
#define InterlockedExchangeAddAcquire64 InterlockedExchangeAdd64
#define InterlockedExchangeAddRelease64 InterlockedExchangeAdd64
#define InterlockedExchangeAddNoFence64 InterlockedExchangeAdd64
#define InterlockedCompareExchangeAcquire InterlockedCompareExchange
#define InterlockedCompareExchangeRelease InterlockedCompareExchange
#define InterlockedCompareExchangeNoFence InterlockedCompareExchange
#define InterlockedCompareExchangeAcquire64 InterlockedCompareExchange64
#define InterlockedCompareExchangeRelease64 InterlockedCompareExchange64
#define InterlockedCompareExchangeNoFence64 InterlockedCompareExchange64
#define InterlockedAndAcquire InterlockedAnd
#define InterlockedAndRelease InterlockedAnd
#define InterlockedAndNoFence InterlockedAnd
#define InterlockedAndAcquire64 InterlockedAnd64
#define InterlockedAndRelease64 InterlockedAnd64
#define InterlockedAndNoFence64 InterlockedAnd64
#define InterlockedOrAcquire InterlockedOr
#define InterlockedOrRelease InterlockedOr
#define InterlockedOrNoFence InterlockedOr
#define InterlockedOrAcquire64 InterlockedOr64
#define InterlockedOrRelease64 InterlockedOr64
#define InterlockedOrNoFence64 InterlockedOr64
#define InterlockedAddAcquire InterlockedAdd
#define InterlockedAddRelease InterlockedAdd
#define InterlockedAddNoFence InterlockedAdd
#define InterlockedAddAcquire64 InterlockedAdd64
#define InterlockedAddRelease64 InterlockedAdd64
#define InterlockedAddNoFence64 InterlockedAdd64
#define InterlockedExchangePointerAcquire InterlockedExchangePointer
#define InterlockedExchangePointerRelease InterlockedExchangePointer
#define InterlockedExchangePointerNoFence InterlockedExchangePointer
#define InterlockedCompareExchangePointerAcquire InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerRelease InterlockedCompareExchangePointer
#define InterlockedCompareExchangePointerNoFence InterlockedCompareExchangePointer

#define _InterlockedIncrement InterlockedIncrement
#define _InterlockedDecrement InterlockedDecrement
#define _InterlockedExchange InterlockedExchange
#define _InterlockedExchangeAdd InterlockedExchangeAdd
#define _InterlockedCompareExchange InterlockedCompareExchange
#define _InterlockedCompareExchange64 InterlockedCompareExchange64
#define _InterlockedExchangePointer InterlockedExchangePointer
#define _InterlockedCompareExchangePointer InterlockedCompareExchangePointer
#define _InterlockedAnd InterlockedAnd
#define _InterlockedOr InterlockedOr
#define _InterlockedXor InterlockedXor
#define _interlockedbittestandset InterlockedBitTestAndSet
#define _interlockedbittestandreset InterlockedBitTestAndReset
#define InterlockedExchangeAddSizeT(Target, Value) \
    ((SIZE_T)InterlockedExchangeAdd64((LONG64 volatile *)(Target), (LONG64)(Value)))
#define InterlockedIncrementSizeT(Target) ((SIZE_T)InterlockedIncrement64((LONG64 volatile *)(Target)))
#define InterlockedDecrementSizeT(Target) ((SIZE_T)InterlockedDecrement64((LONG64 volatile *)(Target)))
