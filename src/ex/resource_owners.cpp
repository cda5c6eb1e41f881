// Who owns a resource, and the priority that owners get while others wait.
#include "ex/lock_queue.hpp"
#include "ex/pool.hpp"
#include "ex/resource_access.hpp"
#include "ke/scheduler.hpp"
#include "ke/wait.hpp"

#include <algorithm>

namespace dirql::ex {
namespace {

constexpr ULONG table_tag = pool_tag("ExRO");
constexpr USHORT no_boost = 0x08;         // in ERESOURCE::Flag
constexpr LONGLONG short_time = -100'000; // 10 ms: until memory for owners is looked for again
constexpr KPRIORITY highest_boost = 14;

// Owners: OwnerEntry, then the table from its second entry on; the first says how long it is.
ULONG more_entries(const ERESOURCE& resource) noexcept {
    return resource.OwnerTable == nullptr ? 0 : resource.OwnerTable->TableSize - 1;
}

bool make_room(ERESOURCE& resource) noexcept {
    const ULONG old_size = 1 + more_entries(resource);
    const ULONG size = old_size + 4;
    auto* table =
        static_cast<OWNER_ENTRY*>(allocate_pool(NonPagedPoolNx, size * sizeof(OWNER_ENTRY), table_tag, Fill::zero));
    if (table == nullptr) return false;
    if (resource.OwnerTable != nullptr) {
        std::copy_n(resource.OwnerTable, old_size, table);
        free_pool(resource.OwnerTable, table_tag);
    }
    table->TableSize = size;
    resource.OwnerTable = table;
    return true;
}

// The thread of an entry that is one, or that ExSetResourceOwnerPointerEx says is one; null when it has ended.
ke::Thread* thread_of(const OWNER_ENTRY& entry) noexcept {
    if ((entry.OwnerThread & pointer_bits) != 0 && entry.OwnerReferenced == 0) return nullptr;
    auto* thread = reinterpret_cast<ke::Thread*>(entry.OwnerThread & ~pointer_bits);
    return is_alive(thread) ? thread : nullptr;
}

template <class Visit> void for_each_owner(ERESOURCE& resource, Visit visit) noexcept {
    if (resource.OwnerEntry.OwnerThread != 0) visit(resource.OwnerEntry);
    for (ULONG i = 1; i <= more_entries(resource); ++i) {
        if (resource.OwnerTable[i].OwnerThread != 0) visit(resource.OwnerTable[i]);
    }
}

} // namespace

OWNER_ENTRY* find_owner(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept {
    if (resource.OwnerEntry.OwnerThread == owner) return &resource.OwnerEntry;
    for (ULONG i = 1; i <= more_entries(resource); ++i) {
        if (resource.OwnerTable[i].OwnerThread == owner) return &resource.OwnerTable[i];
    }
    return nullptr;
}

void add_owner(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept {
    OWNER_ENTRY& entry = *find_owner(resource, 0);
    entry = {};
    entry.OwnerThread = owner;
    entry.OwnerCount = 1;
    resource.ActiveCount = static_cast<SHORT>(++resource.ActiveEntries);
}

void remove_owner(ERESOURCE& resource, OWNER_ENTRY& entry) noexcept {
    entry = {};
    resource.ActiveCount = static_cast<SHORT>(--resource.ActiveEntries);
}

bool has_room(const ERESOURCE& resource) noexcept {
    return resource.ActiveEntries + resource.NumberOfSharedWaiters < 1 + more_entries(resource);
}

void make_room_in_time(ERESOURCE& resource) {
    if (make_room(resource)) return;
    LARGE_INTEGER interval;
    interval.QuadPart = short_time;
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

void free_owners(ERESOURCE& resource) noexcept {
    if (resource.OwnerTable != nullptr) free_pool(resource.OwnerTable, table_tag);
    resource.OwnerTable = nullptr;
}

void note_owners(ERESOURCE& resource) noexcept {
    if (resource.SharedWaiters == nullptr && resource.ExclusiveWaiters == nullptr) return;
    ke::Thread* owner = nullptr;
    if (resource.ActiveEntries == 1) for_each_owner(resource, [&](const OWNER_ENTRY& e) { owner = thread_of(e); });
    note_owner(waiters_at(resource.SharedWaiters), owner, resource.ActiveEntries);
    note_owner(waiters_at(resource.ExclusiveWaiters), owner, resource.ActiveEntries);
}

void boost_owners(ERESOURCE& resource) noexcept {
    if ((resource.Flag & no_boost) != 0) return;
    const KPRIORITY priority = std::min<KPRIORITY>(ke::current_thread()->priority, highest_boost);
    for_each_owner(resource, [priority](OWNER_ENTRY& entry) {
        ke::Thread* owner = thread_of(entry);
        if (owner == nullptr || owner->priority >= priority) return;
        entry.IoPriorityBoosted = 1;
        ke::set_priority(*owner, priority);
    });
}

void end_boost(const OWNER_ENTRY& entry) noexcept {
    if (entry.IoPriorityBoosted == 0) return;
    ke::Thread* owner = thread_of(entry);
    if (owner != nullptr && owner->priority <= highest_boost && owner->priority > owner->base_priority)
        ke::set_priority(*owner, owner->base_priority);
}

void disable_boost(ERESOURCE& resource) noexcept { resource.Flag |= no_boost; }

} // namespace dirql::ex
