// AVL trees of RTL_BALANCED_LINKS below a head, which is its own parent and has the root as its right child.
//
// `Balance` is the depth of the right subtree less that of the left one: -1, 0 or 1.
#pragma once

#include <dirql_km/rtl_table.h>

namespace dirql::rtl {

using AvlLinks = RTL_BALANCED_LINKS;

// Hangs the node below `parent`, which has no child there, and restores the balance. True when the tree is a level
// deeper for it.
bool avl_insert(AvlLinks* head, AvlLinks* node, AvlLinks* parent, bool left) noexcept;

// Takes the node out and restores the balance. True when the tree lost a level.
bool avl_remove(AvlLinks* head, AvlLinks* node) noexcept;

[[nodiscard]] AvlLinks* avl_leftmost(AvlLinks* node) noexcept;
[[nodiscard]] AvlLinks* avl_rightmost(AvlLinks* node) noexcept;

// The neighbours in order; null at the ends.
[[nodiscard]] AvlLinks* avl_successor(AvlLinks* node) noexcept;
[[nodiscard]] AvlLinks* avl_predecessor(AvlLinks* node) noexcept;

} // namespace dirql::rtl
