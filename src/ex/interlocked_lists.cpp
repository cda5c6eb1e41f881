// Lists under a spin lock, at any IRQL, and the sequenced lists that need none.
#include "ke/exports/ex.hpp"
#include "ke/irql.hpp"
#include "ke/spin_lock.hpp"

using namespace dirql;

namespace {

// These locks may be taken by interrupt service routines, so nothing interrupts their holder.
class HighLevelLock {
public:
    explicit HighLevelLock(PKSPIN_LOCK lock) noexcept
        : lock_(lock), old_(ke::raise_irql(ke::current_processor(), HIGH_LEVEL)) {
        ke::acquire_spin_lock(lock);
    }
    ~HighLevelLock() {
        ke::release_spin_lock(lock_);
        ke::lower_irql(ke::current_processor(), old_);
    }
    HighLevelLock(const HighLevelLock&) = delete;
    HighLevelLock& operator=(const HighLevelLock&) = delete;

private:
    PKSPIN_LOCK lock_;
    KIRQL old_;
};

// What an insertion returns: the entry that was there, null for an empty list.
PLIST_ENTRY entry_or_null(PLIST_ENTRY entry, PLIST_ENTRY head) noexcept { return entry == head ? nullptr : entry; }

// A sequenced list's head as the processor exchanges it: depth and sequence, then the first entry.
struct Head {
    std::uint64_t count;
    std::uint64_t next;
};
constexpr std::uint64_t one_entry = 1;
constexpr std::uint64_t one_change = 0x1'0000; // the sequence, above the depth, makes an old head unlike a new one

Head read(const SLIST_HEADER* list) noexcept { return {list->Alignment, list->Region}; }
PSLIST_ENTRY first(const Head& head) noexcept { return reinterpret_cast<PSLIST_ENTRY>(head.next & ~std::uint64_t{15}); }

// Replaces `seen` by `head`. False, with `seen` read anew, when the list changed meanwhile.
bool exchange(SLIST_HEADER* list, Head& seen, const Head& head) noexcept {
    bool done;
    asm volatile("lock cmpxchg16b %1"
                 : "=@ccz"(done), "+m"(*list), "+a"(seen.count), "+d"(seen.next)
                 : "b"(head.count), "c"(head.next)
                 : "memory");
    return done;
}

std::uint64_t emptied(std::uint64_t count) noexcept { return (count & ~std::uint64_t{0xFFFF}) + one_change; }

} // namespace

extern "C" {

PLIST_ENTRY NTAPI ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedInsertHeadList);
    const HighLevelLock guard(Lock);
    PLIST_ENTRY first = entry_or_null(ListHead->Flink, ListHead);
    InsertHeadList(ListHead, ListEntry);
    return first;
}

PLIST_ENTRY NTAPI ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedInsertTailList);
    const HighLevelLock guard(Lock);
    PLIST_ENTRY last = entry_or_null(ListHead->Blink, ListHead);
    InsertTailList(ListHead, ListEntry);
    return last;
}

PLIST_ENTRY NTAPI ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedRemoveHeadList);
    const HighLevelLock guard(Lock);
    return IsListEmpty(ListHead) ? nullptr : RemoveHeadList(ListHead);
}

PSINGLE_LIST_ENTRY NTAPI ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedPopEntryList);
    const HighLevelLock guard(Lock);
    PSINGLE_LIST_ENTRY first = ListHead->Next;
    if (first != nullptr) ListHead->Next = first->Next;
    return first;
}

PSINGLE_LIST_ENTRY NTAPI ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry,
                                                    PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedPushEntryList);
    const HighLevelLock guard(Lock);
    PSINGLE_LIST_ENTRY first = ListHead->Next;
    ListEntry->Next = first;
    ListHead->Next = ListEntry;
    return first;
}

ULONG NTAPI ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedAddUlong);
    const HighLevelLock guard(Lock);
    const ULONG old = *Addend;
    *Addend += Increment;
    return old;
}

LARGE_INTEGER NTAPI ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock) {
    DIRQL_DOOR(ExInterlockedAddLargeInteger);
    const HighLevelLock guard(Lock);
    const LARGE_INTEGER old = *Addend;
    Addend->QuadPart =
        static_cast<LONGLONG>(static_cast<ULONGLONG>(old.QuadPart) + static_cast<ULONGLONG>(Increment.QuadPart));
    return old;
}

VOID NTAPI InitializeSListHead(PSLIST_HEADER SListHead) {
    DIRQL_DOOR(InitializeSListHead);
    if ((reinterpret_cast<std::uintptr_t>(SListHead) & 15) != 0) ExRaiseStatus(STATUS_DATATYPE_MISALIGNMENT);
    SListHead->Alignment = 0;
    SListHead->Region = 0;
}

USHORT NTAPI ExQueryDepthSList(PSLIST_HEADER ListHead) {
    DIRQL_DOOR(ExQueryDepthSList);
    return static_cast<USHORT>(ListHead->Alignment & 0xFFFF);
}

PSLIST_ENTRY NTAPI ExpInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry) {
    DIRQL_DOOR(ExpInterlockedPushEntrySList);
    Head seen = read(ListHead);
    do {
        ListEntry->Next = first(seen);
    } while (
        !exchange(ListHead, seen, {seen.count + one_entry + one_change, reinterpret_cast<std::uint64_t>(ListEntry)}));
    return first(seen);
}

PSLIST_ENTRY NTAPI ExpInterlockedPopEntrySList(PSLIST_HEADER ListHead) {
    DIRQL_DOOR(ExpInterlockedPopEntrySList);
    Head seen = read(ListHead);
    while (first(seen) != nullptr) {
        const auto next = reinterpret_cast<std::uint64_t>(first(seen)->Next);
        if (exchange(ListHead, seen, {seen.count - one_entry + one_change, next})) return first(seen);
    }
    return nullptr;
}

PSLIST_ENTRY NTAPI ExpInterlockedFlushSList(PSLIST_HEADER ListHead) {
    DIRQL_DOOR(ExpInterlockedFlushSList);
    Head seen = read(ListHead);
    while (first(seen) != nullptr && !exchange(ListHead, seen, {emptied(seen.count), 0})) {
    }
    return first(seen);
}
}
