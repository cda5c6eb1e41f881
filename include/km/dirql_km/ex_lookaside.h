/* Lookaside lists: free blocks of one size, kept at hand. */
#pragma once

#include <dirql_km/ex_misc.h>
#include <dirql_km/ex_pool.h>

struct _LOOKASIDE_LIST_EX;

typedef PVOID ALLOCATE_FUNCTION(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag);
typedef ALLOCATE_FUNCTION *PALLOCATE_FUNCTION;
typedef VOID FREE_FUNCTION(PVOID Buffer);
typedef FREE_FUNCTION *PFREE_FUNCTION;
typedef PVOID ALLOCATE_FUNCTION_EX(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag,
                                   struct _LOOKASIDE_LIST_EX *Lookaside);
typedef ALLOCATE_FUNCTION_EX *PALLOCATE_FUNCTION_EX;
typedef VOID FREE_FUNCTION_EX(PVOID Buffer, struct _LOOKASIDE_LIST_EX *Lookaside);
typedef FREE_FUNCTION_EX *PFREE_FUNCTION_EX;

#define DIRQL_GENERAL_LOOKASIDE_FIELDS \
    union { \
        SLIST_HEADER ListHead; \
        SINGLE_LIST_ENTRY SingleListHead; \
    }; \
    USHORT Depth; \
    USHORT MaximumDepth; \
    ULONG TotalAllocates; \
    union { \
        ULONG AllocateMisses; \
        ULONG AllocateHits; \
    }; \
    ULONG TotalFrees; \
    union { \
        ULONG FreeMisses; \
        ULONG FreeHits; \
    }; \
    POOL_TYPE Type; \
    ULONG Tag; \
    ULONG Size; \
    union { \
        PALLOCATE_FUNCTION_EX AllocateEx; \
        PALLOCATE_FUNCTION Allocate; \
    }; \
    union { \
        PFREE_FUNCTION_EX FreeEx; \
        PFREE_FUNCTION Free; \
    }; \
    LIST_ENTRY ListEntry; \
    ULONG LastTotalAllocates; \
    union { \
        ULONG LastAllocateMisses; \
        ULONG LastAllocateHits; \
    }; \
    ULONG Future[2];

typedef struct DECLSPEC_CACHEALIGN _GENERAL_LOOKASIDE {
    DIRQL_GENERAL_LOOKASIDE_FIELDS
} GENERAL_LOOKASIDE, *PGENERAL_LOOKASIDE;
DIRQL_ASSERT_SIZE(GENERAL_LOOKASIDE, 0x80);

typedef struct _GENERAL_LOOKASIDE_POOL {
    DIRQL_GENERAL_LOOKASIDE_FIELDS
} GENERAL_LOOKASIDE_POOL, *PGENERAL_LOOKASIDE_POOL;
DIRQL_ASSERT_SIZE(GENERAL_LOOKASIDE_POOL, 0x60);

typedef struct _LOOKASIDE_LIST_EX {
    GENERAL_LOOKASIDE_POOL L;
} LOOKASIDE_LIST_EX, *PLOOKASIDE_LIST_EX;
DIRQL_ASSERT_SIZE(LOOKASIDE_LIST_EX, 0x60);

typedef struct DECLSPEC_CACHEALIGN _NPAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} NPAGED_LOOKASIDE_LIST, *PNPAGED_LOOKASIDE_LIST;
DIRQL_ASSERT_SIZE(NPAGED_LOOKASIDE_LIST, 0x80);

typedef struct DECLSPEC_CACHEALIGN _PAGED_LOOKASIDE_LIST {
    GENERAL_LOOKASIDE L;
} PAGED_LOOKASIDE_LIST, *PPAGED_LOOKASIDE_LIST;
DIRQL_ASSERT_SIZE(PAGED_LOOKASIDE_LIST, 0x80);

#define EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL 0x00000001U
#define EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE 0x00000002U
#define EX_MAXIMUM_LOOKASIDE_DEPTH_BASE 256
#define EX_MAXIMUM_LOOKASIDE_DEPTH_LIMIT 1024

#ifdef __cplusplus
extern "C" {
#endif

NTKERNELAPI VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                                       PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                                       USHORT Depth);
NTKERNELAPI VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside);
NTKERNELAPI VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                                      PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag,
                                                      USHORT Depth);
NTKERNELAPI VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside);
NTKERNELAPI NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
                                                       PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags,
                                                       SIZE_T Size, ULONG Tag, USHORT Depth);
NTKERNELAPI VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);
NTKERNELAPI VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside);
NTKERNELAPI VOID NTAPI ExAdjustLookasideDepth(VOID);

#ifdef __cplusplus
}
#endif

/* A block from the list, or a new one from the pool. */
DIRQL_HEADER_INLINE PVOID dirql_lookaside_allocate(SLIST_HEADER *ListHead, ULONG *TotalAllocates,
                                                   ULONG *AllocateMisses) {
    ++*TotalAllocates;
    PVOID entry = InterlockedPopEntrySList(ListHead);
    *AllocateMisses += entry == NULL;
    return entry;
}

/* TRUE when the list took the block. */
DIRQL_HEADER_INLINE BOOLEAN dirql_lookaside_free(SLIST_HEADER *ListHead, USHORT Depth, ULONG *TotalFrees,
                                                 ULONG *FreeMisses, PVOID Entry) {
    ++*TotalFrees;
    if (ExQueryDepthSList(ListHead) >= Depth) {
        ++*FreeMisses;
        return FALSE;
    }
    InterlockedPushEntrySList(ListHead, (PSLIST_ENTRY)Entry);
    return TRUE;
}

#define DIRQL_LOOKASIDE(Kind, LIST) \
    DIRQL_HEADER_INLINE PVOID ExAllocateFrom##Kind##LookasideList(LIST *Lookaside) { \
        PVOID entry = dirql_lookaside_allocate(&Lookaside->L.ListHead, &Lookaside->L.TotalAllocates, \
                                               &Lookaside->L.AllocateMisses); \
        return entry != NULL ? entry : Lookaside->L.Allocate(Lookaside->L.Type, Lookaside->L.Size, Lookaside->L.Tag); \
    } \
    DIRQL_HEADER_INLINE VOID ExFreeTo##Kind##LookasideList(LIST *Lookaside, PVOID Entry) { \
        if (!dirql_lookaside_free(&Lookaside->L.ListHead, Lookaside->L.Depth, &Lookaside->L.TotalFrees, \
                                  &Lookaside->L.FreeMisses, Entry)) { \
            Lookaside->L.Free(Entry); \
        } \
    }
DIRQL_LOOKASIDE(NPaged, NPAGED_LOOKASIDE_LIST)
DIRQL_LOOKASIDE(Paged, PAGED_LOOKASIDE_LIST)
#undef DIRQL_LOOKASIDE

DIRQL_HEADER_INLINE PVOID ExAllocateFromLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    PVOID entry =
        dirql_lookaside_allocate(&Lookaside->L.ListHead, &Lookaside->L.TotalAllocates, &Lookaside->L.AllocateMisses);
    return entry != NULL ? entry
                         : Lookaside->L.AllocateEx(Lookaside->L.Type, Lookaside->L.Size, Lookaside->L.Tag, Lookaside);
}

DIRQL_HEADER_INLINE VOID ExFreeToLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PVOID Entry) {
    if (!dirql_lookaside_free(&Lookaside->L.ListHead, Lookaside->L.Depth, &Lookaside->L.TotalFrees,
                              &Lookaside->L.FreeMisses, Entry)) {
        Lookaside->L.FreeEx(Entry, Lookaside);
    }
}
