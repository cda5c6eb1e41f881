// Generic tables on AVL trees. The head of the tree is BalancedRoot; elements have no order but the driver's.
//
// Enumeration remembers the element it returned last, in RestartKey of the table or of the caller. A deletion moves the
// table's own key back; DeleteCount lets the callers see that theirs may be stale.
#include "ex/rtl_tables.hpp"
#include "ke/exports/rtl_table.hpp"
#include "rtl/avl_tree.hpp"
#include "rtl/memory.hpp"

using namespace dirql;

namespace {

struct Element {
    RTL_BALANCED_LINKS links;
    LONGLONG user_data; // as much as the caller asks for
};

constexpr ULONG overhead = offsetof(Element, user_data);
static_assert(overhead == 0x20);

Element* element_of(PRTL_BALANCED_LINKS links) { return CONTAINING_RECORD(links, Element, links); }
PVOID data_of(PRTL_BALANCED_LINKS links) { return links == nullptr ? nullptr : &element_of(links)->user_data; }

using Place = ex::TablePlace<RTL_BALANCED_LINKS>;

PRTL_BALANCED_LINKS root_of(PRTL_AVL_TABLE table) { return table->BalancedRoot.RightChild; }

Place find(PRTL_AVL_TABLE table, PVOID buffer) { return ex::find_in_table(table, root_of(table), buffer, data_of); }

void forget_place(PRTL_AVL_TABLE table) {
    table->OrderedPointer = nullptr;
    table->WhichOrderedElement = 0;
}

PVOID insert(PRTL_AVL_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element, Place place) {
    ex::tell(new_element, FALSE);
    if (place.result == TableFoundNode) return data_of(place.links);
    if (size > MAXULONG - overhead) return nullptr;
    auto* const element = static_cast<Element*>(ex::call_table_routine(table->AllocateRoutine, table, overhead + size));
    if (element == nullptr) return nullptr;
    rtl::move_memory(&element->user_data, buffer, size);
    rtl::fill_memory(&element->links, 0, sizeof(element->links));
    PRTL_BALANCED_LINKS const head = &table->BalancedRoot;
    PRTL_BALANCED_LINKS const parent = place.result == TableEmptyTree ? head : place.links;
    if (rtl::avl_insert(head, &element->links, parent, place.result == TableInsertAsLeft)) ++table->DepthOfTree;
    ++table->NumberGenericTableElements;
    forget_place(table); // what stands behind the new element has another index now
    ex::tell(new_element, TRUE);
    return &element->user_data;
}

void remove(PRTL_AVL_TABLE table, PRTL_BALANCED_LINKS links) {
    if (links == table->RestartKey) table->RestartKey = rtl::avl_predecessor(links);
    ++table->DeleteCount;
    if (rtl::avl_remove(&table->BalancedRoot, links)) --table->DepthOfTree;
    --table->NumberGenericTableElements;
    forget_place(table);
    ex::call_table_routine(table->FreeRoutine, table, static_cast<PVOID>(element_of(links)));
}

PVOID enumerate(PRTL_AVL_TABLE table, PVOID* restart_key) {
    if (root_of(table) == nullptr) return nullptr;
    const auto last = static_cast<PRTL_BALANCED_LINKS>(*restart_key);
    const auto next = last == nullptr ? rtl::avl_leftmost(root_of(table)) : rtl::avl_successor(last);
    if (next != nullptr) *restart_key = next;
    return data_of(next);
}

// The first element that is the driver's match, from `links` on; null when there is none or the routine wants no more.
PRTL_BALANCED_LINKS next_match(PRTL_AVL_TABLE table, PRTL_BALANCED_LINKS links, PRTL_AVL_MATCH_FUNCTION match,
                               PVOID match_data) {
    for (; links != nullptr; links = rtl::avl_successor(links)) {
        const NTSTATUS status =
            match == nullptr ? STATUS_SUCCESS : ex::call_table_routine(match, table, data_of(links), match_data);
        if (status == STATUS_SUCCESS) return links;
        if (status == STATUS_NO_MORE_MATCHES) return nullptr;
    }
    return nullptr;
}

// Where an enumeration begins that goes by `buffer`: at its element, behind that one, or where it would be.
PRTL_BALANCED_LINKS begin_at(PRTL_AVL_TABLE table, PVOID buffer, bool next) {
    const Place place = find(table, buffer);
    const bool behind = place.result == TableInsertAsRight || (place.result == TableFoundNode && next);
    return behind ? rtl::avl_successor(place.links) : place.links;
}

// Elements counted from 1: goes to `number` from the nearest of both ends and the place remembered.
PRTL_BALANCED_LINKS march(PRTL_AVL_TABLE table, ULONG number) {
    auto links = static_cast<PRTL_BALANCED_LINKS>(table->OrderedPointer);
    ULONG at = table->WhichOrderedElement;
    const ULONG count = table->NumberGenericTableElements;
    const ULONG away = links == nullptr ? MAXULONG : at > number ? at - number : number - at;
    if (number - 1 < away && number - 1 <= count - number) {
        links = rtl::avl_leftmost(root_of(table));
        at = 1;
    } else if (count - number < away) {
        links = rtl::avl_rightmost(root_of(table));
        at = count;
    }
    for (; at < number; ++at) links = rtl::avl_successor(links);
    for (; at > number; --at) links = rtl::avl_predecessor(links);
    return links;
}

} // namespace

extern "C" {

VOID NTAPI RtlInitializeGenericTableAvl(PRTL_AVL_TABLE table, PRTL_AVL_COMPARE_ROUTINE compare,
                                        PRTL_AVL_ALLOCATE_ROUTINE allocate, PRTL_AVL_FREE_ROUTINE free, PVOID context) {
    DIRQL_DOOR(RtlInitializeGenericTableAvl);
    rtl::fill_memory(table, 0, sizeof(*table));
    table->BalancedRoot.Parent = &table->BalancedRoot;
    table->CompareRoutine = compare;
    table->AllocateRoutine = allocate;
    table->FreeRoutine = free;
    table->TableContext = context;
}

PVOID NTAPI RtlInsertElementGenericTableAvl(PRTL_AVL_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element) {
    DIRQL_DOOR(RtlInsertElementGenericTableAvl);
    return insert(table, buffer, size, new_element, find(table, buffer));
}

// Trusts the search that the caller has made.
PVOID NTAPI RtlInsertElementGenericTableFullAvl(PRTL_AVL_TABLE table, PVOID buffer, CLONG size, PBOOLEAN new_element,
                                                PVOID node_or_parent, TABLE_SEARCH_RESULT result) {
    DIRQL_DOOR(RtlInsertElementGenericTableFullAvl);
    return insert(table, buffer, size, new_element, {result, static_cast<PRTL_BALANCED_LINKS>(node_or_parent)});
}

BOOLEAN NTAPI RtlDeleteElementGenericTableAvl(PRTL_AVL_TABLE table, PVOID buffer) {
    DIRQL_DOOR(RtlDeleteElementGenericTableAvl);
    const Place place = find(table, buffer);
    if (place.result != TableFoundNode) return FALSE;
    remove(table, place.links);
    return TRUE;
}

// Deletes the node that a search has found.
VOID NTAPI RtlDeleteElementGenericTableAvlEx(PRTL_AVL_TABLE table, PVOID node) {
    DIRQL_DOOR(RtlDeleteElementGenericTableAvlEx);
    remove(table, static_cast<PRTL_BALANCED_LINKS>(node));
}

PVOID NTAPI RtlLookupElementGenericTableAvl(PRTL_AVL_TABLE table, PVOID buffer) {
    DIRQL_DOOR(RtlLookupElementGenericTableAvl);
    const Place place = find(table, buffer);
    return place.result == TableFoundNode ? data_of(place.links) : nullptr;
}

// Of an empty table *node_or_parent is left alone.
PVOID NTAPI RtlLookupElementGenericTableFullAvl(PRTL_AVL_TABLE table, PVOID buffer, PVOID* node_or_parent,
                                                TABLE_SEARCH_RESULT* result) {
    DIRQL_DOOR(RtlLookupElementGenericTableFullAvl);
    const Place place = find(table, buffer);
    *result = place.result;
    if (place.result != TableEmptyTree) *node_or_parent = place.links;
    return place.result == TableFoundNode ? data_of(place.links) : nullptr;
}

// Where the driver's order calls several elements equal, the first of them; *restart_key then enumerates the rest.
PVOID NTAPI RtlLookupFirstMatchingElementGenericTableAvl(PRTL_AVL_TABLE table, PVOID buffer, PVOID* restart_key) {
    DIRQL_DOOR(RtlLookupFirstMatchingElementGenericTableAvl);
    const Place place = find(table, buffer);
    if (place.result != TableFoundNode) return nullptr;
    PRTL_BALANCED_LINKS first = place.links;
    for (auto before = first; (before = rtl::avl_predecessor(before)) != nullptr; first = before)
        if (ex::call_table_routine(table->CompareRoutine, table, buffer, data_of(before)) != GenericEqual) break;
    *restart_key = first;
    return data_of(first);
}

PVOID NTAPI RtlEnumerateGenericTableAvl(PRTL_AVL_TABLE table, BOOLEAN restart) {
    DIRQL_DOOR(RtlEnumerateGenericTableAvl);
    PVOID key = restart ? nullptr : table->RestartKey;
    const PVOID data = enumerate(table, &key);
    table->RestartKey = static_cast<PRTL_BALANCED_LINKS>(key);
    return data;
}

// A null *restart_key begins; it is not moved past the last element.
PVOID NTAPI RtlEnumerateGenericTableWithoutSplayingAvl(PRTL_AVL_TABLE table, PVOID* restart_key) {
    DIRQL_DOOR(RtlEnumerateGenericTableWithoutSplayingAvl);
    return enumerate(table, restart_key);
}

PVOID NTAPI RtlEnumerateGenericTableLikeADirectory(PRTL_AVL_TABLE table, PRTL_AVL_MATCH_FUNCTION match,
                                                   PVOID match_data, ULONG next_flag, PVOID* restart_key,
                                                   PULONG delete_count, PVOID buffer) {
    DIRQL_DOOR(RtlEnumerateGenericTableLikeADirectory);
    if (root_of(table) == nullptr) {
        *restart_key = nullptr;
        return nullptr;
    }
    auto links = static_cast<PRTL_BALANCED_LINKS>(*restart_key);
    if (links == nullptr || *delete_count != table->DeleteCount) {
        links = begin_at(table, buffer, next_flag != 0);
    } else if (next_flag != 0) {
        links = rtl::avl_successor(links);
    }
    links = next_match(table, links, match, match_data);
    if (links != nullptr) *restart_key = links;
    *delete_count = table->DeleteCount;
    return data_of(links);
}

// By the driver's order, counted from 0: an AVL table keeps no other.
PVOID NTAPI RtlGetElementGenericTableAvl(PRTL_AVL_TABLE table, ULONG index) {
    DIRQL_DOOR(RtlGetElementGenericTableAvl);
    if (index >= table->NumberGenericTableElements) return nullptr;
    const PRTL_BALANCED_LINKS links = march(table, index + 1);
    table->OrderedPointer = links;
    table->WhichOrderedElement = index + 1;
    return data_of(links);
}

ULONG NTAPI RtlNumberGenericTableElementsAvl(PRTL_AVL_TABLE table) {
    DIRQL_DOOR(RtlNumberGenericTableElementsAvl);
    return table->NumberGenericTableElements;
}

BOOLEAN NTAPI RtlIsGenericTableEmptyAvl(PRTL_AVL_TABLE table) {
    DIRQL_DOOR(RtlIsGenericTableEmptyAvl);
    return table->NumberGenericTableElements == 0;
}

} // extern "C"
