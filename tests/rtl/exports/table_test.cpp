// Splay links, generic tables and AVL tables, by hand and against std::map and std::vector.
#include "../random.hpp"
#include "catch.hpp"

#include <ntddk.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

using dirql::test::property_steps;
using dirql::test::Random;

namespace {

struct Item {
    LONG key;
    LONG value;
};

// What the driver's side of a table does and saw.
struct Driver {
    long live = 0;
    CLONG last_size = 0;
    bool fail = false;
    int compares = 0;
};

template <class Table> RTL_GENERIC_COMPARE_RESULTS compare(Table* table, PVOID first, PVOID second) {
    ++static_cast<Driver*>(table->TableContext)->compares;
    const LONG left = static_cast<Item*>(first)->key, right = static_cast<Item*>(second)->key;
    return left < right ? GenericLessThan : left > right ? GenericGreaterThan : GenericEqual;
}

// Memory of the routine is no zeroes.
template <class Table> PVOID allocate(Table* table, CLONG size) {
    auto* const driver = static_cast<Driver*>(table->TableContext);
    driver->last_size = size;
    if (driver->fail) return nullptr;
    ++driver->live;
    void* const block = std::malloc(size);
    std::fill_n(static_cast<unsigned char*>(block), size, 0xCD);
    return block;
}

template <class Table> VOID release(Table* table, PVOID block) {
    --static_cast<Driver*>(table->TableContext)->live;
    std::free(block);
}

// The two kinds of table under one set of names.
struct Splayed {
    using Table = RTL_GENERIC_TABLE;
    static constexpr CLONG overhead = 0x28;
    static constexpr auto initialize = RtlInitializeGenericTable;
    static constexpr auto insert = RtlInsertElementGenericTable;
    static constexpr auto insert_full = RtlInsertElementGenericTableFull;
    static constexpr auto erase = RtlDeleteElementGenericTable;
    static constexpr auto lookup = RtlLookupElementGenericTable;
    static constexpr auto lookup_full = RtlLookupElementGenericTableFull;
    static constexpr auto enumerate = RtlEnumerateGenericTable;
    static constexpr auto enumerate_by_key = RtlEnumerateGenericTableWithoutSplaying;
    static constexpr auto get = RtlGetElementGenericTable;
    static constexpr auto number = RtlNumberGenericTableElements;
    static constexpr auto empty = RtlIsGenericTableEmpty;
};

struct Balanced {
    using Table = RTL_AVL_TABLE;
    static constexpr CLONG overhead = 0x20;
    static constexpr auto initialize = RtlInitializeGenericTableAvl;
    static constexpr auto insert = RtlInsertElementGenericTableAvl;
    static constexpr auto insert_full = RtlInsertElementGenericTableFullAvl;
    static constexpr auto erase = RtlDeleteElementGenericTableAvl;
    static constexpr auto lookup = RtlLookupElementGenericTableAvl;
    static constexpr auto lookup_full = RtlLookupElementGenericTableFullAvl;
    static constexpr auto enumerate = RtlEnumerateGenericTableAvl;
    static constexpr auto enumerate_by_key = RtlEnumerateGenericTableWithoutSplayingAvl;
    static constexpr auto get = RtlGetElementGenericTableAvl;
    static constexpr auto number = RtlNumberGenericTableElementsAvl;
    static constexpr auto empty = RtlIsGenericTableEmptyAvl;
};

template <class Kind> struct Fixture {
    using Table = typename Kind::Table;
    Driver driver;
    Table table;

    Fixture() {
        std::fill_n(reinterpret_cast<unsigned char*>(&table), sizeof(table), 0xEE);
        Kind::initialize(&table, compare<Table>, allocate<Table>, release<Table>, &driver);
    }

    ~Fixture() {
        while (Item* const item = static_cast<Item*>(Kind::get(&table, 0))) {
            Item key = *item;
            Kind::erase(&table, &key);
        }
        CHECK(driver.live == 0);
    }

    Item* add(LONG key, LONG value = 0, BOOLEAN* is_new = nullptr) {
        Item item{key, value};
        return static_cast<Item*>(Kind::insert(&table, &item, sizeof(item), is_new));
    }
    Item* look_up(LONG key) {
        Item item{key, 0};
        return static_cast<Item*>(Kind::lookup(&table, &item));
    }
    BOOLEAN erase(LONG key) {
        Item item{key, 0};
        return Kind::erase(&table, &item);
    }
    LONG at(ULONG index) {
        auto* const item = static_cast<Item*>(Kind::get(&table, index));
        return item == nullptr ? -1 : item->key;
    }
    std::vector<LONG> enumerated() {
        std::vector<LONG> keys;
        PVOID key = nullptr;
        while (auto* item = static_cast<Item*>(Kind::enumerate_by_key(&table, &key))) keys.push_back(item->key);
        return keys;
    }
};

// Checks links, order and balance below `node`; returns its depth.
int check(const RTL_BALANCED_LINKS* node, const RTL_BALANCED_LINKS* parent) {
    if (node == nullptr) return 0;
    REQUIRE(node->Parent == parent);
    const int left = check(node->LeftChild, node), right = check(node->RightChild, node);
    REQUIRE(node->Balance == right - left);
    REQUIRE(std::abs(right - left) <= 1);
    return 1 + std::max(left, right);
}

void check_invariants(RTL_AVL_TABLE& table) {
    REQUIRE(table.BalancedRoot.Parent == &table.BalancedRoot);
    REQUIRE(table.BalancedRoot.LeftChild == nullptr);
    REQUIRE(check(table.BalancedRoot.RightChild, &table.BalancedRoot) == static_cast<int>(table.DepthOfTree));
}

void check_links(const RTL_SPLAY_LINKS* node) {
    for (const auto* child : {node->LeftChild, node->RightChild})
        if (child != nullptr) {
            REQUIRE(child->Parent == node);
            check_links(child);
        }
}

void check_invariants(RTL_GENERIC_TABLE& table) {
    REQUIRE((table.TableRoot == nullptr) == (table.NumberGenericTableElements == 0));
    if (table.TableRoot == nullptr) return;
    REQUIRE(table.TableRoot->Parent == table.TableRoot);
    check_links(table.TableRoot);
}

// The node and the data of one element.
LONG key_of(const RTL_SPLAY_LINKS* links) {
    return reinterpret_cast<const Item*>(reinterpret_cast<const char*>(links) + Splayed::overhead)->key;
}

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

namespace {

struct Node {
    LONG key;
    RTL_SPLAY_LINKS links;
};

Node* node_of(PRTL_SPLAY_LINKS links) { return CONTAINING_RECORD(links, Node, links); }

// An unbalanced insertion, as drivers write it with the macros.
void insert(PRTL_SPLAY_LINKS& root, Node& node) {
    RtlInitializeSplayLinks(&node.links);
    if (root == nullptr) {
        root = &node.links;
        return;
    }
    for (PRTL_SPLAY_LINKS at = root;;) {
        const bool left = node.key < node_of(at)->key;
        const PRTL_SPLAY_LINKS next = left ? RtlLeftChild(at) : RtlRightChild(at);
        if (next != nullptr) {
            at = next;
            continue;
        }
        if (left) {
            RtlInsertAsLeftChild(at, &node.links);
        } else {
            RtlInsertAsRightChild(at, &node.links);
        }
        return;
    }
}

} // namespace

TEST_CASE("splay links: a zig-zig turns the upper pair first", "[splay]") {
    Node nodes[3] = {{0, {}}, {1, {}}, {2, {}}};
    PRTL_SPLAY_LINKS root = nullptr;
    for (int i : {2, 1, 0}) insert(root, nodes[i]); // a line to the left
    root = RtlSplay(&nodes[0].links);
    CHECK(RtlIsRoot(&nodes[0].links));
    CHECK(RtlRightChild(root) == &nodes[1].links);
    CHECK(RtlRightChild(&nodes[1].links) == &nodes[2].links);
    CHECK(RtlIsRightChild(&nodes[2].links));
    CHECK_FALSE(RtlIsLeftChild(&nodes[2].links));
    CHECK(RtlParent(&nodes[2].links) == &nodes[1].links);
    root = RtlSplay(&nodes[1].links);
    CHECK(RtlIsLeftChild(&nodes[0].links));
    CHECK(RtlSubtreeSuccessor(root) == &nodes[2].links);
    CHECK(RtlSubtreePredecessor(root) == &nodes[0].links);
    CHECK(RtlSubtreePredecessor(&nodes[0].links) == nullptr);
    CHECK(RtlSubtreeSuccessor(&nodes[0].links) == nullptr);
    CHECK(RtlRealSuccessor(&nodes[0].links) == root);
    CHECK(RtlRealPredecessor(&nodes[0].links) == nullptr);
    CHECK(RtlRealSuccessor(&nodes[2].links) == nullptr);
    root = RtlDelete(root); // the predecessor takes its place
    CHECK(root == &nodes[0].links);
    CHECK(RtlDelete(RtlRightChild(root)) == root);
    CHECK(RtlDelete(root) == nullptr);
}

TEST_CASE("splay links keep the order of a map under splays and deletions", "[splay]") {
    Random random(3);
    std::vector<Node> nodes(200);
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].key = static_cast<LONG>(i);
    std::map<LONG, PRTL_SPLAY_LINKS> model;
    PRTL_SPLAY_LINKS root = nullptr;
    for (int step = 0; step < property_steps; ++step) {
        Node& node = nodes[random.below(nodes.size())];
        const auto place = model.find(node.key);
        if (place == model.end()) {
            insert(root, node);
            model[node.key] = &node.links;
        } else if (random.chance(3)) {
            root = RtlSplay(&node.links);
            REQUIRE(root == &node.links);
        } else {
            if (random.chance(2))
                root = RtlDelete(&node.links);
            else
                RtlDeleteNoSplay(&node.links, &root);
            model.erase(place);
        }
        REQUIRE((root == nullptr) == model.empty());
        if (root == nullptr) continue;
        REQUIRE(root->Parent == root);
        if (step % 16 == 0) check_links(root);
        auto here = model.lower_bound(static_cast<LONG>(random.below(nodes.size())));
        if (here == model.end()) here = model.begin();
        const auto next = std::next(here);
        REQUIRE(RtlRealSuccessor(here->second) == (next == model.end() ? nullptr : next->second));
        REQUIRE(RtlRealPredecessor(here->second) == (here == model.begin() ? nullptr : std::prev(here)->second));
    }
}
