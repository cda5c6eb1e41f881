// Both kinds of generic table under one set of names, and what must hold of their links.
#pragma once

#include "catch.hpp"

#include <ntddk.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace dirql::test::tables {

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
inline int check(const RTL_BALANCED_LINKS* node, const RTL_BALANCED_LINKS* parent) {
    if (node == nullptr) return 0;
    REQUIRE(node->Parent == parent);
    const int left = check(node->LeftChild, node), right = check(node->RightChild, node);
    REQUIRE(node->Balance == right - left);
    REQUIRE(std::abs(right - left) <= 1);
    return 1 + std::max(left, right);
}

inline void check_invariants(RTL_AVL_TABLE& table) {
    REQUIRE(table.BalancedRoot.Parent == &table.BalancedRoot);
    REQUIRE(table.BalancedRoot.LeftChild == nullptr);
    REQUIRE(check(table.BalancedRoot.RightChild, &table.BalancedRoot) == static_cast<int>(table.DepthOfTree));
}

inline void check_links(const RTL_SPLAY_LINKS* node) {
    for (const auto* child : {node->LeftChild, node->RightChild})
        if (child != nullptr) {
            REQUIRE(child->Parent == node);
            check_links(child);
        }
}

inline void check_invariants(RTL_GENERIC_TABLE& table) {
    REQUIRE((table.TableRoot == nullptr) == (table.NumberGenericTableElements == 0));
    if (table.TableRoot == nullptr) return;
    REQUIRE(table.TableRoot->Parent == table.TableRoot);
    check_links(table.TableRoot);
}

// The node and the data of one element.
inline LONG key_of(const RTL_SPLAY_LINKS* links) {
    return reinterpret_cast<const Item*>(reinterpret_cast<const char*>(links) + Splayed::overhead)->key;
}

} // namespace dirql::test::tables
