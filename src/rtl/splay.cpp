#include "rtl/splay.hpp"

namespace dirql::rtl {
namespace {

bool is_root(const SplayLinks* node) { return node->Parent == node; }
bool is_left(const SplayLinks* node) { return node->Parent->LeftChild == node; }
bool is_right(const SplayLinks* node) { return node->Parent->RightChild == node; }

void adopt(SplayLinks* parent, SplayLinks*& place, SplayLinks* child) {
    place = child;
    if (child != nullptr) child->Parent = parent;
}

// Puts `with`, which may be null, where `node` hangs.
void replace(const SplayLinks* node, SplayLinks* with) {
    if (is_root(node)) {
        if (with != nullptr) with->Parent = with;
        return;
    }
    SplayLinks* const parent = node->Parent;
    adopt(parent, is_left(node) ? parent->LeftChild : parent->RightChild, with);
}

// One step up: the parent becomes a child of the node.
void rotate_up(SplayLinks* node) {
    SplayLinks* const parent = node->Parent;
    const bool left = is_left(node);
    replace(parent, node);
    if (left) {
        adopt(parent, parent->LeftChild, node->RightChild);
        adopt(node, node->RightChild, parent);
    } else {
        adopt(parent, parent->RightChild, node->LeftChild);
        adopt(node, node->LeftChild, parent);
    }
}

struct Removed {
    SplayLinks* instead; // stands where the node stood
    SplayLinks* lowest;  // the node whose subtree lost a level; null when the node was a root with one child or none
};

Removed remove(SplayLinks* node) {
    if (node->LeftChild == nullptr || node->RightChild == nullptr) {
        SplayLinks* const child = node->LeftChild != nullptr ? node->LeftChild : node->RightChild;
        SplayLinks* const parent = is_root(node) ? nullptr : node->Parent;
        replace(node, child);
        return {child, parent};
    }
    SplayLinks* const before = rightmost(node->LeftChild);
    SplayLinks* const lowest = before->Parent == node ? before : before->Parent;
    replace(before, before->LeftChild);
    replace(node, before);
    adopt(before, before->LeftChild, node->LeftChild);
    adopt(before, before->RightChild, node->RightChild);
    return {before, lowest};
}

} // namespace

SplayLinks* splay(SplayLinks* node) noexcept {
    while (!is_root(node)) {
        SplayLinks* const parent = node->Parent;
        if (!is_root(parent)) rotate_up(is_left(node) == is_left(parent) ? parent : node);
        rotate_up(node);
    }
    return node;
}

SplayLinks* remove_and_splay(SplayLinks* node) noexcept {
    const Removed removed = remove(node);
    return removed.lowest != nullptr ? splay(removed.lowest) : removed.instead;
}

void remove_only(SplayLinks* node, SplayLinks*& root) noexcept {
    SplayLinks* const instead = remove(node).instead;
    if (root == node) root = instead;
}

SplayLinks* leftmost(SplayLinks* node) noexcept {
    while (node->LeftChild != nullptr) node = node->LeftChild;
    return node;
}

SplayLinks* rightmost(SplayLinks* node) noexcept {
    while (node->RightChild != nullptr) node = node->RightChild;
    return node;
}

SplayLinks* subtree_successor(SplayLinks* node) noexcept {
    return node->RightChild == nullptr ? nullptr : leftmost(node->RightChild);
}

SplayLinks* subtree_predecessor(SplayLinks* node) noexcept {
    return node->LeftChild == nullptr ? nullptr : rightmost(node->LeftChild);
}

SplayLinks* successor(SplayLinks* node) noexcept {
    if (node->RightChild != nullptr) return leftmost(node->RightChild);
    while (is_right(node)) node = node->Parent;
    return is_left(node) ? node->Parent : nullptr;
}

SplayLinks* predecessor(SplayLinks* node) noexcept {
    if (node->LeftChild != nullptr) return rightmost(node->LeftChild);
    while (is_left(node)) node = node->Parent;
    return is_right(node) ? node->Parent : nullptr;
}

} // namespace dirql::rtl
