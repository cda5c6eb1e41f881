// What generic tables on splay trees and those on AVL trees share: the search, and the calls of the driver's routines.
//
// These calls pass the callout door: a routine that returns at another IRQL is found where it happens. A table that is
// used outside of a machine calls its routines as they are.
#pragma once

#include "ke/callout.hpp"

#include <ntddk.h>

namespace dirql::ex {

template <class Routine, class... Arguments>
DIRQL_CALLS_ANY_ROUTINE auto call_table_routine(Routine* routine, Arguments... arguments) noexcept {
    if (ke::current_processor() == nullptr) return routine(arguments...);
    return ke::callout({ke::CalloutKind::other, reinterpret_cast<const void*>(routine)}, routine, arguments...);
}

template <class Links> struct TablePlace {
    TABLE_SEARCH_RESULT result;
    Links* links; // the node found, or the one to become the parent
};

// Goes down from `root`, which may be null. `data_of` gives a node's user data.
template <class Table, class Links, class DataOf>
TablePlace<Links> find_in_table(Table* table, Links* root, PVOID buffer, DataOf data_of) noexcept {
    if (root == nullptr) return {TableEmptyTree, nullptr};
    for (Links* node = root;;) {
        const auto order = call_table_routine(table->CompareRoutine, table, buffer, data_of(node));
        if (order != GenericLessThan && order != GenericGreaterThan) return {TableFoundNode, node};
        Links* const next = order == GenericLessThan ? node->LeftChild : node->RightChild;
        if (next == nullptr) return {order == GenericLessThan ? TableInsertAsLeft : TableInsertAsRight, node};
        node = next;
    }
}

inline void tell(PBOOLEAN new_element, BOOLEAN value) noexcept {
    if (new_element != nullptr) *new_element = value;
}

} // namespace dirql::ex
