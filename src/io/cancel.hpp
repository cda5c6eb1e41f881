// Cancelling IRPs.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

namespace dirql::io {

// Marks the IRP and calls its cancel routine, if it has one: then true. IRQL <= DISPATCH_LEVEL.
bool cancel_irp(PIRP irp) noexcept;

// Calls an IRP's cancel routine, with the cancel lock held, which the routine releases to IRP::CancelIrql.
void call_cancel_routine(PDRIVER_CANCEL routine, PIRP irp) noexcept;

// Cancels those IRPs of a thread, or of a process's threads, also of those that have ended, that match. True when there was one.
// IRQL PASSIVE_LEVEL.
using Matcher = bool (*)(PIRP irp, const void* context);
bool cancel_matching(ke::Thread& thread, Matcher matches, const void* context) noexcept;
bool cancel_matching(ke::Process& process, Matcher matches, const void* context) noexcept;

// Does the thread still have one that matches?
[[nodiscard]] bool has_matching(ke::Thread& thread, Matcher matches, const void* context) noexcept;

// For as long as the issuer of a cancelled request waits for a driver that does not notice: calls `over` each 100 ms until it is
// true, for five minutes at most.
void wait_patiently(bool (*over)(const void* context), const void* context) noexcept;

// A thread ends: its IRPs are cancelled and waited for, but for those that may outlive it: see left_requests.hpp. IRQL
// PASSIVE_LEVEL, on the thread.
void cancel_thread_io(ke::Thread& thread) noexcept;
// Of all threads of a process that is to end; nobody waits.
void cancel_process_io(ke::Process& process) noexcept;

} // namespace dirql::io
