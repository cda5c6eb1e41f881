/* Doubly and singly linked lists. A broken link is a security check failure (bug check 0x139), as on NT since 8. */
#pragma once

#include <ntdef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* FAST_FAIL_CORRUPT_LIST_ENTRY: ends the system with bug check 0x139, first parameter 3. */
DECLSPEC_NORETURN NTKERNELAPI VOID NTAPI dirql_fast_fail(ULONG Code);

#ifdef __cplusplus
}
#endif

#define FAST_FAIL_LEGACY_GS_VIOLATION 0
#define FAST_FAIL_STACK_COOKIE_CHECK_FAILURE 2
#define FAST_FAIL_CORRUPT_LIST_ENTRY 3
#define FAST_FAIL_INCORRECT_STACK 4
#define FAST_FAIL_INVALID_ARG 5
#define FAST_FAIL_FATAL_APP_EXIT 7
#define FAST_FAIL_RANGE_CHECK_FAILURE 8
#define FAST_FAIL_INVALID_REFERENCE_COUNT 14
#define __fastfail(code) dirql_fast_fail(code)
#define RtlFailFast(code) dirql_fast_fail(code)

DIRQL_HEADER_INLINE VOID FatalListEntryError(PVOID p1, PVOID p2, PVOID p3) {
    (void)p1, (void)p2, (void)p3;
    dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
}

DIRQL_HEADER_INLINE VOID RtlpCheckListEntry(const LIST_ENTRY *Entry) {
    if (__builtin_expect(Entry->Flink->Blink != Entry || Entry->Blink->Flink != Entry, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
}

DIRQL_HEADER_INLINE VOID InitializeListHead(PLIST_ENTRY ListHead) { ListHead->Flink = ListHead->Blink = ListHead; }

DIRQL_HEADER_INLINE BOOLEAN IsListEmpty(const LIST_ENTRY *ListHead) { return (BOOLEAN)(ListHead->Flink == ListHead); }

/* Returns TRUE when the list is empty afterwards. */
DIRQL_HEADER_INLINE BOOLEAN RemoveEntryList(PLIST_ENTRY Entry) {
    PLIST_ENTRY next = Entry->Flink;
    PLIST_ENTRY previous = Entry->Blink;
    if (__builtin_expect(next->Blink != Entry || previous->Flink != Entry, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
    previous->Flink = next;
    next->Blink = previous;
    return (BOOLEAN)(next == previous);
}

/* On an empty list both return its head. */
DIRQL_HEADER_INLINE PLIST_ENTRY RemoveHeadList(PLIST_ENTRY ListHead) {
    PLIST_ENTRY entry = ListHead->Flink;
    PLIST_ENTRY next = entry->Flink;
    if (__builtin_expect(entry->Blink != ListHead || next->Blink != entry, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
    ListHead->Flink = next;
    next->Blink = ListHead;
    return entry;
}

DIRQL_HEADER_INLINE PLIST_ENTRY RemoveTailList(PLIST_ENTRY ListHead) {
    PLIST_ENTRY entry = ListHead->Blink;
    PLIST_ENTRY previous = entry->Blink;
    if (__builtin_expect(entry->Flink != ListHead || previous->Flink != entry, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
    ListHead->Blink = previous;
    previous->Flink = ListHead;
    return entry;
}

DIRQL_HEADER_INLINE VOID InsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry) {
    PLIST_ENTRY previous = ListHead->Blink;
    if (__builtin_expect(previous->Flink != ListHead, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
    Entry->Flink = ListHead;
    Entry->Blink = previous;
    previous->Flink = Entry;
    ListHead->Blink = Entry;
}

DIRQL_HEADER_INLINE VOID InsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY Entry) {
    PLIST_ENTRY next = ListHead->Flink;
    if (__builtin_expect(next->Blink != ListHead, 0)) {
        dirql_fast_fail(FAST_FAIL_CORRUPT_LIST_ENTRY);
    }
    Entry->Flink = next;
    Entry->Blink = ListHead;
    next->Blink = Entry;
    ListHead->Flink = Entry;
}

/* Joins the whole list that ListToAppend is a part of, which must not contain ListHead. */
DIRQL_HEADER_INLINE VOID AppendTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListToAppend) {
    PLIST_ENTRY tail = ListHead->Blink;
    RtlpCheckListEntry(ListHead);
    RtlpCheckListEntry(ListToAppend);
    ListHead->Blink->Flink = ListToAppend;
    ListHead->Blink = ListToAppend->Blink;
    ListToAppend->Blink->Flink = ListHead;
    ListToAppend->Blink = tail;
}

DIRQL_HEADER_INLINE PSINGLE_LIST_ENTRY PopEntryList(PSINGLE_LIST_ENTRY ListHead) {
    PSINGLE_LIST_ENTRY first = ListHead->Next;
    if (first != NULL) {
        ListHead->Next = first->Next;
    }
    return first;
}

DIRQL_HEADER_INLINE VOID PushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY Entry) {
    Entry->Next = ListHead->Next;
    ListHead->Next = Entry;
}
