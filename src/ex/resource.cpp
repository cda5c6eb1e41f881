#include "ex/resource.hpp"

#include "ex/resource_access.hpp"
#include "ex/state.hpp"
#include "ke/exports/ex_sync.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <cstring>

namespace dirql::ex {
namespace {

bool is_active(const ERESOURCE& resource) noexcept {
    const LIST_ENTRY& all = current_state().resources;
    for (const LIST_ENTRY* e = all.Flink; e != &all; e = e->Flink) {
        if (e == &resource.SystemResourcesList) return true;
    }
    return false;
}

} // namespace

const ERESOURCE* find_resource(std::uintptr_t begin, std::size_t bytes) noexcept {
    const LIST_ENTRY& all = current_state().resources;
    for (const LIST_ENTRY* e = all.Flink; e != &all; e = e->Flink) {
        if (reinterpret_cast<std::uintptr_t>(e) - begin < bytes)
            return CONTAINING_RECORD(const_cast<LIST_ENTRY*>(e), ERESOURCE, SystemResourcesList);
    }
    return nullptr;
}

} // namespace dirql::ex

using namespace dirql;
using namespace dirql::ex;

extern "C" {

NTSTATUS NTAPI ExInitializeResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExInitializeResourceLite);
    if (is_active(*Resource)) {
        bad_resource(0xD0, *Resource, "a resource was initialised that is in use",
                     "ExInitializeResourceLite function (wdm.h)");
    }
    std::memset(Resource, 0, sizeof *Resource);
    Resource->Reserved2 = mark_of(*Resource);
    InsertTailList(&current_state().resources, &Resource->SystemResourcesList);
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
        bad_resource(0xD1, *Resource, "a resource was deleted that is not initialised",
                     "ExDeleteResourceLite function (wdm.h)");
    }
    RemoveEntryList(&Resource->SystemResourcesList);
    free_owners(*Resource);
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
        ke::bug_check(RESOURCE_NOT_OWNED, ke::parameter(Resource), this_owner(), ke::parameter(Resource->OwnerTable), 0,
                      {.rule = "a resource was converted to shared access that nobody owns exclusively",
                       .document = "ExConvertExclusiveToSharedLite function (wdm.h)"});
    }
    Resource->Flag &= static_cast<USHORT>(~ResourceOwnedExclusive);
    admit_shared(*Resource);
    ke::reschedule_if_asked();
}

VOID NTAPI ExReleaseResourceLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExReleaseResourceLite);
    release_resource(*Resource, this_owner(), "ExReleaseResourceLite function (wdm.h)");
}

VOID NTAPI ExReleaseResourceForThreadLite(PERESOURCE Resource, ERESOURCE_THREAD ResourceThreadId) {
    DIRQL_DOOR(ExReleaseResourceForThreadLite);
    release_resource(*Resource, ResourceThreadId, "ExReleaseResourceForThreadLite function (wdm.h)");
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
    return is_exclusive(*Resource) && find_owner(*Resource, this_owner()) != nullptr;
}

ULONG NTAPI ExIsResourceAcquiredSharedLite(PERESOURCE Resource) {
    DIRQL_DOOR(ExIsResourceAcquiredSharedLite);
    const OWNER_ENTRY* mine = find_owner(*Resource, this_owner());
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
    disable_boost(*Resource);
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
    release_resource(*Resource, this_owner(), "ExReleaseResourceAndLeaveCriticalRegion function (wdm.h)");
    KeLeaveCriticalRegion();
}
}
