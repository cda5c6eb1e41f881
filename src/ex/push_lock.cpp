// Push locks: a word that is zero when the lock is free.
//
//   bit 0      owned; bits 4 and up count the owners who share it, none: it is owned exclusively
//   bit 1      somebody waits: bits 4 and up are the address of the first who does, and it holds the count
//
// They are fair: who comes while others wait waits too, and a release hands the lock to the one that has waited longest, with
// all who came right after it and want to share as well. As NT's AutoBoost does, the kernel remembers who owns one, so that
// a release by somebody else is seen.
#include "ex/lock_queue.hpp"
#include "ex/state.hpp"
#include "ke/exports/ex_sync.hpp"
#include "ke/stop.hpp"
#include "ke/wait.hpp"

#include <algorithm>
#include <iterator>

using namespace dirql;

namespace {

constexpr EX_PUSH_LOCK owned = 1;
constexpr EX_PUSH_LOCK waited_for = 2;
constexpr EX_PUSH_LOCK low_bits = 15;
constexpr EX_PUSH_LOCK one_share = 16;

ke::LockWaiter* first_waiter(EX_PUSH_LOCK lock) noexcept {
    return (lock & waited_for) != 0 ? reinterpret_cast<ke::LockWaiter*>(lock & ~low_bits) : nullptr;
}

std::uint32_t shares(EX_PUSH_LOCK lock) noexcept {
    const ke::LockWaiter* first = first_waiter(lock);
    return first != nullptr ? first->holders : static_cast<std::uint32_t>(lock / one_share);
}

// Who owns which lock. When there are more owners than places, some go unremembered, and then nobody is accused.
ex::PushLockOwner* find_owner(const EX_PUSH_LOCK* lock, const ke::Thread* thread) noexcept {
    ex::PushLocks& locks = ex::current_state().push_locks;
    const auto end = std::begin(locks.owners) + locks.count;
    const auto found = std::find_if(std::begin(locks.owners), end, [&](const ex::PushLockOwner& owner) {
        return owner.lock == lock && (thread == nullptr || owner.thread == thread);
    });
    return found == end ? nullptr : &*found;
}

void remember(const EX_PUSH_LOCK* lock, ke::Thread* thread) noexcept {
    ex::PushLocks& locks = ex::current_state().push_locks;
    if (locks.count == std::size(locks.owners)) {
        ++locks.unremembered;
    } else {
        locks.owners[locks.count++] = {lock, thread};
    }
}

void forget(const EX_PUSH_LOCK* lock) noexcept {
    ex::PushLocks& locks = ex::current_state().push_locks;
    ke::Thread* self = ke::current_thread();
    if (ex::PushLockOwner* owner = find_owner(lock, self)) {
        *owner = locks.owners[--locks.count];
        return;
    }
    if (locks.unremembered != 0) {
        --locks.unremembered;
        return;
    }
    ke::bug_check(KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE, ke::parameter(self), ke::parameter(lock), 0, 0,
                  {.rule = "a push lock was released by a thread that does not own it",
                   .document = "Bug Check 0x162: KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE"});
}

void set(EX_PUSH_LOCK& lock, ke::LockWaiter* first, std::uint32_t share_count) noexcept {
    if (first == nullptr) {
        lock = owned | share_count * one_share;
        return;
    }
    const ex::PushLockOwner* owner = share_count > 1 ? nullptr : find_owner(&lock, nullptr);
    ex::note_owner(first, owner == nullptr ? nullptr : owner->thread, share_count);
    lock = reinterpret_cast<EX_PUSH_LOCK>(first) | owned | waited_for;
}

void wait_for(EX_PUSH_LOCK& lock, bool exclusive) noexcept {
    alignas(16) ke::LockWaiter waiter = ex::make_waiter(ke::LockKind::push_lock, &lock, exclusive);
    const std::uint32_t share_count = shares(lock);
    ke::LockWaiter* first = first_waiter(lock);
    ex::append(first, waiter);
    set(lock, first, share_count);
    ex::block(waiter, WrPushLock);
}

void acquire_exclusive(EX_PUSH_LOCK& lock) noexcept {
    if (lock != 0) return wait_for(lock, true);
    remember(&lock, ke::current_thread());
    set(lock, nullptr, 0);
}

void acquire_shared(EX_PUSH_LOCK& lock) noexcept {
    const bool exclusive = lock != 0 && shares(lock) == 0;
    if (exclusive || first_waiter(lock) != nullptr) return wait_for(lock, false);
    remember(&lock, ke::current_thread());
    set(lock, nullptr, shares(lock) + 1);
}

// The lock is free, and somebody waits for it.
void hand_over(EX_PUSH_LOCK& lock) noexcept {
    ke::LockWaiter* first = first_waiter(lock);
    std::uint32_t share_count = 0;
    bool exclusive;
    do {
        ke::LockWaiter& waiter = ex::take_first(first);
        exclusive = waiter.exclusive != 0;
        share_count += !exclusive;
        remember(&lock, waiter.thread);
        ex::wake(waiter);
    } while (!exclusive && first != nullptr && first->exclusive == 0);
    set(lock, first, share_count);
}

enum class Release { exclusive, shared, either };

void release(EX_PUSH_LOCK& lock, Release kind) noexcept {
    forget(&lock);
    const std::uint32_t share_count = shares(lock);
    if ((kind == Release::exclusive && share_count != 0) || (kind == Release::shared && share_count == 0)) {
        ke::bug_check(KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE, ke::parameter(ke::current_thread()), ke::parameter(&lock),
                      0, 0,
                      {.rule = share_count != 0 ? "a push lock was released as if it were owned exclusively"
                                                : "a push lock was released as if it were shared",
                       .document = "Bug Check 0x162: KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE"});
    }
    ke::LockWaiter* first = first_waiter(lock);
    if (share_count > 1) {
        set(lock, first, share_count - 1);
    } else if (first == nullptr) {
        lock = 0;
    } else {
        hand_over(lock);
        ke::reschedule_if_asked();
    }
}

} // namespace

extern "C" {

VOID NTAPI ExInitializePushLock(PEX_PUSH_LOCK PushLock) {
    DIRQL_DOOR(ExInitializePushLock);
    *PushLock = 0;
}

// The flags turn AutoBoost off, which changes no thread's priority here.
VOID NTAPI ExAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags) {
    DIRQL_DOOR(ExAcquirePushLockExclusiveEx);
    UNREFERENCED_PARAMETER(Flags);
    acquire_exclusive(*PushLock);
}

VOID NTAPI ExAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags) {
    DIRQL_DOOR(ExAcquirePushLockSharedEx);
    UNREFERENCED_PARAMETER(Flags);
    acquire_shared(*PushLock);
}

VOID NTAPI ExReleasePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags) {
    DIRQL_DOOR(ExReleasePushLockExclusiveEx);
    UNREFERENCED_PARAMETER(Flags);
    release(*PushLock, Release::exclusive);
}

VOID NTAPI ExReleasePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags) {
    DIRQL_DOOR(ExReleasePushLockSharedEx);
    UNREFERENCED_PARAMETER(Flags);
    release(*PushLock, Release::shared);
}

VOID NTAPI ExReleasePushLockEx(PEX_PUSH_LOCK PushLock, ULONG Flags) {
    DIRQL_DOOR(ExReleasePushLockEx);
    UNREFERENCED_PARAMETER(Flags);
    release(*PushLock, Release::either);
}
}
