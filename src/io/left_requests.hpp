// Requests that outlive the thread that made them: those on an asynchronous file with a completion port, whose end is told by a
// packet to whoever takes it. "All pending I/O initiated by the thread that is not associated with a completion port is canceled"
// (ExitThread function). NT queues them to the file object instead of the thread; here they stay in the list of the thread, and an
// ended thread with such requests stays as an object, in its process's ended_threads, until the last of them is over.
//
// Their last stage runs in a thread of the process that still lives. With the process they end: when its handles are closed, and
// drivers had IRP_MJ_CLEANUP, what is left is cancelled and waited for.
#pragma once

#include "ke/thread.hpp"

#include <ntifs.h>

namespace dirql::io {

[[nodiscard]] bool outlives_thread(PIRP irp) noexcept;

// ps's hooks, see ps::IoRundown.
[[nodiscard]] bool keep_ended_thread(ke::Thread& thread) noexcept;
void end_left_requests(ke::Process& process) noexcept;

// The drivers are done with a request whose thread takes no APC any more. IRQL <= DISPATCH_LEVEL.
[[gnu::cold, gnu::noinline]] void finish_left_request(PIRP irp, ke::Thread& thread, PFILE_OBJECT file,
                                                      CCHAR boost) noexcept;
// The request is taken apart: nobody is told. It is in no thread's list.
[[gnu::cold, gnu::noinline]] void drop_request(PIRP irp, PFILE_OBJECT file) noexcept;
// It belongs to nobody from now on: its completion finds no thread.
void abandon_request(PIRP irp) noexcept;

} // namespace dirql::io
