// Rundown protection: references to an object that somebody wants to end.
//
// The word counts references in steps of two. When its lowest bit is set, the object is being run down: no more references are
// given, and the rest of the word is the address of who waits for those that are there (none: it is run down).
//
// The cache-aware form has such a word for each processor. A reference may be released on another processor than it was taken
// on, so that a word alone may count below zero, and only their sum says anything.
#include "ex/lock_queue.hpp"
#include "ex/pool.hpp"
#include "ke/address_space.hpp"
#include "ke/exports/ex_sync.hpp"
#include "ke/machine.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <new>

using namespace dirql;

namespace {

constexpr ULONG_PTR run_down = 1;
constexpr ULONG_PTR one_reference = 2;
constexpr std::size_t cache_line = 64;

ke::LockWaiter* waiter_of(ULONG_PTR count) noexcept { return reinterpret_cast<ke::LockWaiter*>(count & ~run_down); }

[[noreturn]] void released_too_often(const void* reference) noexcept {
    ke::bug_check(KERNEL_SECURITY_CHECK_FAILURE, FAST_FAIL_INVALID_REFERENCE_COUNT, 0, 0, ke::parameter(reference),
                  {.rule = "rundown protection was released more often than it was acquired",
                   .document = "ExReleaseRundownProtection function (wdm.h)"});
}

// The references that were waited for are gone.
void end_wait(ULONG_PTR count) noexcept {
    for (ke::LockWaiter* waiter = waiter_of(count); waiter != nullptr;) {
        ke::LockWaiter& done = *waiter;
        waiter = done.next;
        ex::wake(done);
    }
    ke::reschedule_if_asked();
}

bool acquire(EX_RUNDOWN_REF& reference, ULONG count) noexcept {
    if ((reference.Count & run_down) != 0) return false;
    reference.Count = reference.Count + count * one_reference;
    return true;
}

void release(EX_RUNDOWN_REF& reference, ULONG count) noexcept {
    const ULONG_PTR now = reference.Count;
    if ((now & run_down) == 0) {
        if (now < count * one_reference) released_too_often(&reference);
        reference.Count = now - count * one_reference;
        return;
    }
    ke::LockWaiter* waiter = waiter_of(now);
    if (waiter == nullptr || waiter->holders < count) released_too_often(&reference);
    ex::note_owner(waiter, nullptr, waiter->holders - count);
    if (waiter->holders != 0) return;
    reference.Count = run_down;
    end_wait(now);
}

void wait(EX_RUNDOWN_REF& reference) noexcept {
    const ULONG_PTR now = reference.Count;
    if (now == 0 || now == run_down) {
        reference.Count = run_down;
        return;
    }
    const bool waited_for = (now & run_down) != 0;
    ke::LockWaiter* first = waited_for ? waiter_of(now) : nullptr;
    const auto holders = waited_for ? first->holders : static_cast<std::uint32_t>(now / one_reference);
    ke::LockWaiter waiter = ex::make_waiter(ke::LockKind::rundown, &reference, true);
    ex::append(first, waiter);
    ex::note_owner(first, nullptr, holders);
    reference.Count = reinterpret_cast<ULONG_PTR>(first) | run_down;
    ex::block(waiter, WrRundown);
}

} // namespace

// What a driver allocates blindly, or has allocated for it.
struct _EX_RUNDOWN_REF_CACHE_AWARE {
    EX_RUNDOWN_REF* references; // in the same memory, each in a cache line of its own
    ULONG count;
    ULONG tag; // of memory that ExAllocateCacheAwareRundownProtection got; 0: the driver's
};

namespace {

using CacheAware = EX_RUNDOWN_REF_CACHE_AWARE;

EX_RUNDOWN_REF& line(CacheAware& all, ULONG number) noexcept {
    return *reinterpret_cast<EX_RUNDOWN_REF*>(reinterpret_cast<std::byte*>(all.references) + number * cache_line);
}

EX_RUNDOWN_REF& own_line(CacheAware& all) noexcept { return line(all, ke::current_processor()->number % all.count); }

std::size_t size_of_all() noexcept {
    return sizeof(CacheAware) + (ke::current_machine().processor_count + 1) * cache_line;
}

void set_all(CacheAware& all, ULONG_PTR value) noexcept {
    for (ULONG i = 0; i < all.count; ++i) line(all, i).Count = value;
}

void initialize(CacheAware& all, std::size_t bytes, ULONG tag) noexcept {
    const auto begin = reinterpret_cast<std::uintptr_t>(&all + 1);
    const std::uintptr_t first = (begin + cache_line - 1) & ~(cache_line - 1);
    const std::size_t room = bytes - (first - reinterpret_cast<std::uintptr_t>(&all));
    const std::size_t lines = bytes < size_of_all() ? 1 : room / cache_line;
    all = {reinterpret_cast<EX_RUNDOWN_REF*>(lines > 1 ? first : begin), static_cast<ULONG>(lines), tag};
    set_all(all, 0);
}

// References in all words; a word may count below zero.
std::int64_t references(CacheAware& all) noexcept {
    std::int64_t sum = 0;
    for (ULONG i = 0; i < all.count; ++i) sum += static_cast<std::int64_t>(line(all, i).Count);
    return sum / static_cast<std::int64_t>(one_reference);
}

bool acquire(CacheAware& all, ULONG count) noexcept { return acquire(own_line(all), count); }

// While one waits, all words lead to it, and it has the sum.
void release(CacheAware& all, ULONG count) noexcept {
    EX_RUNDOWN_REF& own = own_line(all);
    const ULONG_PTR now = own.Count;
    if ((now & run_down) == 0) {
        if (references(all) < std::int64_t{count}) released_too_often(&all);
        own.Count = now - count * one_reference;
        return;
    }
    ke::LockWaiter* waiter = waiter_of(now);
    if (waiter == nullptr || waiter->holders < count) released_too_often(&all);
    ex::note_owner(waiter, nullptr, waiter->holders - count);
    if (waiter->holders != 0) return;
    set_all(all, run_down);
    end_wait(now);
}

void wait(CacheAware& all) noexcept {
    const ULONG_PTR now = line(all, 0).Count;
    if (now == run_down) return;
    const bool waited_for = (now & run_down) != 0;
    ke::LockWaiter* first = waited_for ? waiter_of(now) : nullptr;
    const auto holders = waited_for ? first->holders : static_cast<std::uint32_t>(references(all));
    if (holders == 0) return set_all(all, run_down);
    ke::LockWaiter waiter = ex::make_waiter(ke::LockKind::rundown, &all, true);
    ex::append(first, waiter);
    ex::note_owner(first, nullptr, holders);
    set_all(all, reinterpret_cast<ULONG_PTR>(first) | run_down);
    ex::block(waiter, WrRundown);
}

} // namespace

extern "C" {

VOID NTAPI ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExInitializeRundownProtection);
    RunRef->Count = 0;
}

VOID NTAPI ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExReInitializeRundownProtection);
    RunRef->Count = 0;
}

BOOLEAN NTAPI ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExAcquireRundownProtection);
    return acquire(*RunRef, 1);
}

BOOLEAN NTAPI ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count) {
    DIRQL_DOOR(ExAcquireRundownProtectionEx);
    return acquire(*RunRef, Count);
}

VOID NTAPI ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExReleaseRundownProtection);
    release(*RunRef, 1);
}

VOID NTAPI ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count) {
    DIRQL_DOOR(ExReleaseRundownProtectionEx);
    release(*RunRef, Count);
}

VOID NTAPI ExRundownCompleted(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExRundownCompleted);
    RunRef->Count = run_down;
}

VOID NTAPI ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef) {
    DIRQL_DOOR(ExWaitForRundownProtectionRelease);
    wait(*RunRef);
}

SIZE_T NTAPI ExSizeOfRundownProtectionCacheAware(VOID) {
    DIRQL_DOOR(ExSizeOfRundownProtectionCacheAware);
    return size_of_all();
}

// In memory that is too small for all processors they share one word.
VOID NTAPI ExInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, SIZE_T RunRefSize) {
    DIRQL_DOOR(ExInitializeRundownProtectionCacheAware);
    initialize(*RunRefCacheAware, RunRefSize, 0);
}

PEX_RUNDOWN_REF_CACHE_AWARE NTAPI ExAllocateCacheAwareRundownProtection(POOL_TYPE PoolType, ULONG PoolTag) {
    DIRQL_DOOR(ExAllocateCacheAwareRundownProtection);
    const std::size_t bytes = size_of_all();
    void* memory = ex::allocate_pool_checked(__builtin_return_address(0), PoolType, bytes, PoolTag);
    if (memory == nullptr) return nullptr;
    auto* all = new (memory) CacheAware{};
    initialize(*all, bytes, PoolTag);
    return all;
}

VOID NTAPI ExFreeCacheAwareRundownProtection(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware) {
    DIRQL_DOOR(ExFreeCacheAwareRundownProtection);
    ex::free_pool_checked(RunRefCacheAware, RunRefCacheAware->tag);
}

VOID NTAPI ExReInitializeRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware) {
    DIRQL_DOOR(ExReInitializeRundownProtectionCacheAware);
    set_all(*RunRefCacheAware, 0);
}

BOOLEAN NTAPI ExAcquireRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware) {
    DIRQL_DOOR(ExAcquireRundownProtectionCacheAware);
    return acquire(*RunRefCacheAware, 1);
}

BOOLEAN NTAPI ExAcquireRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware, ULONG Count) {
    DIRQL_DOOR(ExAcquireRundownProtectionCacheAwareEx);
    return acquire(*RunRefCacheAware, Count);
}

VOID NTAPI ExReleaseRundownProtectionCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware) {
    DIRQL_DOOR(ExReleaseRundownProtectionCacheAware);
    release(*RunRefCacheAware, 1);
}

VOID NTAPI ExReleaseRundownProtectionCacheAwareEx(PEX_RUNDOWN_REF_CACHE_AWARE RunRef, ULONG Count) {
    DIRQL_DOOR(ExReleaseRundownProtectionCacheAwareEx);
    release(*RunRef, Count);
}

VOID NTAPI ExRundownCompletedCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRefCacheAware) {
    DIRQL_DOOR(ExRundownCompletedCacheAware);
    set_all(*RunRefCacheAware, run_down);
}

VOID NTAPI ExWaitForRundownProtectionReleaseCacheAware(PEX_RUNDOWN_REF_CACHE_AWARE RunRef) {
    DIRQL_DOOR(ExWaitForRundownProtectionReleaseCacheAware);
    wait(*RunRef);
}
}
