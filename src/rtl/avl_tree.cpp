#include "rtl/avl_tree.hpp"

namespace dirql::rtl {
namespace {

constexpr int left_side = -1, right_side = 1;

bool is_left(const AvlLinks* node) { return node->Parent->LeftChild == node; }
bool is_right(const AvlLinks* node) { return node->Parent->RightChild == node; }
int side_of(const AvlLinks* node) { return is_left(node) ? left_side : right_side; }

AvlLinks*& child(AvlLinks* node, int side) { return side == left_side ? node->LeftChild : node->RightChild; }

void adopt(AvlLinks* parent, int side, AvlLinks* node) {
    child(parent, side) = node;
    if (node != nullptr) node->Parent = parent;
}

void set_balance(AvlLinks* node, int balance) { node->Balance = static_cast<CHAR>(balance); }

// Puts `with`, which may be null, where `node` hangs. The head above makes a root no special case.
void replace(const AvlLinks* node, AvlLinks* with) { adopt(node->Parent, side_of(node), with); }

// One step up: the parent becomes a child of the node. Balances are the caller's to set.
void rotate_up(AvlLinks* node) {
    AvlLinks* const parent = node->Parent;
    const int side = side_of(node);
    replace(parent, node);
    adopt(parent, side, child(node, -side));
    adopt(node, -side, parent);
}

struct Rotated {
    AvlLinks* top;
    bool shallower;
};

// `node` is two levels deeper at `heavy`. Rotates that away.
Rotated rotate(AvlLinks* node, int heavy) {
    AvlLinks* const below = child(node, heavy);
    if (below->Balance != -heavy) {
        const bool even = below->Balance == 0; // happens after a removal only: the depth stays
        rotate_up(below);
        set_balance(node, even ? heavy : 0);
        set_balance(below, even ? -heavy : 0);
        return {below, !even};
    }
    AvlLinks* const middle = child(below, -heavy);
    rotate_up(middle);
    rotate_up(middle);
    set_balance(node, middle->Balance == heavy ? -heavy : 0);
    set_balance(below, middle->Balance == -heavy ? heavy : 0);
    set_balance(middle, 0);
    return {middle, true};
}

// The subtree of `node` at `side` lost a level. True when the tree did.
bool balance_after_removal(const AvlLinks* head, AvlLinks* node, int side) {
    while (node != head) {
        AvlLinks* top = node;
        if (node->Balance == 0) {
            set_balance(node, -side);
            return false;
        }
        if (node->Balance == side) {
            set_balance(node, 0);
        } else {
            const Rotated rotated = rotate(node, -side);
            if (!rotated.shallower) return false;
            top = rotated.top;
        }
        side = side_of(top);
        node = top->Parent;
    }
    return true;
}

} // namespace

bool avl_insert(AvlLinks* head, AvlLinks* node, AvlLinks* parent, bool left) noexcept {
    node->LeftChild = node->RightChild = nullptr;
    set_balance(node, 0);
    adopt(parent, left ? left_side : right_side, node);
    for (; parent != head; node = parent, parent = parent->Parent) {
        const int side = side_of(node);
        if (parent->Balance == -side) {
            set_balance(parent, 0);
            return false;
        }
        if (parent->Balance == side) {
            rotate(parent, side);
            return false;
        }
        set_balance(parent, side);
    }
    return true;
}

bool avl_remove(AvlLinks* head, AvlLinks* node) noexcept {
    AvlLinks* easy = node; // has one child at most
    if (node->LeftChild != nullptr && node->RightChild != nullptr)
        easy = node->Balance >= 0 ? avl_leftmost(node->RightChild) : avl_rightmost(node->LeftChild);
    AvlLinks* const parent = easy->Parent;
    const int side = side_of(easy);
    replace(easy, easy->LeftChild != nullptr ? easy->LeftChild : easy->RightChild);
    const bool shallower = balance_after_removal(head, parent, side);
    if (easy != node) {
        set_balance(easy, node->Balance);
        replace(node, easy);
        adopt(easy, left_side, node->LeftChild);
        adopt(easy, right_side, node->RightChild);
    }
    return shallower;
}

AvlLinks* avl_leftmost(AvlLinks* node) noexcept {
    while (node->LeftChild != nullptr) node = node->LeftChild;
    return node;
}

AvlLinks* avl_rightmost(AvlLinks* node) noexcept {
    while (node->RightChild != nullptr) node = node->RightChild;
    return node;
}

AvlLinks* avl_successor(AvlLinks* node) noexcept {
    if (node->RightChild != nullptr) return avl_leftmost(node->RightChild);
    while (is_right(node)) node = node->Parent;
    return is_left(node) ? node->Parent : nullptr;
}

// The head is no element: whoever hangs below it is the root.
AvlLinks* avl_predecessor(AvlLinks* node) noexcept {
    if (node->LeftChild != nullptr) return avl_rightmost(node->LeftChild);
    while (is_left(node)) node = node->Parent;
    AvlLinks* const parent = node->Parent;
    return is_right(node) && parent->Parent != parent ? parent : nullptr;
}

} // namespace dirql::rtl
