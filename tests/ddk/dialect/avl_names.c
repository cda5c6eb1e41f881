/* A source that asks for AVL tables under the names of the splay tables, and for byte counts alone. */
#define RTL_USE_AVL_TABLES 0
#define NTSTRSAFE_NO_CCH_FUNCTIONS
#define NTSTRSAFE_NO_UNICODE_STRING_FUNCTIONS
#define NTSTRSAFE_MAX_CCH 100
#include "check.h"

#include <ntstrsafe.h>

/* Names that this source left to itself. */
static int RtlStringCchCopyW(void) { return 1; }
static int RtlUnicodeStringCopy(void) { return 2; }

static struct {
    RTL_BALANCED_LINKS links;
    LONG key[2];
} storage[2];
static ULONG used;

static RTL_GENERIC_COMPARE_RESULTS NTAPI compare(PRTL_GENERIC_TABLE Table, PVOID First, PVOID Second) {
    LONG first = *(PLONG)First, second = *(PLONG)Second;
    UNREFERENCED_PARAMETER(Table);
    return first < second ? GenericLessThan : first > second ? GenericGreaterThan : GenericEqual;
}

static PVOID NTAPI allocate(PRTL_GENERIC_TABLE Table, CLONG ByteSize) {
    UNREFERENCED_PARAMETER(Table);
    return used < 2 && ByteSize <= sizeof(storage[0]) ? &storage[used++] : NULL;
}

static VOID NTAPI release(PRTL_GENERIC_TABLE Table, PVOID Buffer) {
    UNREFERENCED_PARAMETER(Table);
    UNREFERENCED_PARAMETER(Buffer);
    used--;
}

void check_avl_names(PCHECKS checks) {
    RTL_GENERIC_TABLE table;
    TABLE_SEARCH_RESULT result;
    PVOID key = NULL, place = NULL;
    LONG value = 5;
    BOOLEAN added = FALSE;
    CHAR text[101];
    CHECK(sizeof(table) == sizeof(RTL_AVL_TABLE));
    RtlInitializeGenericTable(&table, compare, allocate, release, NULL);
    CHECK(RtlIsGenericTableEmpty(&table));
    CHECK(RtlInsertElementGenericTable(&table, &value, sizeof(value), &added) != NULL && added);
    value = 3;
    CHECK(RtlLookupElementGenericTableFull(&table, &value, &place, &result) == NULL && result == TableInsertAsLeft);
    CHECK(RtlInsertElementGenericTableFull(&table, &value, sizeof(value), &added, place, result) != NULL);
    CHECK(RtlLookupElementGenericTable(&table, &value) == storage[1].key);
    CHECK(RtlEnumerateGenericTable(&table, TRUE) == storage[1].key);
    CHECK(RtlEnumerateGenericTableWithoutSplaying(&table, &key) == storage[1].key);
    CHECK(RtlGetElementGenericTable(&table, 1) == storage[0].key);
    CHECK(RtlNumberGenericTableElements(&table) == 2 && table.BalancedRoot.RightChild == &storage[0].links);
    CHECK(RtlDeleteElementGenericTable(&table, &value) && used == 1);

    CHECK(RtlStringCchCopyW() == 1 && RtlUnicodeStringCopy() == 2);
    CHECK(RtlStringCbCopyA(text, 100, "abc") == STATUS_SUCCESS);
    CHECK(RtlStringCbCopyA(text, 101, "abc") == STATUS_INVALID_PARAMETER);
}
