// What AVL tables alone have: enumeration through deletions, nodes, equal elements, directories.
#include "tables.hpp"

using namespace dirql::test::tables;

TEST_CASE("an AVL enumeration goes on behind what was deleted under it", "[table]") {
    Fixture<Balanced> tested;
    for (LONG key = 0; key < 10; ++key) tested.add(key);
    const auto next = [&] { return static_cast<Item*>(RtlEnumerateGenericTableAvl(&tested.table, FALSE))->key; };
    for (LONG key = 0; key < 4; ++key) CHECK(next() == key);
    tested.erase(3);
    CHECK(next() == 4);
    for (LONG key = 0; key <= 4; ++key) tested.erase(key);
    CHECK(next() == 5);
    CHECK(tested.table.DeleteCount == 5);
}

TEST_CASE("a found node is deleted without a search", "[table]") {
    Fixture<Balanced> tested;
    for (LONG key = 0; key < 10; ++key) tested.add(key);
    TABLE_SEARCH_RESULT result;
    PVOID node = nullptr;
    Item item{6, 0};
    REQUIRE(RtlLookupElementGenericTableFullAvl(&tested.table, &item, &node, &result) != nullptr);
    const int compares = tested.driver.compares;
    RtlDeleteElementGenericTableAvlEx(&tested.table, node);
    CHECK(tested.driver.compares == compares);
    CHECK(tested.look_up(6) == nullptr);
    CHECK(tested.driver.live == 9);
    check_invariants(tested.table);
}

namespace {

RTL_GENERIC_COMPARE_RESULTS by_tens(RTL_AVL_TABLE*, PVOID first, PVOID second) {
    const LONG left = static_cast<Item*>(first)->key / 10, right = static_cast<Item*>(second)->key / 10;
    return left < right ? GenericLessThan : left > right ? GenericGreaterThan : GenericEqual;
}

NTSTATUS even_below(RTL_AVL_TABLE*, PVOID user, PVOID limit) {
    const LONG key = static_cast<Item*>(user)->key;
    if (key >= *static_cast<LONG*>(limit)) return STATUS_NO_MORE_MATCHES;
    return key % 2 == 0 ? STATUS_SUCCESS : STATUS_NO_MATCH;
}

} // namespace

TEST_CASE("the first of several equal elements is found, and the others follow", "[table]") {
    Fixture<Balanced> tested;
    for (LONG key = 0; key < 100; key += 3) tested.add(key);
    tested.table.CompareRoutine = by_tens; // a coarser order that agrees with the finer
    Item item{45, 0};
    PVOID key = nullptr;
    auto* found = static_cast<Item*>(RtlLookupFirstMatchingElementGenericTableAvl(&tested.table, &item, &key));
    REQUIRE(found != nullptr);
    CHECK(found->key == 42);
    CHECK(static_cast<Item*>(RtlEnumerateGenericTableWithoutSplayingAvl(&tested.table, &key))->key == 45);
    CHECK(static_cast<Item*>(RtlEnumerateGenericTableWithoutSplayingAvl(&tested.table, &key))->key == 48);
    item.key = 5;
    CHECK(static_cast<Item*>(RtlLookupFirstMatchingElementGenericTableAvl(&tested.table, &item, &key))->key == 0);
    item.key = 100;
    PVOID untouched = &item;
    CHECK(RtlLookupFirstMatchingElementGenericTableAvl(&tested.table, &item, &untouched) == nullptr);
    CHECK(untouched == &item);
    tested.table.CompareRoutine = compare<RTL_AVL_TABLE>;
}

TEST_CASE("enumeration like a directory resumes at a key or by a name", "[table]") {
    Fixture<Balanced> tested;
    PVOID key = &tested;
    ULONG deletions = 99;
    Item from{10, 0};
    LONG limit = 1000;
    PRTL_AVL_MATCH_FUNCTION match = nullptr;
    const auto next = [&](BOOLEAN flag) {
        auto* const item = static_cast<Item*>(
            RtlEnumerateGenericTableLikeADirectory(&tested.table, match, &limit, flag, &key, &deletions, &from));
        return item == nullptr ? -1 : item->key;
    };
    CHECK(next(TRUE) == -1); // an empty table
    CHECK(key == nullptr);
    for (LONG i = 0; i < 30; i += 2) tested.add(i);
    CHECK(next(FALSE) == 10);
    CHECK(next(FALSE) == 10);
    CHECK(next(TRUE) == 12);
    CHECK(next(TRUE) == 14);
    key = nullptr;
    CHECK(next(TRUE) == 12);
    from.key = 17; // not there: what follows is next, asked for either way
    for (const BOOLEAN flag : {TRUE, FALSE}) {
        key = nullptr;
        CHECK(next(flag) == 18);
    }
    from.key = -5;
    key = nullptr;
    CHECK(next(TRUE) == 0);
    from.key = 50;
    key = nullptr;
    CHECK(next(FALSE) == -1);

    from.key = 4;
    key = nullptr;
    CHECK(next(FALSE) == 4);
    CHECK(next(TRUE) == 6);
    tested.erase(6); // the key is stale now, and the name counts
    CHECK(next(TRUE) == 8);
    CHECK(deletions == tested.table.DeleteCount);
    for (LONG i = 1; i < 30; i += 2) tested.add(i);
    match = even_below;
    from.key = 9;
    key = nullptr;
    limit = 13;
    CHECK(next(TRUE) == 10);
    CHECK(next(TRUE) == 12);
    CHECK(next(TRUE) == -1);
}
