// Processes and threads as objects: EPROCESS and ETHREAD.
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"
#include "ob/object_type.hpp"
#include "se/token.hpp"

#include <ntifs.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dirql::ps {

extern const ob::ObjectType process_type;
extern const ob::ObjectType thread_type;

// The kernel's part comes first, so that PEPROCESS and PKPROCESS, PETHREAD and PKTHREAD are the same addresses.
struct ProcessObject {
    ke::Process process;
    std::uint32_t live_threads; // made, and not yet run down
    bool begun;                 // one of them was launched
    bool exiting;               // its last thread is running down, or has: no new threads
    bool terminated;            // by NtTerminateProcess: its exit status is set
    bool announced;             // its creation was told, or nobody listened
    NTSTATUS exit_status;
    LARGE_INTEGER create_time;
    LARGE_INTEGER exit_time;
    std::uint64_t parent_id;
    UNICODE_STRING image_name; // pool memory, as is the next; no buffer: there is none
    UNICODE_STRING command_line;
    std::uint64_t start_key; // never given twice in a machine
};

struct ThreadObject {
    ke::Thread thread;
    bool terminating;
    bool announced;           // drivers were told of it, and will be of its end
    bool vetoed;              // its process was: it ends before it begins
    NTSTATUS asked_status;    // of a thread that is to end, see ke::Thread::terminating
    ke::Process* own_process; // thread.process is the one that it is attached to
    void (*body)(void*);      // what an application's thread does after it was announced in itself
    void* body_context;
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
// The session of its token: 0, where services run, for the system's own account, 1 for those that log on.
[[nodiscard]] ULONG session_of(const ke::Process& process) noexcept;
[[nodiscard]] inline bool is_attached(const ke::Thread& thread) noexcept { return thread.apc_environment != 0; }
// The process that a thread belongs to, whatever it is attached to.
[[nodiscard]] inline ke::Process& process_of(const ke::Thread& thread) noexcept {
    return *object_of(const_cast<ke::Thread&>(thread)).own_process;
}
[[nodiscard]] inline PETHREAD as_ethread(ke::Thread* thread) noexcept { return reinterpret_cast<PETHREAD>(thread); }
[[nodiscard]] inline PEPROCESS as_eprocess(ke::Process* process) noexcept {
    return reinterpret_cast<PEPROCESS>(process);
}

[[nodiscard]] CLIENT_ID client_id_of(const ke::Thread& thread) noexcept;

// At boot, on the host's stack, after ob and mm: makes the system process an object, and sets the machine's hooks.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

// io's part of the ends of threads and processes.
struct IoRundown {
    // On the ending thread at PASSIVE_LEVEL, before its process closes handles.
    void (*thread_ends)(ke::Thread&);
    // It is no thread any more, and takes no APC. True: it is kept as an object until its requests have ended, and io owns the reference
    // that it had to itself. At DISPATCH_LEVEL, in no thread.
    bool (*thread_ended)(ke::Thread&);
    // A process is terminated, in any thread at PASSIVE_LEVEL: what its threads wait for is cancelled.
    void (*process_terminated)(ke::Process&);
    // On its last thread at PASSIVE_LEVEL, its handles are closed.
    void (*process_ends)(ke::Process&);
};
void set_io_rundown(ke::Machine& machine, const IoRundown& rundown) noexcept;

// An application's process, with an arena and an empty handle table. The caller owns a reference (ob::dereference). It ends when
// the last of its threads ends. Null when memory is exhausted. From the host's boot context, or a thread at PASSIVE_LEVEL.
[[nodiscard]] ke::Process* create_process(ke::Machine& machine, const char* name) noexcept;

struct ProcessStart {
    const char* name;
    std::u16string_view image_name = {}; // as notify routines see it
    std::u16string_view command_line = {};
    ke::Process* parent = nullptr; // null: the system process
    bool inherit_handles = false;  // the parent's handles with OBJ_INHERIT, under the same values
    // Whose token it has. Null: the parent's; without a parent an administrator's.
    const se::Account* account = nullptr;
};
// The same, from a thread at PASSIVE_LEVEL where handles are inherited. STATUS_INSUFFICIENT_RESOURCES.
[[nodiscard]] NTSTATUS create_process(ke::Machine& machine, const ProcessStart& start, ke::Process*& process) noexcept;

// A thread of an application: `body` runs on a user stack, and the thread ends when it returns. The caller owns a reference.
// Null when memory is exhausted or the process has ended. From the host's boot context, or a thread at PASSIVE_LEVEL: only from
// there drivers hear of it. The first thread of a process makes drivers hear of the process, and they may veto it: then the
// thread ends without having begun, and *veto (may be null) is why.
[[nodiscard]] ke::Thread* create_application_thread(ke::Machine& machine, ke::Process& process, const char* name,
                                                    void (*body)(void* context), void* context,
                                                    NTSTATUS* veto = nullptr) noexcept;

// A thread of the kernel in this process, ready to run. The caller owns a reference. Null when memory is exhausted.
[[nodiscard]] ke::Thread* create_system_thread(ke::Machine& machine, ke::Process& process, const char* name,
                                               PKSTART_ROUTINE routine, void* context, KPRIORITY priority) noexcept;

} // namespace dirql::ps
