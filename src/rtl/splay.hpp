// Splay trees of RTL_SPLAY_LINKS: each root is its own parent, and an access brings its node to the root.
#pragma once

#include <dirql_km/rtl_table.h>

namespace dirql::rtl {

using SplayLinks = RTL_SPLAY_LINKS;

// Makes the node the root, by Sleator and Tarjan's double rotations. Returns it.
SplayLinks* splay(SplayLinks* node) noexcept;

// Takes the node out and splays where the tree lost it. Returns the new root, null when the tree is empty.
SplayLinks* remove_and_splay(SplayLinks* node) noexcept;

// Takes the node out and leaves the rest as it stands. `root` is the tree's, before and after.
void remove_only(SplayLinks* node, SplayLinks*& root) noexcept;

[[nodiscard]] SplayLinks* leftmost(SplayLinks* node) noexcept;
[[nodiscard]] SplayLinks* rightmost(SplayLinks* node) noexcept;

// The neighbours in order within the node's own subtree; null when there is none.
[[nodiscard]] SplayLinks* subtree_successor(SplayLinks* node) noexcept;
[[nodiscard]] SplayLinks* subtree_predecessor(SplayLinks* node) noexcept;

// The neighbours in order within the whole tree; null when there is none.
[[nodiscard]] SplayLinks* successor(SplayLinks* node) noexcept;
[[nodiscard]] SplayLinks* predecessor(SplayLinks* node) noexcept;

} // namespace dirql::rtl
