// Threads of IoCreateSystemThread.
#pragma once

#include "ke/thread.hpp"

namespace dirql::io {

// The thread ends: what was kept for it, if anything, is let go.
void end_system_thread(ke::Thread& thread) noexcept;

} // namespace dirql::io
