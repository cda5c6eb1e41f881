// Notify routines: what drivers hear of processes, threads and images.
//
//   process created   in the creating thread, when the process's first thread exists and before it runs; may be vetoed
//   thread created    in the creating thread before it runs; PsCreateThreadNotifyNonSystem: in the new thread, before its code
//   thread ended      in that thread
//   process ended     in its last thread, before its handles are closed
//   driver loaded     before its DriverEntry, in the thread that loads it
//
// All at PASSIVE_LEVEL in a critical region, in the order in which the places were taken. A routine that is being removed is
// called no more; the remover waits for the calls under way. Threads that the kernel makes for itself are not told of.
#pragma once

#include "ex/active_objects.hpp"
#include "ke/machine.hpp"

#include <ntifs.h>

#include <cstdint>
#include <string_view>

namespace dirql::ps {

enum class NotifyKind : std::uint8_t {
    process,            // PsSetCreateProcessNotifyRoutine
    process_ex,         // ...Ex
    process_subsystems, // ...Ex2
    thread,             // PsSetCreateThreadNotifyRoutine
    thread_in_itself,   // ...Ex, PsCreateThreadNotifyNonSystem
    thread_subsystems,  // ...Ex, PsCreateThreadNotifySubsystems
    image,
};

struct NotifySlot {
    const void* routine; // null: free
    NotifyKind kind;
    bool removing;
    std::uint32_t running; // calls under way
};

struct NotifyList {
    static constexpr unsigned capacity = 64;
    unsigned count; // of routines
    NotifySlot slot[capacity];
    KEVENT idle; // a call of a routine that is being removed has ended
};

struct NotifyLists {
    NotifyList process;
    NotifyList thread;
    NotifyList image;
};

void initialize_notify(NotifyLists& lists) noexcept;

// Each returns at once where nobody listens. PASSIVE_LEVEL.
// `first` is the new process's first thread. A driver's veto is what this returns.
[[nodiscard]] NTSTATUS announce_process(ke::Process& process, const ke::Thread& first) noexcept;
void announce_process_exit(ke::Process& process) noexcept;
void announce_thread(ke::Thread& thread) noexcept;
void announce_thread_in_itself(ke::Thread& thread) noexcept;
void announce_thread_exit(ke::Thread& thread) noexcept;
[[nodiscard]] bool announces_threads_in_themselves(ke::Machine& machine) noexcept;
// `name`: the driver's, without path or extension.
void announce_driver_image(std::u16string_view name, void* base, std::size_t size) noexcept;

// Does somebody listen to what becomes of processes or threads?
[[nodiscard]] bool processes_are_watched(ke::Machine& machine) noexcept;

// A routine in this image that is still registered, for its unloading.
[[nodiscard]] ex::ActiveObject find_notify_routine(const ke::CodeRange& image) noexcept;

} // namespace dirql::ps
