/* Lists, and splay links. lists_cpp.cpp compiles this again as C++. */
#include "check.h"

#ifndef CHECK_LISTS
#define CHECK_LISTS check_lists
#endif

static void check_doubly_linked(PCHECKS checks) {
    LIST_ENTRY head, other, a, b, c;
    InitializeListHead(&head);
    CHECK(head.Flink == &head && head.Blink == &head && IsListEmpty(&head));
    InsertHeadList(&head, &b);
    InsertHeadList(&head, &a);
    InsertTailList(&head, &c);
    CHECK(!IsListEmpty(&head) && head.Flink == &a && a.Flink == &b && b.Flink == &c && c.Flink == &head);
    CHECK(head.Blink == &c && c.Blink == &b && b.Blink == &a && a.Blink == &head);
    CHECK(!RemoveEntryList(&b) && a.Flink == &c);
    CHECK(RemoveHeadList(&head) == &a && RemoveTailList(&head) == &c && IsListEmpty(&head));
    CHECK(RemoveHeadList(&head) == &head && RemoveTailList(&head) == &head);
    InsertTailList(&head, &a);
    CHECK(RemoveEntryList(&a));
    InsertTailList(&head, &a);
    InitializeListHead(&other);
    InsertTailList(&other, &b);
    InsertTailList(&other, &c);
    CHECK(!RemoveEntryList(&other)); /* b and c are a list without head */
    AppendTailList(&head, &b);
    CHECK(head.Blink == &c && a.Flink == &b && b.Blink == &a && c.Flink == &head);
}

static void check_singly_linked(PCHECKS checks) {
    SINGLE_LIST_ENTRY head = {NULL}, a, b;
    CHECK(PopEntryList(&head) == NULL);
    PushEntryList(&head, &a);
    PushEntryList(&head, &b);
    CHECK(head.Next == &b && b.Next == &a && a.Next == NULL);
    CHECK(PopEntryList(&head) == &b && PopEntryList(&head) == &a && PopEntryList(&head) == NULL);
}

static void check_splay_links(PCHECKS checks) {
    RTL_SPLAY_LINKS root, left, right;
    root.LeftChild = root.RightChild = &left;
    RtlInitializeSplayLinks(&root);
    RtlInitializeSplayLinks(&left);
    RtlInitializeSplayLinks(&right);
    CHECK(RtlIsRoot(&root) && RtlParent(&root) == &root && RtlLeftChild(&root) == NULL && RtlRightChild(&root) == NULL);
    RtlInsertAsLeftChild(&root, &left);
    RtlInsertAsRightChild(&root, &right);
    CHECK(RtlLeftChild(&root) == &left && RtlRightChild(&root) == &right);
    CHECK(RtlParent(&left) == &root && RtlParent(&right) == &root && !RtlIsRoot(&left));
    CHECK(RtlIsLeftChild(&left) && !RtlIsLeftChild(&right) && RtlIsRightChild(&right) && !RtlIsRightChild(&left));
}

#ifdef __cplusplus
extern "C"
#endif
    void
    CHECK_LISTS(PCHECKS checks) {
    check_doubly_linked(checks);
    check_singly_linked(checks);
    check_splay_links(checks);
}
