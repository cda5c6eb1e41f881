// Virtual time. It starts with the machine, in nanoseconds, and moves only by what the machine does: each preemption point
// charges a step, a stall charges its length, and when every processor is idle time leaps to the next timer.
#pragma once

#include "ke/processor.hpp"

#include <cstdint>

namespace dirql::ke {

namespace cost {                                 // ns
inline constexpr std::uint64_t block = 10;       // a basic block of instrumented driver code
inline constexpr std::uint64_t export_call = 50; // any export
inline constexpr std::uint64_t callout = 20;     // the return from driver code
inline constexpr std::uint64_t yield = 100;      // YieldProcessor
inline constexpr std::uint64_t spin = 1'000;     // one look at a lock that is held
} // namespace cost

inline constexpr std::uint64_t never = ~std::uint64_t{0};
inline constexpr std::uint64_t ns_per_tick = 100;              // NT's unit: 100 ns
inline constexpr std::uint64_t clock_interval_ns = 15'625'000; // KeQueryTimeIncrement
// System time at power-on: 2026-01-01 00:00:00 UTC in 100 ns units since 1601.
inline constexpr std::int64_t boot_system_time = 134'116'992'000'000'000;

// The flow that runs begins something new: it came from its application, from a wait, to the next work item or to the DPC
// queue. MachineOptions::callout_budget bounds how long it may go on from here.
inline void begin_work(Processor* processor) noexcept { processor->work_began = processor->now; }

// What preempt() does is described there. Out of line: it may switch threads.
void preempt(Processor* processor) noexcept;

// A preemption point that costs `ns`. Returns the processor that the caller is on afterwards.
inline Processor* charge(Processor* processor, std::uint64_t ns) noexcept {
    processor->now += ns;
    if (processor->now >= processor->horizon) [[unlikely]] {
        preempt(processor);
        return current_processor();
    }
    return processor;
}

} // namespace dirql::ke
