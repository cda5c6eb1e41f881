// Threads and processes as the kernel proper sees them; ps and io hang their own state on them.
#pragma once

#include "ke/fiber.hpp"
#include "ke/processor.hpp"
#include "ke/seh.hpp"

#include <ntifs.h>

#include <cstdint>
#include <cstring>

namespace dirql::ke {

enum class ThreadState : std::uint8_t { initialized, ready, running, waiting, terminated };

// Pool that a process is charged for, bytes. A limit of 0, the default as on Windows: what the machine has.
struct PoolQuota {
    std::size_t used;
    std::size_t peak;
    std::size_t limit;
};

struct Process {
    DISPATCHER_HEADER header;
    LIST_ENTRY threads;       // Thread::process_entry
    LIST_ENTRY ended_threads; // the same, of those that left requests behind: see io/left_requests.hpp
    LIST_ENTRY all_entry;     // Machine::processes
    std::uint64_t id;
    std::byte* arena; // the process's stretch of the user half, null for the system process
    std::size_t arena_size;
    void* ob; // the handle table
    void* ps;
    void* se; // the primary token
    char name[32];
    PoolQuota pool_quota[2]; // nonpaged, paged
};

// Which of a thread's two kinds of code runs: the sides of the system-service door.
enum class Side : std::uint8_t { user, kernel };

// What io keeps of a thread.
struct ThreadIo {
    PIRP top_level_irp; // or a file system's own value
    PDEVICE_OBJECT device_to_verify;
    void* system_thread; // of IoCreateSystemThread: what it keeps until its end
    bool hard_errors_disabled;
    bool left_requests; // it has ended, and stands in Process::ended_threads
};

// What KeSaveFloatingPointState keeps until the state is restored: x87 and SSE control, and what the rules are checked by.
struct FloatingPointSave {
    const void* place; // the caller's KFLOATING_SAVE or XSTATE_SAVE
    std::uint32_t mxcsr;
    std::uint16_t control;
    KIRQL irql;
};
inline constexpr unsigned most_floating_point_saves = 8;

struct Thread {
    DISPATCHER_HEADER header; // signalled when the thread has ended

    // Hot: what a system service and the completion of its IRP touch. The first five are one word: see holds_return().
    std::int16_t kernel_apc_disable;  // critical regions, as a negative count like NT's
    std::int16_t special_apc_disable; // guarded regions
    std::uint8_t user_apc_pending;    // user APCs are delivered before the thread goes on in user mode
    std::uint8_t terminating;         // it is to end: no service comes back to its code
    std::uint8_t saves_open;          // floating-point states that the kernel side has saved and not restored
    std::uint8_t unused[1];
    Side side;
    KPROCESSOR_MODE previous_mode;
    ThreadState state;
    std::int8_t priority;
    std::int8_t base_priority;
    std::uint8_t kernel_apc_pending;
    std::uint8_t kernel_apc_in_progress;
    std::uint8_t is_system; // no user side
    LIST_ENTRY irp_list;    // io: IRPs issued by this thread
    std::byte* kernel_stack_low;
    std::byte* kernel_stack_top;
    void* door; // where the user side waits for the system service under way

    LIST_ENTRY apcs[2];          // by mode: KernelMode, UserMode
    std::uint8_t apc_queue_shut; // it ends: no APC is queued any more
    std::uint8_t alerted[2];     // by mode

    // Waiting.
    NTSTATUS wait_status;
    KIRQL wait_irql;        // what the wait was called at; valid with wait_next, too
    std::uint8_t wait_next; // an object was signalled with Wait = TRUE: a wait follows, at DISPATCH_LEVEL till then
    KPROCESSOR_MODE wait_mode;
    std::uint8_t wait_alertable;
    std::uint8_t wait_count;
    std::uint8_t wait_type;
    std::uint8_t wait_reason;
    PKWAIT_BLOCK wait_blocks;
    KWAIT_BLOCK own_wait_blocks[THREAD_WAIT_OBJECTS + 1];
    KTIMER wait_timer;
    std::uint8_t wait_timer_used;
    std::uint64_t wait_since; // virtual time, ns; of the wait under way, whatever APCs have come between
    PKSPIN_LOCK awaited_lock; // it spins for this one
    FloatingPointSave
        floating_point[most_floating_point_saves]; // states saved and not restored yet: saves_open of them
    std::byte* first_stack_low; // its own, while its kernel side runs on an expanded one: see stack_expansion.cpp
    std::byte* first_stack_top;
    PKQUEUE queue;          // the one whose entries it works on, see queue.hpp
    LIST_ENTRY queue_entry; // KQUEUE::ThreadListHead
    PLIST_ENTRY queue_item; // what its wait for the queue got

    // Scheduling.
    LIST_ENTRY ready_entry; // Processor::ready
    Processor* processor;   // where it runs or last ran
    std::uint64_t affinity;

    // Stopping the machine: the executor resumes application threads once more, to unwind.
    std::uint8_t unwind;
    std::uint8_t started;

    // While it is attached to another process than its own, `process` is that one. Then what it issues says so, as NT has it:
    // OriginalApcEnvironment, AttachedApcEnvironment.
    std::uint8_t apc_environment;

    Process* process;
    LIST_ENTRY process_entry;
    LIST_ENTRY mutants;    // KMUTANTs it owns
    LIST_ENTRY apc_timers; // ob: those that queue an APC to it
    std::uint64_t id;
    NTSTATUS exit_status;
    PKSTART_ROUTINE start_routine;
    void* start_context;
    void (*user_body)(void* context); // application threads: what runs on the user stack
    std::byte* user_stack_low;
    std::byte* user_stack_top;
    ThreadIo io;
    void* ps; // upper layers' state
    void* se; // the token that it impersonates with, or null
    std::uint32_t se_state;
    char name[32];
    Fiber fiber;
    SehState seh;      // of the kernel side
    SehState user_seh; // of the user side: no handler of one side catches for the other
};

// Is there a reason why a system service must not simply return: a region that is still entered, a floating-point state that was not
// restored, a user APC to deliver, the end of the thread?
[[nodiscard]] inline bool holds_return(const Thread& thread) noexcept {
    std::uint64_t all;
    std::memcpy(&all, &thread.kernel_apc_disable, sizeof all);
    return all != 0;
}
// An application's thread is to end: where it waits in user mode the wait ends, and its code goes on with its destructors. Any
// thread; IRQL <= DISPATCH_LEVEL.
void terminate_thread(Thread& thread) noexcept;

[[nodiscard]] inline Thread* current_thread() noexcept { return current_processor()->current; }
[[nodiscard]] inline Thread* thread_of(PKTHREAD thread) noexcept { return reinterpret_cast<Thread*>(thread); }
[[nodiscard]] inline PKTHREAD as_kthread(Thread* thread) noexcept { return reinterpret_cast<PKTHREAD>(thread); }

struct ThreadStart {
    const char* name;
    Process* process;
    KPRIORITY priority;
    // Exactly one of the two: a kernel routine, or an application's body on a user stack.
    PKSTART_ROUTINE routine;
    void* context;
    void (*user_body)(void* context);
};

// Initialises a zeroed Thread and makes its stacks. False when memory is short.
[[nodiscard]] bool initialize_thread(Machine& machine, Thread& thread, const ThreadStart& start) noexcept;
// Makes it ready to run.
void start_thread(Thread& thread) noexcept;
// The current thread ends: first the upper layers' rundown (Machine::hooks), then it leaves its processor for good.
[[noreturn]] void exit_current_thread(NTSTATUS status) noexcept;
// Gives the stacks of an ended thread back.
void release_thread_stacks(Machine& machine, Thread& thread) noexcept;

// A stack in the system half with a guard page below it.
[[nodiscard]] bool make_kernel_stack(Machine& machine, std::byte*& low, std::byte*& top) noexcept;
void free_kernel_stack(Machine& machine, std::byte* low, std::byte* top) noexcept;

void initialize_process(Machine& machine, Process& process, const char* name) noexcept;

} // namespace dirql::ke
