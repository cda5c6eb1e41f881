// Whose request an IRP is.
#pragma once

#include "io/irp.hpp"
#include "ps/ps.hpp"

namespace dirql::io {

// The process of the thread that made the request: of one that was attached then, the process that it is attached to now, and its
// own when it is no longer. Null: no thread's request.
[[nodiscard]] inline ke::Process* requestor_process(PIRP irp) noexcept {
    if (irp->Tail.Overlay.Thread == nullptr) return nullptr;
    ke::Thread& thread = thread_of(irp);
    return irp->ApcEnvironment != 0 ? thread.process : &ps::process_of(thread);
}

} // namespace dirql::io
