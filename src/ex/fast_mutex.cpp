// Fast mutexes, and guarded mutexes, which share their structure.
//
// Count is 1 when free, 0 when owned, and lower by the number of threads that wait. A release hands the mutex to the
// thread that has waited longest. Acquiring it twice in one thread would wait for ever, so it is reported at once.
#include "ke/apc.hpp"
#include "ke/exports/ex.hpp"
#include "ke/irql.hpp"
#include "ke/stop.hpp"
#include "ke/thread.hpp"

using namespace dirql;

namespace {

// Thread::*_apc_disable as the verifier's codes show it.
std::uint64_t apc_disable_count() noexcept {
    return static_cast<std::uint64_t>(std::int64_t{ke::current_thread()->kernel_apc_disable});
}

[[noreturn]] void misuse(std::uint64_t code, std::uint64_t p3, std::uint64_t p4, const char* rule,
                         const char* document) noexcept {
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, code, ke::current_processor()->irql, p3, p4,
                  {.rule = rule, .document = document});
}

void check_acquire(const FAST_MUTEX* mutex, const char* document) noexcept {
    if (ke::current_processor()->irql <= APC_LEVEL) [[likely]]
        return;
    misuse(0x33, ke::parameter(mutex), 0, "a fast mutex was acquired above APC_LEVEL", document);
}

void check_release(const FAST_MUTEX* mutex) noexcept {
    if (ke::current_processor()->irql == APC_LEVEL) [[likely]]
        return;
    misuse(0x34, apc_disable_count(), ke::parameter(mutex), "a fast mutex was released at another level than APC_LEVEL",
           "ExReleaseFastMutex function (wdm.h)");
}

// The unsafe functions leave it to their caller to keep APCs away.
void check_unsafe(std::uint64_t code, const FAST_MUTEX* mutex, const char* rule, const char* document) noexcept {
    if (ke::current_processor()->irql == APC_LEVEL ||
        (ke::current_processor()->irql < APC_LEVEL && ke::apcs_disabled(*ke::current_thread())))
        return;
    misuse(code, apc_disable_count(), ke::parameter(mutex), rule, document);
}

void check_owner(const FAST_MUTEX* mutex, const char* document) noexcept {
    if (mutex->Owner == ke::current_thread()) [[likely]]
        return;
    if (mutex->Owner == nullptr) {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1007, ke::parameter(mutex), 0, 0,
                      {.rule = "a fast mutex was released that nobody owns", .document = document});
    }
    ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1004, ke::parameter(mutex), ke::parameter(mutex->Owner),
                  ke::parameter(ke::current_thread()),
                  {.rule = "a fast mutex was released by a thread that does not own it", .document = document});
}

void take(FAST_MUTEX* mutex, KWAIT_REASON reason) noexcept {
    ke::Thread* self = ke::current_thread();
    if (mutex->Owner == self) [[unlikely]] {
        ke::bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x1000, ke::parameter(mutex), 0, 0,
                      {.rule = "a thread acquired a fast mutex that it owns already: it would wait for ever",
                       .document = "Fast Mutexes and Guarded Mutexes"});
    }
    if (--mutex->Count != 0) {
        ++mutex->Contention;
        KeWaitForSingleObject(&mutex->Event, reason, KernelMode, FALSE, nullptr);
    }
    mutex->Owner = self;
}

bool try_take(FAST_MUTEX* mutex) noexcept {
    if (mutex->Count != FM_LOCK_BIT) return false;
    mutex->Count = 0;
    mutex->Owner = ke::current_thread();
    return true;
}

void give(FAST_MUTEX* mutex) noexcept {
    mutex->Owner = nullptr;
    if (++mutex->Count <= 0) KeSetEvent(&mutex->Event, IO_NO_INCREMENT, FALSE);
}

} // namespace

extern "C" {

VOID NTAPI ExAcquireFastMutex(PFAST_MUTEX FastMutex) {
    DIRQL_DOOR(ExAcquireFastMutex);
    check_acquire(FastMutex, "ExAcquireFastMutex function (wdm.h)");
    const KIRQL old = ke::raise_irql(ke::current_processor(), APC_LEVEL);
    take(FastMutex, WrFastMutex);
    FastMutex->OldIrql = old;
}

BOOLEAN NTAPI ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex) {
    DIRQL_DOOR(ExTryToAcquireFastMutex);
    check_acquire(FastMutex, "ExTryToAcquireFastMutex function (wdm.h)");
    if (!try_take(FastMutex)) return FALSE;
    FastMutex->OldIrql = ke::raise_irql(ke::current_processor(), APC_LEVEL);
    return TRUE;
}

VOID NTAPI ExReleaseFastMutex(PFAST_MUTEX FastMutex) {
    DIRQL_DOOR(ExReleaseFastMutex);
    check_release(FastMutex);
    check_owner(FastMutex, "ExReleaseFastMutex function (wdm.h)");
    const auto old = static_cast<KIRQL>(FastMutex->OldIrql);
    give(FastMutex);
    ke::lower_irql(ke::current_processor(), old);
}

VOID NTAPI ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex) {
    DIRQL_DOOR(ExAcquireFastMutexUnsafe);
    check_unsafe(0x39, FastMutex, "a fast mutex was acquired \"unsafe\" while APCs are enabled",
                 "ExAcquireFastMutexUnsafe function (wdm.h)");
    take(FastMutex, WrFastMutex);
}

VOID NTAPI ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex) {
    DIRQL_DOOR(ExReleaseFastMutexUnsafe);
    check_unsafe(0x3A, FastMutex, "a fast mutex was released \"unsafe\" while APCs are enabled",
                 "ExReleaseFastMutexUnsafe function (wdm.h)");
    check_owner(FastMutex, "ExReleaseFastMutexUnsafe function (wdm.h)");
    give(FastMutex);
}

VOID NTAPI KeInitializeGuardedMutex(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeInitializeGuardedMutex);
    ExInitializeFastMutex(GuardedMutex);
}

VOID NTAPI KeAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeAcquireGuardedMutex);
    KeEnterGuardedRegion();
    take(GuardedMutex, WrGuardedMutex);
}

BOOLEAN NTAPI KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeTryToAcquireGuardedMutex);
    if (!try_take(GuardedMutex)) return FALSE;
    KeEnterGuardedRegion();
    return TRUE;
}

VOID NTAPI KeReleaseGuardedMutex(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeReleaseGuardedMutex);
    check_owner(GuardedMutex, "KeReleaseGuardedMutex function (wdm.h)");
    give(GuardedMutex);
    KeLeaveGuardedRegion();
}

VOID NTAPI KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeAcquireGuardedMutexUnsafe);
    check_unsafe(0x39, GuardedMutex, "a guarded mutex was acquired \"unsafe\" while APCs are enabled",
                 "KeAcquireGuardedMutexUnsafe function (wdm.h)");
    take(GuardedMutex, WrGuardedMutex);
}

VOID NTAPI KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX GuardedMutex) {
    DIRQL_DOOR(KeReleaseGuardedMutexUnsafe);
    check_owner(GuardedMutex, "KeReleaseGuardedMutexUnsafe function (wdm.h)");
    give(GuardedMutex);
}
}
