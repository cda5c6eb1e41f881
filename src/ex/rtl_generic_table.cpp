// Generic tables: elements in a splay tree by the driver's order, and in a list by the time of insertion.
//
// OrderedPointer and WhichOrderedElement remember the place in the list that was asked for last: element number
// WhichOrderedElement, counted from 1; 0 is the head.
#include "ex/rtl_tables.hpp"
#include "ke/exports/rtl_table.hpp"
#include "rtl/memory.hpp"
#include "rtl/splay.hpp"

using namespace dirql;

namespace {

struct Element {
    RTL_SPLAY_LINKS links;
    LIST_ENTRY order;
    LONGLONG user_data; // as much as the caller asks for
};

constexpr ULONG overhead = offsetof(Element, user_data);
static_assert(overhead == 0x28);

Element* element_of(PRTL_SPLAY_LINKS links) { return CONTAINING_RECORD(links, Element, links); }
PVOID data_of(PRTL_SPLAY_LINKS links) { return &element_of(links)->user_data; }

using Place = ex::TablePlace<RTL_SPLAY_LINKS>;

Place find(PRTL_GENERIC_TABLE table, PVOID buffer) {
    return ex::find_in_table(table, table->TableRoot, buffer, data_of);
}

PVOID splayed(PRTL_GENERIC_TABLE table, PRTL_SPLAY_LINKS links) {
    table->TableRoot = rtl::splay(links);
    return data_of(links);
}

void forget_place(PRTL_GENERIC_TABLE table) {
    table->OrderedPointer = &table->InsertOrderList;
    table->WhichOrderedElement = 0;
}

void hang(PRTL_GENERIC_TABLE table, PRTL_SPLAY_LINKS links, Place place) {
    RtlInitializeSplayLinks(links);
    if (place.result == TableEmptyTree) {
        table->TableRoot = links;
    } else if (place.result == TableInsertAsLeft) {
        RtlInsertAsLeftChild(place.links, links);
    } else {
        RtlInsertAsRightChild(place.links, links);
    }
}

PVOID insert(PRTL_GENERIC_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element, Place place) {
    ex::tell(new_element, FALSE);
    if (place.result == TableFoundNode) return splayed(table, place.links);
    if (size > MAXULONG - overhead) return nullptr;
    auto* const element = static_cast<Element*>(ex::call_table_routine(table->AllocateRoutine, table, overhead + size));
    if (element == nullptr) return nullptr;
    rtl::move_memory(&element->user_data, buffer, size);
    hang(table, &element->links, place);
    InsertTailList(&table->InsertOrderList, &element->order);
    ++table->NumberGenericTableElements;
    ex::tell(new_element, TRUE);
    return splayed(table, &element->links);
}

PVOID lookup(PRTL_GENERIC_TABLE table, Place place) {
    return place.result == TableFoundNode ? splayed(table, place.links) : nullptr;
}

// Goes to element `number`, counted from 1, from the nearest of head, tail and the place remembered.
PLIST_ENTRY march(PRTL_GENERIC_TABLE table, ULONG number) {
    const PLIST_ENTRY head = &table->InsertOrderList;
    PLIST_ENTRY entry = table->OrderedPointer;
    ULONG at = table->WhichOrderedElement;
    const ULONG away = at > number ? at - number : number - at,
                from_tail = table->NumberGenericTableElements + 1 - number;
    if (number < away) {
        entry = head;
        at = 0;
    }
    if (from_tail < away && from_tail < number) {
        entry = head;
        at = table->NumberGenericTableElements + 1;
    }
    for (; at < number; ++at) entry = entry->Flink;
    for (; at > number; --at) entry = entry->Blink;
    return entry;
}

} // namespace

extern "C" {

VOID NTAPI RtlInitializeGenericTable(PRTL_GENERIC_TABLE table, PRTL_GENERIC_COMPARE_ROUTINE compare,
                                     PRTL_GENERIC_ALLOCATE_ROUTINE allocate, PRTL_GENERIC_FREE_ROUTINE free,
                                     PVOID context) {
    DIRQL_DOOR(RtlInitializeGenericTable);
    table->TableRoot = nullptr;
    InitializeListHead(&table->InsertOrderList);
    forget_place(table);
    table->NumberGenericTableElements = 0;
    table->CompareRoutine = compare;
    table->AllocateRoutine = allocate;
    table->FreeRoutine = free;
    table->TableContext = context;
}

// The data in the table, whether it was there or is new; null when the driver's routine gave no memory.
PVOID NTAPI RtlInsertElementGenericTable(PRTL_GENERIC_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element) {
    DIRQL_DOOR(RtlInsertElementGenericTable);
    return insert(table, buffer, size, new_element, find(table, buffer));
}

// Trusts the search that the caller has made.
PVOID NTAPI RtlInsertElementGenericTableFull(PRTL_GENERIC_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element,
                                             PVOID node_or_parent, TABLE_SEARCH_RESULT result) {
    DIRQL_DOOR(RtlInsertElementGenericTableFull);
    return insert(table, buffer, size, new_element, {result, static_cast<PRTL_SPLAY_LINKS>(node_or_parent)});
}

BOOLEAN NTAPI RtlDeleteElementGenericTable(PRTL_GENERIC_TABLE table, PVOID buffer) {
    DIRQL_DOOR(RtlDeleteElementGenericTable);
    const Place place = find(table, buffer);
    if (place.result != TableFoundNode) return FALSE;
    Element* const element = element_of(place.links);
    table->TableRoot = rtl::remove_and_splay(place.links);
    RemoveEntryList(&element->order);
    --table->NumberGenericTableElements;
    forget_place(table);
    ex::call_table_routine(table->FreeRoutine, table, static_cast<PVOID>(element));
    return TRUE;
}

PVOID NTAPI RtlLookupElementGenericTable(PRTL_GENERIC_TABLE table, PVOID buffer) {
    DIRQL_DOOR(RtlLookupElementGenericTable);
    return lookup(table, find(table, buffer));
}

// Of an empty table *node_or_parent is left alone.
PVOID NTAPI RtlLookupElementGenericTableFull(PRTL_GENERIC_TABLE table, PVOID buffer, PVOID* node_or_parent,
                                             TABLE_SEARCH_RESULT* result) {
    DIRQL_DOOR(RtlLookupElementGenericTableFull);
    const Place place = find(table, buffer);
    *result = place.result;
    if (place.result != TableEmptyTree) *node_or_parent = place.links;
    return lookup(table, place);
}

// The element after the root, which is the one returned last.
PVOID NTAPI RtlEnumerateGenericTable(PRTL_GENERIC_TABLE table, BOOLEAN restart) {
    DIRQL_DOOR(RtlEnumerateGenericTable);
    if (table->TableRoot == nullptr) return nullptr;
    const auto next = restart ? rtl::leftmost(table->TableRoot) : rtl::successor(table->TableRoot);
    return next == nullptr ? nullptr : splayed(table, next);
}

// A null *restart_key begins; it is not moved past the last element.
PVOID NTAPI RtlEnumerateGenericTableWithoutSplaying(PRTL_GENERIC_TABLE table, PVOID* restart_key) {
    DIRQL_DOOR(RtlEnumerateGenericTableWithoutSplaying);
    if (table->TableRoot == nullptr) return nullptr;
    const auto last = static_cast<PRTL_SPLAY_LINKS>(*restart_key);
    const auto next = last == nullptr ? rtl::leftmost(table->TableRoot) : rtl::successor(last);
    if (next == nullptr) return nullptr;
    *restart_key = next;
    return data_of(next);
}

// By order of insertion, counted from 0.
PVOID NTAPI RtlGetElementGenericTable(PRTL_GENERIC_TABLE table, ULONG index) {
    DIRQL_DOOR(RtlGetElementGenericTable);
    if (index >= table->NumberGenericTableElements) return nullptr;
    table->OrderedPointer = march(table, index + 1);
    table->WhichOrderedElement = index + 1;
    return &CONTAINING_RECORD(table->OrderedPointer, Element, order)->user_data;
}

ULONG NTAPI RtlNumberGenericTableElements(PRTL_GENERIC_TABLE table) {
    DIRQL_DOOR(RtlNumberGenericTableElements);
    return table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmpty(PRTL_GENERIC_TABLE table) {
    DIRQL_DOOR(RtlIsGenericTableEmpty);
    return table->TableRoot == nullptr;
}

} // extern "C"
