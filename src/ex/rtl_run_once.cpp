// One-time initialization. The pointer's two lowest bits are its state; above them stands the initialized data, or the list
// of threads that wait for it. Between two preemption points kernel code is atomic, so a look at the state and what is made
// of it are one step.
#include "ke/callout.hpp"
#include "ke/exports/rtl.hpp"
#include "ke/wait.hpp"

#include <ntddk.h>

using namespace dirql;

namespace {

enum State : ULONG_PTR { untouched = 0, begun = 1, done = 2, begun_by_many = 3 };
constexpr ULONG_PTR state_bits = 3;

ULONG_PTR word(const RTL_RUN_ONCE* once) { return reinterpret_cast<ULONG_PTR>(once->Ptr); }
ULONG_PTR state_of(const RTL_RUN_ONCE* once) { return word(once) & state_bits; }
void set(PRTL_RUN_ONCE once, ULONG_PTR value, ULONG_PTR state) { once->Ptr = reinterpret_cast<PVOID>(value | state); }

// On the stack of a thread that waits for another's initialization.
struct Waiter {
    Waiter* next;
    KEVENT woken;
};

void wait(PRTL_RUN_ONCE once) {
    Waiter self;
    self.next = reinterpret_cast<Waiter*>(word(once) & ~state_bits);
    ke::initialize_header(self.woken.Header, NotificationEvent, 0, sizeof(self.woken));
    set(once, reinterpret_cast<ULONG_PTR>(&self), begun);
    (void)ke::wait_for(&self.woken);
}

// The waits end one by one; a waiter is on its thread's stack, and gone as soon as that runs.
void end_waits(Waiter* waiter) {
    while (waiter != nullptr) {
        Waiter* const next = waiter->next;
        waiter->woken.Header.SignalState = 1;
        ke::wake_waiters(waiter->woken.Header, IO_NO_INCREMENT);
        waiter = next;
    }
}

NTSTATUS begin(PRTL_RUN_ONCE once, ULONG flags, PVOID* context) {
    const bool check_only = (flags & RTL_RUN_ONCE_CHECK_ONLY) != 0, many = (flags & RTL_RUN_ONCE_ASYNC) != 0;
    constexpr ULONG known = RTL_RUN_ONCE_CHECK_ONLY | RTL_RUN_ONCE_ASYNC;
    if ((flags & ~known) != 0 || (check_only && many)) return STATUS_INVALID_PARAMETER_2;
    for (;;) {
        const ULONG_PTR state = state_of(once);
        if (state == done) {
            if (context != nullptr) *context = reinterpret_cast<PVOID>(word(once) & ~state_bits);
            return STATUS_SUCCESS;
        }
        if (check_only) return STATUS_UNSUCCESSFUL;
        if (state == untouched) {
            set(once, 0, many ? begun_by_many : begun);
            return STATUS_PENDING;
        }
        if (many != (state == begun_by_many)) return STATUS_INVALID_PARAMETER_2;
        if (many) return STATUS_PENDING;
        wait(once);
    }
}

NTSTATUS complete(PRTL_RUN_ONCE once, ULONG flags, PVOID context) {
    const bool failed = (flags & RTL_RUN_ONCE_INIT_FAILED) != 0, many = (flags & RTL_RUN_ONCE_ASYNC) != 0;
    const auto value = reinterpret_cast<ULONG_PTR>(context);
    constexpr ULONG known = RTL_RUN_ONCE_INIT_FAILED | RTL_RUN_ONCE_ASYNC;
    if ((flags & ~known) != 0 || (failed && many)) return STATUS_INVALID_PARAMETER_2;
    if ((value & state_bits) != 0 || (failed && value != 0)) return STATUS_INVALID_PARAMETER_3;
    const ULONG_PTR state = state_of(once);
    if (state != begun && state != begun_by_many) return STATUS_UNSUCCESSFUL;
    if (many != (state == begun_by_many)) return STATUS_INVALID_PARAMETER_2;
    auto* const waiters = reinterpret_cast<Waiter*>(state == begun ? word(once) & ~state_bits : 0);
    set(once, value, failed ? untouched : done);
    end_waits(waiters);
    ke::reschedule_if_asked();
    return STATUS_SUCCESS;
}

} // namespace

extern "C" {

VOID NTAPI RtlRunOnceInitialize(PRTL_RUN_ONCE once) {
    DIRQL_DOOR(RtlRunOnceInitialize);
    once->Ptr = nullptr;
}

// STATUS_SUCCESS: it is done, and *context is the data. STATUS_PENDING: the caller does it. Another's is waited for, unless
// many may try at once.
NTSTATUS NTAPI RtlRunOnceBeginInitialize(PRTL_RUN_ONCE once, ULONG flags, PVOID* context) {
    DIRQL_DOOR(RtlRunOnceBeginInitialize);
    return begin(once, flags, context);
}

// STATUS_UNSUCCESSFUL: nothing was begun, or another has completed it.
NTSTATUS NTAPI RtlRunOnceComplete(PRTL_RUN_ONCE once, ULONG flags, PVOID context) {
    DIRQL_DOOR(RtlRunOnceComplete);
    return complete(once, flags, context);
}

// The routine is called in a critical region, until it has once returned other than 0. STATUS_UNSUCCESSFUL when it returns 0.
NTSTATUS NTAPI RtlRunOnceExecuteOnce(PRTL_RUN_ONCE once, PRTL_RUN_ONCE_INIT_FN routine, PVOID parameter,
                                     PVOID* context) {
    DIRQL_DOOR(RtlRunOnceExecuteOnce);
    KeEnterCriticalRegion();
    NTSTATUS status = begin(once, 0, context);
    if (status == STATUS_PENDING) {
        PVOID unasked = nullptr;
        PVOID* const data = context != nullptr ? context : &unasked;
        const ke::CalloutSite site{ke::CalloutKind::other, reinterpret_cast<const void*>(routine)};
        const bool made = ke::callout(site, routine, once, parameter, data) != 0;
        status = made ? complete(once, 0, *data) : STATUS_UNSUCCESSFUL;
        if (!made) (void)complete(once, RTL_RUN_ONCE_INIT_FAILED, nullptr);
    }
    KeLeaveCriticalRegion();
    return status;
}

} // extern "C"
