// Processes and threads as objects: EPROCESS and ETHREAD.
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"
#include "ob/object_type.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>

namespace dirql::ps {

extern const ob::ObjectType process_type;
extern const ob::ObjectType thread_type;

// The kernel's part comes first, so that PEPROCESS and PKPROCESS, PETHREAD and PKTHREAD are the same addresses.
struct ProcessObject {
    ke::Process process;
    std::uint32_t live_threads;
    bool exiting; // its last thread is running down, or has: no new threads
    NTSTATUS exit_status;
    LARGE_INTEGER create_time;
    LARGE_INTEGER exit_time;
};

struct ThreadObject {
    ke::Thread thread;
    bool terminating;
    bool has_system_affinity; // KeSetSystemAffinityThread
    KAFFINITY user_affinity;  // its own, meanwhile
    LARGE_INTEGER create_time;
    LARGE_INTEGER exit_time;
};
static_assert(offsetof(ProcessObject, process) == 0);

[[nodiscard]] inline ProcessObject& object_of(ke::Process& process) noexcept {
    return reinterpret_cast<ProcessObject&>(process);
}
[[nodiscard]] inline ThreadObject& object_of(ke::Thread& thread) noexcept {
    return reinterpret_cast<ThreadObject&>(thread);
}
[[nodiscard]] inline PETHREAD as_ethread(ke::Thread* thread) noexcept { return reinterpret_cast<PETHREAD>(thread); }
[[nodiscard]] inline PEPROCESS as_eprocess(ke::Process* process) noexcept {
    return reinterpret_cast<PEPROCESS>(process);
}

[[nodiscard]] CLIENT_ID client_id_of(const ke::Thread& thread) noexcept;

// At boot, on the host's stack, after ob and mm: makes the system process an object, and sets the machine's hooks.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

// io's part of a thread's end: runs on the ending thread at PASSIVE_LEVEL, before its process closes handles.
void set_io_rundown(ke::Machine& machine, void (*rundown)(ke::Thread&)) noexcept;

// An application's process, with an arena and an empty handle table. The caller owns a reference (ob::dereference). It ends when
// the last of its threads ends. Null when memory is exhausted. From the host's boot context, or a thread at PASSIVE_LEVEL.
[[nodiscard]] ke::Process* create_process(ke::Machine& machine, const char* name) noexcept;

// A thread of an application: `body` runs on a user stack, and the thread ends when it returns. The caller owns a reference.
// Null when memory is exhausted or the process has ended. From the host's boot context, or a thread at PASSIVE_LEVEL.
[[nodiscard]] ke::Thread* create_application_thread(ke::Machine& machine, ke::Process& process, const char* name,
                                                    void (*body)(void* context), void* context) noexcept;

// A thread of the kernel in this process, ready to run. The caller owns a reference. Null when memory is exhausted.
[[nodiscard]] ke::Thread* create_system_thread(ke::Machine& machine, ke::Process& process, const char* name,
                                               PKSTART_ROUTINE routine, void* context, KPRIORITY priority) noexcept;

} // namespace dirql::ps
