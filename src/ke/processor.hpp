// A simulated processor: its IRQL, what is pending on it, which thread it runs, and how far its clock may go.
#pragma once

#include "ke/address_space.hpp"

#include <ntifs.h>

#include <cstdint>

namespace dirql::ke {

struct Machine;
struct Thread;

// Spin locks a processor holds, so that a release of another's lock, a second acquire, or a return with a lock held is seen.
struct HeldLocks {
    static constexpr unsigned capacity = 30;
    unsigned count;
    PKSPIN_LOCK lock[capacity];
};

// What swap_context() is asked to do when the IRQL falls below DISPATCH_LEVEL.
enum class Reschedule : std::uint8_t {
    none,
    better,    // a thread of higher priority is ready
    turn_over, // and one of equal priority may have its turn
};

struct Processor {
    // What the hot paths touch, first.
    KIRQL irql;
    std::uint8_t in_dpc; // a DPC routine runs on this processor
    Reschedule reschedule;
    std::uint8_t in_interrupt; // depth of interrupt service routines
    std::uint32_t pending;     // bit n: a request of level n is pending (1 APC, 2 DPC or reschedule, above: interrupts)
    std::uint64_t now;         // virtual time, ns; authoritative while this processor runs
    std::uint64_t horizon;     // when `now` reaches it, preempt() has something to do
    Thread* current;
    Machine* machine;
    std::uint32_t number;
    std::uint16_t trace_on;     // events are recorded
    std::uint8_t pages_to_trim; // pageable pages were touched since the IRQL rose last: see pageable.hpp
    std::uint64_t work_began;   // the flow that runs; see begin_work()
    std::uint64_t budget_check; // when preempt() looks at its budget next: never later than it could be used up
    HeldLocks held;

    // DPCs, in order.
    LIST_ENTRY dpc_queue;
    std::uint32_t dpc_depth;
    std::byte* dpc_stack_low; // deferred routines run here
    std::byte* dpc_stack_top;
    std::byte* trap_stack_low; // bug checks that come from a trap start here
    std::byte* trap_stack_top;
    PKDPC running_dpc;

    // Ready threads by priority; bit n of the summary: list n is not empty.
    LIST_ENTRY ready[32];
    std::uint32_t ready_summary;
    Thread* idle_thread;
    std::uint64_t turn_ends;       // the current thread's turn (a choice)
    std::uint8_t waiting_for_lock; // spins: nothing to gain from running it before the others
    std::uint8_t gave_way;         // on an explorer's word: another goes on first

    void* threaded_dpcs; // dpc.cpp: threaded DPCs and the thread that runs them
    void* broadcast;     // broadcast.cpp: what IPI_LEVEL is requested for

    // Per-processor state of upper layers (I/O lookaside lists).
    void* io;
};

extern "C" {
// The processor that runs on this host thread, or null outside of a machine. The one ambient variable of dirql.
extern constinit thread_local Processor* dirql_current_processor
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
}

// Read afresh at each call: a fiber may continue on another processor after any switch.
[[nodiscard]] inline Processor* current_processor() noexcept {
    Processor* processor;
    asm volatile("movq dirql_current_processor@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=&r"(processor));
    return processor;
}

} // namespace dirql::ke
