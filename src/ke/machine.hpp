// One simulated computer. Lives in its slot, with all that it owns; dropping a machine is resetting the slot.
#pragma once

#include "ke/choice.hpp"
#include "ke/fiber.hpp"
#include "ke/pageable.hpp"
#include "ke/processor.hpp"
#include "ke/slot.hpp"
#include "ke/stop.hpp"
#include "ke/thread.hpp"

#include <ntifs.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace dirql::diag {
class Recorder;
}

namespace dirql::ke {

inline constexpr unsigned max_processors = 64;

// What the host decides about a machine. Times in ns of virtual time.
struct MachineOptions {
    std::uint64_t seed = 0;
    unsigned processors = 1;
    std::size_t physical_memory = std::size_t{256} << 20;
    std::uint64_t callout_budget = 5'000'000'000; // driver code may run on this long, see begin_work
    std::uint64_t run_budget = std::uint64_t{24 * 3600} * 1'000'000'000; // one run of the machine
    std::uint64_t busy_budget = std::uint64_t{60} * 1'000'000'000;       // the same, without the time that all rest
    std::uint64_t cpu_budget = 10'000'000'000; // host CPU time without a preemption point: the last resort; 0: no watch
    bool kernel_debugger = false;              // attached, and says "go" at each break point
    std::size_t kernel_stack_size = 0;         // 0: the default of this build
    std::size_t user_stack_size = 0;
    bool force_irql_checking = true; // pageable memory is felt: see pageable.hpp
};

// An entry of the error log, as a driver wrote it.
struct LoggedError {
    std::uint64_t time;    // virtual, ns
    UNICODE_STRING driver; // the object's name; empty when it has none
    UNICODE_STRING device; // the same; empty when the driver object was named
    std::span<const std::byte> packet;
};

// Text that drivers and the kernel print, and what else the host wants to hear.
struct HostInterface {
    virtual ~HostInterface() = default;
    virtual void debug_output(std::string_view text) = 0;
    virtual void error_logged(const LoggedError&) {}
};

// A stretch of code that counts as driver code (a loaded image, or the host module of drivers given as functions).
struct CodeRange {
    std::uintptr_t begin;
    std::uintptr_t end;
    const char* name;       // the machine's, see Machine::allocate: it is read when the driver has gone, too
    bool integrity = false; // the image says IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY, which some registrations ask for

    bool operator==(const CodeRange&) const = default;
};

// What the memory manager makes of a fault.
enum class UserFault : std::uint8_t {
    none,       // an access violation
    guard_page, // it was a guard page, and is no more: STATUS_GUARD_PAGE_VIOLATION
    resolved,   // the access is possible now
};

enum class Layer : std::uint8_t { ex, mm, ob, se, ps, io, hal, ldr, count };

struct Machine {
    MachineOptions options;
    Slot* slot;
    HostInterface* host;
    Choice choice;
    bool exploring;                // a script decides, at every preemption point: see exploration.hpp
    std::uint32_t explored_points; // since the flow that runs was switched to
    std::uint64_t now;             // authoritative while no processor runs
    std::uint64_t run_deadline;    // the earlier of the two
    std::uint64_t run_ends;        // by run_budget
    std::uint64_t busy_time_ends;  // by busy_budget
    unsigned processor_count;
    CCHAR number_processors; // the same, where drivers find it: KeNumberProcessors
    KSYSTEM_TIME tick_count; // where drivers find it: KeTickCount
    Processor* processors[max_processors];
    Processor* running; // the one whose flow the host thread executes
    Fiber executor;     // the host thread's own flow, inside run()

    LIST_ENTRY timers;        // KTIMERs in the order of due time; equal times in the order of insertion
    std::uint64_t next_timer; // due time of the first, ns; `never` when there is none

    // What upper layers do at moments that ke decides.
    struct Hooks {
        void (*thread_rundown)(Thread&); // on the ending thread, PASSIVE_LEVEL
        // A system thread that runs already; null when memory is short. IRQL <= DISPATCH_LEVEL.
        Thread* (*make_system_thread)(Machine&, const ThreadStart&);
        void (*thread_reaped)(Thread&); // its stacks are gone; DISPATCH_LEVEL, arbitrary context
        // An exception, or the end of its thread, has left the calls of drivers from one SehState::door_state out to another.
        void (*calls_unwound)(std::uint64_t from, std::uint64_t to);
        // The address of an export of the kernel or the HAL, or null.
        void* (*system_routine)(std::string_view name);
        // A page of the user half was touched that allows it not; below DISPATCH_LEVEL.
        UserFault (*user_fault)(Machine&, void* address, bool write);
        // Pages that are kept for blocks of pool and hold none are free again; false: there were none. Any IRQL that memory may be
        // taken at.
        bool (*give_back_pages)(Machine& machine);
    } hooks;
    Thread* to_reap; // ended, left by the flow that was it

    LIST_ENTRY processes;
    std::uint64_t next_id; // process and thread identifiers, multiples of 4
    Process* system_process;

    Stop stop;
    bool host_stands_in; // the host's own code stands on processor 0, between runs: no flow to switch to
    void* host_landing;  // where a bug check in such code, or in the executor's, comes back to: see on_host_flow()
    LIST_ENTRY bug_check_callbacks[2]; // KBUGCHECK_CALLBACK_RECORDs, KBUGCHECK_REASON_CALLBACK_RECORDs
    std::uint32_t clock_requests;      // drivers that want a shorter clock interval than the default
    std::uint32_t clock_interval;      // 100 ns
    const void* call_dpc_owner;        // KeGenericCallDpc under way: one at a time
    const void* broadcast_owner;       // KeIpiGenericCall under way: one at a time
    bool stopping;                     // a stop is recorded; no driver code runs any more
    diag::Recorder* recorder;          // null: tracing is off
    void* layers[static_cast<unsigned>(Layer::count)];

    Pageable pageable;

    static constexpr unsigned max_images = 64;
    unsigned image_count;
    CodeRange images[max_images];
    std::span<const void* const> exports; // addresses, in the order of the export table

    // Zeroed memory from the slot that lives as long as the machine. Null when memory is exhausted.
    [[nodiscard]] void* allocate(std::size_t bytes) noexcept;
    template <class T> [[nodiscard]] T* allocate() noexcept { return static_cast<T*>(allocate(sizeof(T))); }
    std::byte* arena_next; // bump allocation of the above
    std::size_t arena_left;

    template <class T> [[nodiscard]] T& layer(Layer which) noexcept {
        return *static_cast<T*>(layers[static_cast<unsigned>(which)]);
    }

    // Time as of now, from any flow.
    [[nodiscard]] std::uint64_t time() const noexcept { return running ? running->now : now; }
};

// Makes a machine in an empty slot: processors, idle threads, the system process. Null when memory is exhausted.
[[nodiscard]] Machine* create_machine(Slot& slot, const MachineOptions& options, HostInterface* host) noexcept;

[[nodiscard]] inline Machine& current_machine() noexcept { return *current_processor()->machine; }

// Driver code that traps and stack walks must know. Ranges may lie in one another, and several drivers may have the same one.
[[nodiscard]] bool add_code_range(Machine& machine, const CodeRange& range) noexcept;
void remove_code_range(Machine& machine, const CodeRange& range) noexcept;
[[nodiscard]] const CodeRange* find_code_range(const Machine& machine, std::uintptr_t address) noexcept;
// Does this routine lie in an image with the integrity flag? Null and what is no driver's does not.
[[nodiscard]] bool has_integrity(const Machine& machine, const void* routine) noexcept;

} // namespace dirql::ke
