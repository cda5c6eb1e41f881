// Generic tables and AVL tables, by hand and against std::map and std::vector.
#include "support/random.hpp"
#include "tables.hpp"

#include <map>
#include <vector>

using dirql::test::property_steps;
using dirql::test::Random;
using namespace dirql::test::tables;

namespace {

template <class Kind> void against_models(std::uint64_t seed, bool get_by_insertion) {
    Random random(seed);
    Fixture<Kind> tested;
    std::map<LONG, LONG> sorted;
    std::vector<LONG> inserted;
    PVOID key = nullptr; // of an enumeration that goes on between the steps: the last key it gave
    LONG last = -1;
    bool key_valid = true;
    for (int step = 0; step < property_steps; ++step) {
        // Phases of growing and shrinking.
        const bool grow = random.below(8) < (step / 1000 % 2 == 0 ? 5u : 3u);
        const auto chosen = static_cast<LONG>(random.below(300));
        if (random.chance(8)) {
            Item* const found = tested.look_up(chosen);
            REQUIRE((found != nullptr) == sorted.contains(chosen));
            if (found) REQUIRE(found->value == sorted[chosen]);
        } else if (grow) {
            BOOLEAN is_new = 2;
            const Item* const item = tested.add(chosen, step, &is_new);
            const auto [place, added] = sorted.try_emplace(chosen, step);
            REQUIRE(is_new == (added ? TRUE : FALSE));
            REQUIRE((item->key == chosen && item->value == place->second));
            if (added) inserted.push_back(chosen);
        } else {
            REQUIRE(tested.erase(chosen) == (sorted.erase(chosen) != 0));
            std::erase(inserted, chosen);
            if (chosen == last) key_valid = false;
        }
        REQUIRE(Kind::number(&tested.table) == sorted.size());
        REQUIRE(Kind::empty(&tested.table) == sorted.empty());
        REQUIRE(tested.driver.live == static_cast<long>(sorted.size()));
        if (!key_valid || random.chance(50)) {
            key = nullptr;
            last = -1;
            key_valid = true;
        }
        const auto* const next = static_cast<Item*>(Kind::enumerate_by_key(&tested.table, &key));
        const auto expected = sorted.upper_bound(last);
        REQUIRE((next != nullptr) == (expected != sorted.end()));
        if (next) REQUIRE((last = next->key) == expected->first);
        const auto index = random.below(inserted.size() + 1);
        if (get_by_insertion)
            REQUIRE(tested.at(static_cast<ULONG>(index)) == (index < inserted.size() ? inserted[index] : -1));
        else
            REQUIRE(tested.at(static_cast<ULONG>(index)) ==
                    (index < sorted.size() ? std::next(sorted.begin(), static_cast<long>(index))->first : -1));
        if (step % 16 == 0) check_invariants(tested.table);
    }
}

} // namespace

TEST_CASE("generic tables agree with a map and a list of insertions", "[table]") { against_models<Splayed>(1, true); }
TEST_CASE("AVL tables agree with a map and stay balanced", "[table]") { against_models<Balanced>(2, false); }

TEMPLATE_TEST_CASE("a table holds copies, says what is new and calls the driver for memory", "[table]", Splayed,
                   Balanced) {
    Fixture<TestType> tested;
    CHECK(TestType::empty(&tested.table));
    CHECK(TestType::enumerate(&tested.table, TRUE) == nullptr);
    CHECK_FALSE(tested.erase(1));
    CHECK(tested.driver.compares == 0);
    BOOLEAN is_new = 7;
    Item* const first = tested.add(5, 50, &is_new);
    REQUIRE(first != nullptr);
    CHECK(is_new == TRUE);
    CHECK(tested.driver.last_size == TestType::overhead + sizeof(Item));
    CHECK(tested.add(5, 51, &is_new) == first);
    CHECK(is_new == FALSE);
    CHECK(first->value == 50);
    CHECK(tested.driver.live == 1);

    tested.driver.fail = true;
    is_new = 7;
    CHECK(tested.add(6, 0, &is_new) == nullptr);
    CHECK(is_new == FALSE);
    CHECK(TestType::number(&tested.table) == 1);
    tested.driver.fail = false;
    Item item{6, 0};
    tested.driver.last_size = 0;
    CHECK(TestType::insert(&tested.table, &item, MAXULONG, &is_new) ==
          nullptr); // no size for the routine to be asked for
    CHECK(tested.driver.last_size == 0);

    CHECK(TestType::insert(&tested.table, &item, sizeof(item), nullptr) != nullptr);
    CHECK(tested.erase(5));
    CHECK_FALSE(tested.erase(5));
    CHECK_FALSE(TestType::empty(&tested.table));
    CHECK(tested.look_up(5) == nullptr);
    CHECK(tested.at(MAXULONG) == -1);
}

TEMPLATE_TEST_CASE("a search's result can be used to insert", "[table]", Splayed, Balanced) {
    Fixture<TestType> tested;
    TABLE_SEARCH_RESULT result = TableFoundNode;
    int untouched = 0;
    PVOID place = &untouched;
    const auto search = [&](LONG key) {
        Item item{key, 0};
        return TestType::lookup_full(&tested.table, &item, &place, &result);
    };
    const auto insert = [&](LONG key) {
        Item item{key, key * 10};
        BOOLEAN is_new = 7;
        auto* const added =
            static_cast<Item*>(TestType::insert_full(&tested.table, &item, sizeof(item), &is_new, place, result));
        CHECK(is_new == (result != TableFoundNode));
        return added;
    };
    CHECK(search(50) == nullptr);
    CHECK(result == TableEmptyTree);
    CHECK(place == &untouched);
    Item* const fifty = insert(50);
    CHECK(search(50) == fifty);
    CHECK(result == TableFoundNode);
    CHECK(static_cast<char*>(place) + TestType::overhead == reinterpret_cast<char*>(fifty));
    const int compares = tested.driver.compares;
    CHECK(insert(50) == fifty);
    CHECK(tested.driver.compares == compares); // the search is not made again
    CHECK(search(20) == nullptr);
    CHECK(result == TableInsertAsLeft);
    CHECK(insert(20)->value == 200);
    CHECK(search(70) == nullptr);
    CHECK(result == TableInsertAsRight);
    CHECK(insert(70) != nullptr);
    CHECK(tested.enumerated() == std::vector<LONG>{20, 50, 70});
    check_invariants(tested.table);
}

TEMPLATE_TEST_CASE("enumeration goes by the driver's order and stays at the end", "[table]", Splayed, Balanced) {
    Fixture<TestType> tested;
    for (const LONG key : {30, 10, 20}) tested.add(key);
    const auto next = [&](bool restart) {
        auto* const item = static_cast<Item*>(TestType::enumerate(&tested.table, restart));
        return item == nullptr ? -1 : item->key;
    };
    CHECK(next(true) == 10);
    CHECK(next(false) == 20);
    CHECK(next(true) == 10);
    CHECK(next(false) == 20);
    CHECK(next(false) == 30);
    CHECK(next(false) == -1);
    CHECK(next(false) == -1);
    CHECK(next(true) == 10);
}

TEST_CASE("what is looked up, inserted or enumerated becomes the root of a splay table", "[table]") {
    Fixture<Splayed> tested;
    for (LONG key = 0; key < 20; ++key) tested.add(key);
    CHECK(key_of(tested.table.TableRoot) == 19);
    tested.look_up(4);
    CHECK(key_of(tested.table.TableRoot) == 4);
    CHECK(tested.look_up(77) == nullptr);
    CHECK(key_of(tested.table.TableRoot) == 4);
    RtlEnumerateGenericTable(&tested.table, FALSE);
    CHECK(key_of(tested.table.TableRoot) == 5);
    PVOID key = nullptr;
    RtlEnumerateGenericTableWithoutSplaying(&tested.table, &key);
    CHECK(key_of(tested.table.TableRoot) == 5);
    CHECK(tested.at(7) == 7);
    CHECK(tested.table.WhichOrderedElement == 8);
    tested.erase(3);
    CHECK(tested.at(3) == 4); // what was inserted behind moves up
}
