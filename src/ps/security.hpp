// Descriptors of processes and threads: made by their creator's default list.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

namespace dirql::ps {

// Nobody below may read or write what processes and threads hold.
inline constexpr ACCESS_MASK label_policy = SYSTEM_MANDATORY_LABEL_NO_WRITE_UP | SYSTEM_MANDATORY_LABEL_NO_READ_UP;

// By its own token, which is its creator's or that of the user whom it was made for. False when memory is short.
[[nodiscard]] bool secure_process(ke::Process& process) noexcept;
// A thread that gets no handle when it is made. One of the kernel's own, which is made in whatever context, by its process's token.
// An application's by the token that its creator acts with, where that is a thread of the same process. False when memory is
// short. IRQL <= DISPATCH_LEVEL.
[[nodiscard]] bool secure_thread(void* body, ke::Process& process, bool of_kernel) noexcept;

// Who may change or ask all may change or ask a little.
[[nodiscard]] ACCESS_MASK implied_by_process(ACCESS_MASK granted) noexcept;
[[nodiscard]] ACCESS_MASK implied_by_thread(ACCESS_MASK granted) noexcept;

} // namespace dirql::ps
