// Floating point in drivers: what a routine saves before it uses floating point it restores before it returns, at the same IRQL,
// in the same thread, properly nested.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// Bug check when the thread, at the end of its service, its DPC or its life, has saved a state that it never restored.
void refuse_open_saves(const Thread& thread, unsigned open_before = 0) noexcept;

} // namespace dirql::ke
