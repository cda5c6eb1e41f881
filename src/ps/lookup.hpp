// Processes and threads by identifier.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

namespace dirql::ps {

// Null: there is none. Not referenced; good until the next preemption point.
[[nodiscard]] ke::Process* find_process(HANDLE id) noexcept;
[[nodiscard]] ke::Thread* find_thread(HANDLE id) noexcept;

} // namespace dirql::ps
