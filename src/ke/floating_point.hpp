// Floating point in drivers: what a routine saves before it uses floating point it restores before it returns, at the same IRQL,
// in the same thread, properly nested.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// The control words are kept, and fresh ones loaded; and the rules are held to, by the place that the caller keeps. IRQL <=
// DISPATCH_LEVEL. STATUS_INSUFFICIENT_RESOURCES: too many within one another.
[[nodiscard]] NTSTATUS save_floating_point(const void* place) noexcept;
void restore_floating_point(const void* place) noexcept;
void refuse_other_thread(const void* saved_in) noexcept;

// Bug check when the thread, at the end of its service, its DPC or its life, has saved a state that it never restored.
void refuse_open_saves(const Thread& thread, unsigned open_before = 0) noexcept;

} // namespace dirql::ke
