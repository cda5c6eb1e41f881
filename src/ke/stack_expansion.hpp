// KeExpandKernelStackAndCallout: a routine that needs more stack than is left runs on a larger one.
#pragma once

#include "ke/thread.hpp"

namespace dirql::ke {

// Bug check when a thread ends inside such a routine.
void refuse_expanded_stack(const Thread& thread) noexcept;

} // namespace dirql::ke
