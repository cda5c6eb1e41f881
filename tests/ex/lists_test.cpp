#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include <vector>

using namespace dirql;
using test::KernelFixture;

TEST_CASE("doubly linked lists under a lock return what was there", "[lists]") {
    KernelFixture kernel;
    const ke::Stop stop = kernel.run([&] {
        LIST_ENTRY head, a, b, c;
        KSPIN_LOCK lock;
        KeInitializeSpinLock(&lock);
        InitializeListHead(&head);
        CHECK(ExInterlockedRemoveHeadList(&head, &lock) == nullptr);
        CHECK(ExInterlockedInsertTailList(&head, &a, &lock) == nullptr);
        CHECK(ExInterlockedInsertTailList(&head, &b, &lock) == &a);
        CHECK(ExInterlockedInsertHeadList(&head, &c, &lock) == &a);
        CHECK(ExInterlockedRemoveHeadList(&head, &lock) == &c);
        CHECK(ExInterlockedRemoveHeadList(&head, &lock) == &a);
        CHECK(ExInterlockedRemoveHeadList(&head, &lock) == &b);
        CHECK(IsListEmpty(&head));
        CHECK(lock == 0);
        CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE("singly linked lists and sums under a lock", "[lists]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        SINGLE_LIST_ENTRY head{nullptr}, a, b;
        KSPIN_LOCK lock;
        KeInitializeSpinLock(&lock);
        CHECK(ExInterlockedPopEntryList(&head, &lock) == nullptr);
        CHECK(ExInterlockedPushEntryList(&head, &a, &lock) == nullptr);
        CHECK(ExInterlockedPushEntryList(&head, &b, &lock) == &a);
        CHECK(ExInterlockedPopEntryList(&head, &lock) == &b);
        CHECK(ExInterlockedPopEntryList(&head, &lock) == &a);
        ULONG sum = 0xFFFFFFFF;
        CHECK(ExInterlockedAddUlong(&sum, 3, &lock) == 0xFFFFFFFF);
        CHECK(sum == 2);
        LARGE_INTEGER big, step;
        big.QuadPart = 0x7FFF'FFFF'FFFF'FFFF;
        step.QuadPart = 1;
        CHECK(ExInterlockedAddLargeInteger(&big, step, &lock).QuadPart == 0x7FFF'FFFF'FFFF'FFFF);
        CHECK(static_cast<ULONGLONG>(big.QuadPart) == 0x8000'0000'0000'0000);
    });
}

TEST_CASE("locked lists work at device IRQL, and hold their caller's level", "[lists]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        LIST_ENTRY head, entry;
        KSPIN_LOCK lock;
        KeInitializeSpinLock(&lock);
        InitializeListHead(&head);
        KIRQL old;
        KeRaiseIrql(8, &old);
        ExInterlockedInsertTailList(&head, &entry, &lock);
        const KIRQL level = KeGetCurrentIrql();
        KeLowerIrql(old);
        CHECK(level == 8);
    });
}

TEST_CASE("sequenced lists are last in, first out, and count", "[lists]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        SLIST_HEADER list;
        SLIST_ENTRY entries[5];
        InitializeSListHead(&list);
        CHECK(InterlockedPopEntrySList(&list) == nullptr);
        CHECK(QueryDepthSList(&list) == 0);
        for (int i = 0; i < 5; ++i)
            CHECK(InterlockedPushEntrySList(&list, &entries[i]) == (i == 0 ? nullptr : &entries[i - 1]));
        CHECK(QueryDepthSList(&list) == 5);
        CHECK(InterlockedPopEntrySList(&list) == &entries[4]);
        CHECK(QueryDepthSList(&list) == 4);
        PSLIST_ENTRY all = InterlockedFlushSList(&list);
        CHECK(all == &entries[3]);
        CHECK(all->Next->Next->Next == &entries[0]);
        CHECK(entries[0].Next == nullptr);
        CHECK(QueryDepthSList(&list) == 0);
        CHECK(InterlockedFlushSList(&list) == nullptr);
        CHECK(list.HeaderX64.NextEntry == 0);
    });
}

// The sequence tells a head that came back from one that stayed (ABA).
TEST_CASE("a sequenced list's head never repeats", "[lists]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        SLIST_HEADER list;
        SLIST_ENTRY entry;
        InitializeSListHead(&list);
        InterlockedPushEntrySList(&list, &entry);
        const SLIST_HEADER before = list;
        InterlockedPopEntrySList(&list);
        InterlockedPushEntrySList(&list, &entry);
        CHECK(list.Region == before.Region);
        CHECK(list.HeaderX64.Depth == before.HeaderX64.Depth);
        CHECK(list.HeaderX64.Sequence != before.HeaderX64.Sequence);
    });
}

TEST_CASE("a sequenced list's head must be aligned", "[lists]") {
    KernelFixture kernel;
    (void)kernel.run([&] {
        alignas(16) unsigned char room[48];
        CHECK(test::status_raised_by([&] { InitializeSListHead(reinterpret_cast<PSLIST_HEADER>(room + 8)); }) ==
              STATUS_DATATYPE_MISALIGNMENT);
    });
}
