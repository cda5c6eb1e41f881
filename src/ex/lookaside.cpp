// Lookaside lists. Allocating and freeing are inline functions of the headers; here lists begin and end.
//
// A list keeps up to 256 blocks, NT's upper bound. The system's adjustment of that depth to demand is not modelled.
#include "ex/pool.hpp"
#include "ex/state.hpp"
#include "ke/exports/ex.hpp"
#include "ke/stop.hpp"

using namespace dirql;

namespace {

constexpr const char* document = "Using Lookaside Lists";
constexpr std::size_t smallest_block = sizeof(PVOID); // a free block holds its link
constexpr ULONG known_flags = POOL_RAISE_IF_ALLOCATION_FAILURE | POOL_NX_ALLOCATION | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE;

static_assert(FIELD_OFFSET(GENERAL_LOOKASIDE, ListEntry) == FIELD_OFFSET(GENERAL_LOOKASIDE_POOL, ListEntry));

// All kinds of lists begin alike.
GENERAL_LOOKASIDE_POOL& general(GENERAL_LOOKASIDE& list) noexcept {
    return reinterpret_cast<GENERAL_LOOKASIDE_POOL&>(list);
}

bool is_active(const GENERAL_LOOKASIDE_POOL& list) noexcept {
    const LIST_ENTRY& all = ex::current_state().lookaside_lists;
    for (const LIST_ENTRY* e = all.Flink; e != &all; e = e->Flink) {
        if (e == &list.ListEntry) return true;
    }
    return false;
}

[[noreturn]] void misuse(std::uint64_t code, const GENERAL_LOOKASIDE_POOL& list, std::uint64_t p3, std::uint64_t p4,
                         const char* rule) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::parameter(&list), p3, p4,
                  {.rule = rule, .document = document});
}

void initialize(GENERAL_LOOKASIDE_POOL& list, ULONG type, std::size_t size, ULONG tag) {
    if (is_active(list)) misuse(0xCA, list, 0, 0, "a lookaside list was initialised that is in use");
    if (size < smallest_block)
        misuse(0xCD, list, size, smallest_block, "a lookaside list was initialised for blocks too small for its links");
    list = {};
    InitializeSListHead(&list.ListHead);
    list.Depth = list.MaximumDepth = EX_MAXIMUM_LOOKASIDE_DEPTH_BASE;
    list.Type = static_cast<POOL_TYPE>(type);
    list.Tag = tag;
    list.Size = static_cast<ULONG>(size);
    InsertTailList(&ex::current_state().lookaside_lists, &list.ListEntry);
}

void initialize_plain(GENERAL_LOOKASIDE_POOL& list, POOL_TYPE type, PALLOCATE_FUNCTION allocate, PFREE_FUNCTION free,
                      ULONG flags, std::size_t size, ULONG tag) {
    initialize(list, type | (flags & known_flags), size, tag);
    list.Allocate = allocate != nullptr ? allocate : ExAllocatePoolWithTag;
    list.Free = free != nullptr ? free : ExFreePool;
}

// The type may have flags added.
__attribute__((no_sanitize("enum"))) PVOID NTAPI default_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag,
                                                                  PLOOKASIDE_LIST_EX) {
    return ex::allocate_pool_checked(__builtin_return_address(0), type, bytes, tag);
}
VOID NTAPI default_free(PVOID block, PLOOKASIDE_LIST_EX) { ex::free_pool_checked(block, 0); }

void check_active(const GENERAL_LOOKASIDE_POOL& list) noexcept {
    if (!is_active(list)) misuse(0xCB, list, 0, 0, "a lookaside list was deleted that is not initialised");
}

// Nobody pushes or pops any more, so the blocks go one by one.
template <class Free> void drain(GENERAL_LOOKASIDE_POOL& list, Free free_block) {
    PSLIST_ENTRY entry = ExpInterlockedFlushSList(&list.ListHead);
    while (entry != nullptr) {
        PSLIST_ENTRY next = entry->Next;
        free_block(entry);
        entry = next;
    }
}

void remove(GENERAL_LOOKASIDE_POOL& list) noexcept {
    check_active(list);
    RemoveEntryList(&list.ListEntry);
    drain(list, [&](PVOID block) { list.Free(block); });
}

bool is_plain_pool(POOL_TYPE type) noexcept {
    return type == NonPagedPool || type == PagedPool || type == NonPagedPoolNx || type == NonPagedPoolCacheAligned ||
           type == PagedPoolCacheAligned || type == NonPagedPoolNxCacheAligned;
}

ULONG pool_flags(ULONG flags) noexcept {
    return (flags & EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL) != 0 ? ULONG{POOL_RAISE_IF_ALLOCATION_FAILURE} : 0;
}

} // namespace

extern "C" {

VOID NTAPI ExInitializeNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                           PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth) {
    DIRQL_DOOR(ExInitializeNPagedLookasideList);
    UNREFERENCED_PARAMETER(Depth); // reserved
    initialize_plain(general(Lookaside->L), NonPagedPool, Allocate, Free, Flags, Size, Tag);
}

VOID NTAPI ExInitializePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside, PALLOCATE_FUNCTION Allocate,
                                          PFREE_FUNCTION Free, ULONG Flags, SIZE_T Size, ULONG Tag, USHORT Depth) {
    DIRQL_DOOR(ExInitializePagedLookasideList);
    UNREFERENCED_PARAMETER(Depth); // reserved
    initialize_plain(general(Lookaside->L), PagedPool, Allocate, Free, Flags, Size, Tag);
}

VOID NTAPI ExDeleteNPagedLookasideList(PNPAGED_LOOKASIDE_LIST Lookaside) {
    DIRQL_DOOR(ExDeleteNPagedLookasideList);
    remove(general(Lookaside->L));
}

VOID NTAPI ExDeletePagedLookasideList(PPAGED_LOOKASIDE_LIST Lookaside) {
    DIRQL_DOOR(ExDeletePagedLookasideList);
    remove(general(Lookaside->L));
}

NTSTATUS NTAPI ExInitializeLookasideListEx(PLOOKASIDE_LIST_EX Lookaside, PALLOCATE_FUNCTION_EX Allocate,
                                           PFREE_FUNCTION_EX Free, POOL_TYPE PoolType, ULONG Flags, SIZE_T Size,
                                           ULONG Tag, USHORT Depth) {
    DIRQL_DOOR(ExInitializeLookasideListEx);
    UNREFERENCED_PARAMETER(Depth); // reserved
    constexpr ULONG either = EX_LOOKASIDE_LIST_EX_FLAGS_RAISE_ON_FAIL | EX_LOOKASIDE_LIST_EX_FLAGS_FAIL_NO_RAISE;
    if (!is_plain_pool(PoolType)) return STATUS_INVALID_PARAMETER_4;
    if ((Flags & ~either) != 0 || Flags == either) return STATUS_INVALID_PARAMETER_5;
    initialize(Lookaside->L, PoolType | pool_flags(Flags), Size, Tag);
    Lookaside->L.AllocateEx = Allocate != nullptr ? Allocate : default_allocate;
    Lookaside->L.FreeEx = Free != nullptr ? Free : default_free;
    return STATUS_SUCCESS;
}

VOID NTAPI ExFlushLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    DIRQL_DOOR(ExFlushLookasideListEx);
    check_active(Lookaside->L);
    drain(Lookaside->L, [&](PVOID block) { Lookaside->L.FreeEx(block, Lookaside); });
}

VOID NTAPI ExDeleteLookasideListEx(PLOOKASIDE_LIST_EX Lookaside) {
    DIRQL_DOOR(ExDeleteLookasideListEx);
    check_active(Lookaside->L);
    RemoveEntryList(&Lookaside->L.ListEntry);
    drain(Lookaside->L, [&](PVOID block) { Lookaside->L.FreeEx(block, Lookaside); });
}
}
