#include "ex/resource.hpp"

#include "ex/lock_queue.hpp"
#include "ex/pool.hpp"
#include "ex/state.hpp"
#include "ke/apc.hpp"
#include "ke/exports/ex_sync.hpp"
#include "ke/scheduler.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <algorithm>
#include <cstring>

using namespace dirql;

namespace {

constexpr ULONG table_tag = ex::pool_tag("ExRO");
constexpr USHORT no_boost = 0x08; // in ERESOURCE::Flag
constexpr ERESOURCE_THREAD pointer_bits = 3;
constexpr LONGLONG short_time = -100'000; // 10 ms: until memory for owners is looked for again
constexpr KPRIORITY highest_boost = 14;

// In Reserved2 of a resource that is initialised.
PVOID mark_of(const ERESOURCE& resource) noexcept {
    return reinterpret_cast<PVOID>(reinterpret_cast<ULONG_PTR>(&resource) ^ 0x5E50'0123'E5E5'0000ull);
}

ke::LockWaiter*& queue_of(PVOID& head) noexcept { return reinterpret_cast<ke::LockWaiter*&>(head); }

ERESOURCE_THREAD self() noexcept { return reinterpret_cast<ERESOURCE_THREAD>(ke::current_thread()); }

bool is_exclusive(const ERESOURCE& resource) noexcept { return (resource.Flag & ResourceOwnedExclusive) != 0; }

// Owners: OwnerEntry, then the table from its second entry on; the first says how long it is.
ULONG more_entries(const ERESOURCE& resource) noexcept {
    return resource.OwnerTable == nullptr ? 0 : resource.OwnerTable->TableSize - 1;
}

OWNER_ENTRY* find_entry(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept {
    if (resource.OwnerEntry.OwnerThread == owner) return &resource.OwnerEntry;
    for (ULONG i = 1; i <= more_entries(resource); ++i) {
        if (resource.OwnerTable[i].OwnerThread == owner) return &resource.OwnerTable[i];
    }
    return nullptr;
}

void add_owner(ERESOURCE& resource, ERESOURCE_THREAD owner) noexcept {
    OWNER_ENTRY& entry = *find_entry(resource, 0);
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

bool make_room(ERESOURCE& resource) noexcept {
    const ULONG old_size = 1 + more_entries(resource);
    const ULONG size = old_size + 4;
    auto* table = static_cast<OWNER_ENTRY*>(
        ex::allocate_pool(NonPagedPoolNx, size * sizeof(OWNER_ENTRY), table_tag, ex::Fill::zero));
    if (table == nullptr) return false;
    if (resource.OwnerTable != nullptr) {
        std::copy_n(resource.OwnerTable, old_size, table);
        ex::free_pool(resource.OwnerTable, table_tag);
    }
    table->TableSize = size;
    resource.OwnerTable = table;
    return true;
}

// Acquiring a resource does not fail for want of memory: it takes longer.
void make_room_in_time(ERESOURCE& resource) {
    if (make_room(resource)) return;
    LARGE_INTEGER interval;
    interval.QuadPart = short_time;
    KeDelayExecutionThread(KernelMode, FALSE, &interval);
}

// The thread of an entry that is one, or that ExSetResourceOwnerPointerEx says is one; null when it has ended.
ke::Thread* thread_of(const OWNER_ENTRY& entry) noexcept {
    if ((entry.OwnerThread & pointer_bits) != 0 && entry.OwnerReferenced == 0) return nullptr;
    auto* thread = reinterpret_cast<ke::Thread*>(entry.OwnerThread & ~pointer_bits);
    return ex::is_alive(thread) ? thread : nullptr;
}

template <class Visit> void for_each_owner(ERESOURCE& resource, Visit visit) noexcept {
    if (resource.OwnerEntry.OwnerThread != 0) visit(resource.OwnerEntry);
    for (ULONG i = 1; i <= more_entries(resource); ++i) {
        if (resource.OwnerTable[i].OwnerThread != 0) visit(resource.OwnerTable[i]);
    }
}

// Whom the waiters wait for, as a report will tell it.
void note_owners(ERESOURCE& resource) noexcept {
    if (resource.SharedWaiters == nullptr && resource.ExclusiveWaiters == nullptr) return;
    ke::Thread* owner = nullptr;
    if (resource.ActiveEntries == 1) for_each_owner(resource, [&](const OWNER_ENTRY& e) { owner = thread_of(e); });
    ex::note_owner(queue_of(resource.SharedWaiters), owner, resource.ActiveEntries);
    ex::note_owner(queue_of(resource.ExclusiveWaiters), owner, resource.ActiveEntries);
}

// Owners of lower priority than a thread that waits get its priority, up to 14, until they release.
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

void wait_for(ERESOURCE& resource, bool exclusive) noexcept {
    ke::LockWaiter waiter = ex::make_waiter(ke::LockKind::resource, &resource, exclusive);
    ex::append(queue_of(exclusive ? resource.ExclusiveWaiters : resource.SharedWaiters), waiter);
    ++(exclusive ? resource.NumberOfExclusiveWaiters : resource.NumberOfSharedWaiters);
    ++resource.ContentionCount;
    note_owners(resource);
    boost_owners(resource);
    ex::block(waiter, WrResource);
}

// All who wait for shared access get it together. A thread may be among them that owns the resource already.
void admit_shared(ERESOURCE& resource) noexcept {
    while (resource.NumberOfSharedWaiters != 0) {
        ke::LockWaiter& waiter = ex::take_first(queue_of(resource.SharedWaiters));
        --resource.NumberOfSharedWaiters;
        const auto owner = reinterpret_cast<ERESOURCE_THREAD>(waiter.thread);
        if (OWNER_ENTRY* entry = find_entry(resource, owner)) {
            ++entry->OwnerCount;
        } else {
            add_owner(resource, owner);
        }
        ex::wake(waiter);
    }
    note_owners(resource);
}

void admit_exclusive(ERESOURCE& resource) noexcept {
    ke::LockWaiter& waiter = ex::take_first(queue_of(resource.ExclusiveWaiters));
    --resource.NumberOfExclusiveWaiters;
    resource.Flag |= ResourceOwnedExclusive;
    add_owner(resource, reinterpret_cast<ERESOURCE_THREAD>(waiter.thread));
    ex::wake(waiter);
    note_owners(resource);
}

// After an exclusive owner come those who wait for shared access, after shared owners one who waits for exclusive access.
void admit_next(ERESOURCE& resource, bool was_exclusive) noexcept {
    if (resource.NumberOfSharedWaiters != 0 && (was_exclusive || resource.NumberOfExclusiveWaiters == 0)) {
        admit_shared(resource);
    } else if (resource.NumberOfExclusiveWaiters != 0) {
        admit_exclusive(resource);
    }
}

[[noreturn]] void misuse(std::uint64_t code, const ERESOURCE& resource, const char* rule,
                         const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::parameter(&resource), 0, 0,
                  {.rule = rule, .document = document});
}

[[noreturn]] void apcs_enabled(std::uint64_t code, const ERESOURCE& resource, const char* rule,
                               const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::current_processor()->irql,
                  static_cast<std::uint64_t>(std::int64_t{ke::current_thread()->kernel_apc_disable}),
                  ke::parameter(&resource), {.rule = rule, .document = document});
}

// A thread that is suspended, which a normal kernel APC does, must not own a resource. System threads are not suspended.
bool may_be_suspended() noexcept {
    const ke::Thread& thread = *ke::current_thread();
    return ke::current_processor()->irql < APC_LEVEL && thread.is_system == 0 && !ke::apcs_disabled(thread);
}

void check_usable(const ERESOURCE& resource, const char* document) noexcept {
    if ((reinterpret_cast<ULONG_PTR>(&resource) & 7) != 0) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x3D, 0, 0, ke::parameter(&resource),
                      {.rule = "a resource must lie at an address that is a multiple of 8", .document = document});
    }
    if (resource.Reserved2 != mark_of(resource))
        misuse(0x1002, resource, "a resource was acquired that is not initialised, or was deleted", document);
}

void check_acquire(const ERESOURCE& resource, const char* document) noexcept {
    check_usable(resource, document);
    if (may_be_suspended())
        apcs_enabled(0x37, resource, "a resource was acquired while normal kernel APCs are enabled", document);
}

void check_release(const ERESOURCE& resource, const char* document) noexcept {
    if (may_be_suspended())
        apcs_enabled(0x38, resource, "a resource was released while normal kernel APCs are enabled", document);
}

bool acquire_exclusive(ERESOURCE& resource, bool wait, const char* document) {
    check_acquire(resource, document);
    if (resource.ActiveEntries == 0) {
        resource.Flag |= ResourceOwnedExclusive;
        add_owner(resource, self());
        return true;
    }
    OWNER_ENTRY* mine = find_entry(resource, self());
    if (mine != nullptr && is_exclusive(resource)) {
        ++mine->OwnerCount;
        return true;
    }
    if (!wait) return false;
    if (mine != nullptr) {
        misuse(0x1000, resource, "a thread wants exclusive access to a resource that it shares: it would wait for ever",
               document);
    }
    wait_for(resource, true);
    return true;
}

// What threads that wait for exclusive access mean to one that wants to share.
enum class Starvation {
    none,      // they go first, unless the thread shares the resource already
    exclusive, // nothing
    shared,    // they go first in any case
};

bool must_wait(ERESOURCE& resource, const OWNER_ENTRY* mine, Starvation starvation) noexcept {
    if (is_exclusive(resource)) return mine == nullptr;
    if (resource.NumberOfExclusiveWaiters == 0 || starvation == Starvation::exclusive) return false;
    return mine == nullptr || starvation == Starvation::shared;
}

bool acquire_shared(ERESOURCE& resource, bool wait, Starvation starvation, const char* document) {
    check_acquire(resource, document);
    for (;;) {
        OWNER_ENTRY* mine = find_entry(resource, self());
        const bool waits = must_wait(resource, mine, starvation);
        if (waits && !wait) return false;
        if (!waits && mine != nullptr) {
            ++mine->OwnerCount;
            return true;
        }
        if (!has_room(resource)) {
            make_room_in_time(resource);
            continue; // the owners may be others by now
        }
        if (waits) {
            wait_for(resource, false);
        } else {
            add_owner(resource, self());
        }
        return true;
    }
}

void release(ERESOURCE& resource, ERESOURCE_THREAD owner, const char* document) noexcept {
    check_release(resource, document);
    OWNER_ENTRY* entry = owner == 0 ? nullptr : find_entry(resource, owner);
    if (entry == nullptr) {
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(&resource), owner, ke::parameter(resource.OwnerTable), 0,
                      {.rule = "a resource was released for an owner that does not own it", .document = document});
    }
    if (--entry->OwnerCount != 0) return;
    end_boost(*entry);
    remove_owner(resource, *entry);
    const bool was_exclusive = is_exclusive(resource);
    if (resource.ActiveEntries == 0) {
        resource.Flag &= static_cast<USHORT>(~ResourceOwnedExclusive);
        admit_next(resource, was_exclusive);
    } else {
        note_owners(resource);
    }
    ke::reschedule_if_asked();
}

void set_owner_pointer(ERESOURCE& resource, PVOID pointer, bool is_thread, const char* document) noexcept {
    const auto owner = reinterpret_cast<ERESOURCE_THREAD>(pointer);
    if ((owner & pointer_bits) != pointer_bits) {
        ke::bug_check(RESOURCE_OWNER_POINTER_INVALID, ke::parameter(&resource), ke::parameter(resource.OwnerTable),
                      self(), owner,
                      {.rule = "the two lowest bits of a resource's owner pointer must be set", .document = document});
    }
    OWNER_ENTRY* mine = find_entry(resource, self());
    if (mine == nullptr) {
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(&resource), self(), ke::parameter(resource.OwnerTable), 0,
                      {.rule = "a resource was handed on by a thread that does not own it", .document = document});
    }
    if (OWNER_ENTRY* there = find_entry(resource, owner)) { // this owner shares it already
        there->OwnerCount += mine->OwnerCount;
        end_boost(*mine);
        remove_owner(resource, *mine);
    } else {
        end_boost(*mine);
        mine->IoPriorityBoosted = 0;
        mine->OwnerReferenced = is_thread;
        mine->OwnerThread = owner;
    }
    note_owners(resource);
}

bool is_active(const ERESOURCE& resource) noexcept {
    const LIST_ENTRY& all = ex::current_state().resources;
    for (const LIST_ENTRY* e = all.Flink; e != &all; e = e->Flink) {
        if (e == &resource.SystemResourcesList) return true;
    }
    return false;
}

} // namespace

const ERESOURCE* ex::find_resource(std::uintptr_t begin, std::size_t bytes) noexcept {
    const LIST_ENTRY& all = current_state().resources;
    for (const LIST_ENTRY* e = all.Flink; e != &all; e = e->Flink) {
        if (reinterpret_cast<std::uintptr_t>(e) - begin < bytes)
            return CONTAINING_RECORD(const_cast<LIST_ENTRY*>(e), ERESOURCE, SystemResourcesList);
    }
    return nullptr;
}

extern "C" {

NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExInitializeResourceLite);
    if (is_active(*Resource)) {
        misuse(0xD0, *Resource, "a resource was initialised that is in use",
               "ExInitializeResourceLite function (wdm.h)");
    }
    std::memset(Resource, 0, sizeof *Resource);
    Resource->Reserved2 = mark_of(*Resource);
    InsertTailList(&ex::current_state().resources, &Resource->SystemResourcesList);
    return STATUS_SUCCESS;
}

// Keeps the table of owners, emptied.
NTSTATUS NTAPI ExReinitializeResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExReinitializeResourceLite);
    check_usable(*Resource, "ExReinitializeResourceLite function (wdm.h)");
    const LIST_ENTRY links = Resource->SystemResourcesList;
    const POWNER_ENTRY table = Resource->OwnerTable;
    std::memset(Resource, 0, sizeof *Resource);
    Resource->SystemResourcesList = links;
    Resource->OwnerTable = table;
    Resource->Reserved2 = mark_of(*Resource);
    if (table != nullptr) std::memset(static_cast<void*>(table + 1), 0, (table->TableSize - 1) * sizeof *table);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ExDeleteResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExDeleteResourceLite);
    if (Resource->Reserved2 != mark_of(*Resource) || !is_active(*Resource)) {
        misuse(0xD1, *Resource, "a resource was deleted that is not initialised",
               "ExDeleteResourceLite function (wdm.h)");
    }
    RemoveEntryList(&Resource->SystemResourcesList);
    if (Resource->OwnerTable != nullptr) ex::free_pool(Resource->OwnerTable, table_tag);
    Resource->OwnerTable = nullptr;
    Resource->Reserved2 = nullptr;
    return STATUS_SUCCESS;
}

BOOLEAN NTAPI ExAcquireResourceExclusiveLite(PERESOURCE Resource, BOOLEAN Wait) {
    DIRQL_DOOR(ExAcquireResourceExclusiveLite);
    return acquire_exclusive(*Resource, Wait != FALSE, "ExAcquireResourceExclusiveLite function (wdm.h)");
}

BOOLEAN NTAPI ExAcquireResourceSharedLite(PERESOURCE Resource, BOOLEAN Wait) {
    DIRQL_DOOR(ExAcquireResourceSharedLite);
    return acquire_shared(*Resource, Wait != FALSE, Starvation::none, "ExAcquireResourceSharedLite function (wdm.h)");
}

BOOLEAN NTAPI ExAcquireSharedStarveExclusive(PERESOURCE Resource, BOOLEAN Wait) {
    DIRQL_DOOR(ExAcquireSharedStarveExclusive);
    return acquire_shared(*Resource, Wait != FALSE, Starvation::exclusive,
                          "ExAcquireSharedStarveExclusive function (wdm.h)");
}

BOOLEAN NTAPI ExAcquireSharedWaitForExclusive(PERESOURCE Resource, BOOLEAN Wait) {
    DIRQL_DOOR(ExAcquireSharedWaitForExclusive);
    return acquire_shared(*Resource, Wait != FALSE, Starvation::shared,
                          "ExAcquireSharedWaitForExclusive function (wdm.h)");
}

VOID NTAPI ExConvertExclusiveToSharedLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExConvertExclusiveToSharedLite);
    if (!is_exclusive(*Resource) || Resource->ActiveEntries == 0) {
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(Resource), self(), ke::parameter(Resource->OwnerTable), 0,
                      {.rule = "a resource was converted to shared access that nobody owns exclusively",
                       .document = "ExConvertExclusiveToSharedLite function (wdm.h)"});
    }
    Resource->Flag &= static_cast<USHORT>(~ResourceOwnedExclusive);
    admit_shared(*Resource);
    ke::reschedule_if_asked();
}

VOID NTAPI ExReleaseResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExReleaseResourceLite);
    release(*Resource, self(), "ExReleaseResourceLite function (wdm.h)");
}

VOID NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId) {
    DIRQL_DOOR(ExReleaseResourceForThreadLite);
    release(*Resource, ResourceThreadId, "ExReleaseResourceForThreadLite function (wdm.h)");
}

VOID NTAPI ExSetResourceOwnerPointer(PERESOURCE Resource, PVOID OwnerPointer) {
    DIRQL_DOOR(ExSetResourceOwnerPointer);
    set_owner_pointer(*Resource, OwnerPointer, false, "ExSetResourceOwnerPointer function (wdm.h)");
}

VOID NTAPI ExSetResourceOwnerPointerEx(PERESOURCE Resource, PVOID OwnerPointer, ULONG Flags) {
    DIRQL_DOOR(ExSetResourceOwnerPointerEx);
    set_owner_pointer(*Resource, OwnerPointer, (Flags & FLAG_OWNER_POINTER_IS_THREAD) != 0,
                      "ExSetResourceOwnerPointerEx function (wdm.h)");
}

BOOLEAN NTAPI ExIsResourceAcquiredExclusiveLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExIsResourceAcquiredExclusiveLite);
    return is_exclusive(*Resource) && find_entry(*Resource, self()) != nullptr;
}

ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExIsResourceAcquiredSharedLite);
    const OWNER_ENTRY* mine = find_entry(*Resource, self());
    return mine == nullptr ? 0 : mine->OwnerCount;
}

ULONG NTAPI ExGetExclusiveWaiterCount(PERESOURCE Resource) {
    DIRQL_DOOR(ExGetExclusiveWaiterCount);
    return Resource->NumberOfExclusiveWaiters;
}

ULONG NTAPI ExGetSharedWaiterCount(PERESOURCE Resource) {
    DIRQL_DOOR(ExGetSharedWaiterCount);
    return Resource->NumberOfSharedWaiters;
}

VOID NTAPI ExDisableResourceBoostLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExDisableResourceBoostLite);
    Resource->Flag |= no_boost;
}

// What these three return is no driver's business.
PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceExclusive(PERESOURCE Resource) {
    DIRQL_DOOR(ExEnterCriticalRegionAndAcquireResourceExclusive);
    KeEnterCriticalRegion();
    (void)acquire_exclusive(*Resource, true, "ExEnterCriticalRegionAndAcquireResourceExclusive function (wdm.h)");
    return nullptr;
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireResourceShared(PERESOURCE Resource) {
    DIRQL_DOOR(ExEnterCriticalRegionAndAcquireResourceShared);
    KeEnterCriticalRegion();
    (void)acquire_shared(*Resource, true, Starvation::none, "ExAcquireResourceSharedLite function (wdm.h)");
    return nullptr;
}

PVOID NTAPI ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(PERESOURCE Resource) {
    DIRQL_DOOR(ExEnterCriticalRegionAndAcquireSharedWaitForExclusive);
    KeEnterCriticalRegion();
    (void)acquire_shared(*Resource, true, Starvation::shared, "ExAcquireSharedWaitForExclusive function (wdm.h)");
    return nullptr;
}

VOID NTAPI ExReleaseResourceAndLeaveCriticalRegion(PERESOURCE Resource) {
    DIRQL_DOOR(ExReleaseResourceAndLeaveCriticalRegion);
    release(*Resource, self(), "ExReleaseResourceAndLeaveCriticalRegion function (wdm.h)");
    KeLeaveCriticalRegion();
}
}
