// Entries of handle tables: growth, the free list, the walk over all.
#include "ob/handle_table.hpp"

#include "ex/pool.hpp"
#include "ob/handle_entries.hpp"
#include "ob/pool_tags.hpp"
#include "ob/state.hpp"

#include <cstring>

namespace dirql::ob {
namespace {

template <class T> T* allocate_zeroed(std::size_t count) noexcept {
    return static_cast<T*>(ex::allocate_pool(NonPagedPoolNx, count * sizeof(T), handle_table_tag, ex::Fill::zero));
}

bool make_room_for_page(HandleTable& table) noexcept {
    if (table.page_count < table.page_capacity) return true;
    if (table.page_count == HandleTable::max_pages) return false;
    const std::uint32_t capacity = table.page_capacity == 0 ? 4 : table.page_capacity * 2;
    auto** pages = allocate_zeroed<HandleEntry*>(capacity);
    if (pages == nullptr) return false;
    if (table.pages != nullptr) {
        std::memcpy(pages, table.pages, table.page_count * sizeof *pages);
        ex::free_pool(table.pages, handle_table_tag);
    }
    table.pages = pages;
    table.page_capacity = capacity;
    return true;
}

// A page's entries but the first join the free list, lowest first.
bool add_page(HandleTable& table) noexcept {
    if (!make_room_for_page(table)) return false;
    auto* page = allocate_zeroed<HandleEntry>(HandleTable::page_entries);
    if (page == nullptr) return false;
    const std::uint32_t base = table.page_count * HandleTable::page_entries;
    for (std::uint32_t i = 1; i + 1 < HandleTable::page_entries; ++i) page[i].next_free = base + i + 1;
    page[HandleTable::page_entries - 1].next_free = table.first_free;
    table.first_free = base + 1;
    table.pages[table.page_count++] = page;
    return true;
}

HandleEntry& entry_at(HandleTable& table, std::uint32_t index) noexcept {
    return table.pages[index / HandleTable::page_entries][index % HandleTable::page_entries];
}

} // namespace

std::uint32_t take_entry(HandleTable& table, const HandleEntry& contents) noexcept {
    if (table.first_free == 0 && !add_page(table)) return 0;
    const std::uint32_t index = table.first_free;
    HandleEntry& entry = entry_at(table, index);
    table.first_free = entry.next_free;
    entry = contents;
    ++table.count;
    return index;
}

// The free list is walked, so this is for few entries at a time.
bool place_entry(HandleTable& table, std::uint32_t index, const HandleEntry& contents) noexcept {
    while (index / HandleTable::page_entries >= table.page_count) {
        if (!add_page(table)) return false;
    }
    std::uint32_t* link = &table.first_free;
    while (*link != index) link = &entry_at(table, *link).next_free;
    HandleEntry& entry = entry_at(table, index);
    *link = entry.next_free;
    entry = contents;
    ++table.count;
    return true;
}

void free_entry(HandleTable& table, std::uint64_t value) noexcept {
    const auto index = static_cast<std::uint32_t>(value >> 2);
    HandleEntry& entry = entry_at(table, index);
    entry.object = nullptr;
    entry.attributes = 0;
    entry.next_free = table.first_free;
    table.first_free = index;
    --table.count;
}

bool create_handle_table(ke::Process& process) noexcept {
    auto* table = allocate_zeroed<HandleTable>(1);
    if (table == nullptr) return false;
    table->process = &process;
    process.ob = table;
    return true;
}

void free_handle_table(ke::Process& process) noexcept {
    HandleTable* table = table_of(process);
    if (table == nullptr) return;
    for (std::uint32_t i = 0; i < table->page_count; ++i) ex::free_pool(table->pages[i], handle_table_tag);
    if (table->pages != nullptr) ex::free_pool(table->pages, handle_table_tag);
    ex::free_pool(table, handle_table_tag);
    process.ob = nullptr;
}

} // namespace dirql::ob
