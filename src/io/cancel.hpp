// Cancelling IRPs.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

namespace dirql::io {

// Marks the IRP and calls its cancel routine, if it has one: then true. IRQL <= DISPATCH_LEVEL.
bool cancel_irp(PIRP irp) noexcept;

// Cancels those of a thread's IRPs that match. True when there was one. IRQL PASSIVE_LEVEL.
bool cancel_matching(ke::Thread& thread, bool (*matches)(PIRP, const void*), const void* context) noexcept;

// A thread ends: its IRPs are cancelled and waited for. IRQL PASSIVE_LEVEL, on the thread.
void cancel_thread_io(ke::Thread& thread) noexcept;

} // namespace dirql::io
