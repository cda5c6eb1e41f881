// IRQL: raising never lowers, lowering never raises, and lowering delivers what became possible.
//
//   PASSIVE_LEVEL   0   threads; all waits and all pageable memory
//   APC_LEVEL       1   threads, without APC delivery; waits still possible
//   DISPATCH_LEVEL  2   no thread switch on this processor: no waits, no pageable memory
//   3..12               device interrupts (DIRQL)
//   CLOCK_LEVEL    13   timer expiration is requested
//   HIGH_LEVEL     15   nothing interrupts
//
// Lowering delivers in order: pending interrupts above the new level, then below DISPATCH_LEVEL the DPC queue and a
// reschedule, then below APC_LEVEL the thread's kernel APCs.
#pragma once

#include "ke/pageable.hpp"
#include "ke/processor.hpp"

namespace dirql::ke {

// Delivers what is pending above `target`, then leaves the processor at `target`. Returns the processor it ends on.
Processor* deliver_pending(Processor* processor, KIRQL target) noexcept;

// To DISPATCH_LEVEL or above: what is pageable is out of reach from here on.
inline void leave_pageable_levels(const Processor* processor) noexcept {
    if (processor->pages_to_trim != 0) [[unlikely]]
        trim_pageable(*processor->machine);
}

[[nodiscard]] inline KIRQL raise_irql(Processor* processor, KIRQL level) noexcept {
    const KIRQL old = processor->irql;
    processor->irql = level;
    if (level >= DISPATCH_LEVEL) leave_pageable_levels(processor);
    return old;
}

// For the kernel's own use; the exported KeLowerIrql checks its argument first.
inline void lower_irql(Processor* processor, KIRQL level) noexcept {
    processor->irql = level;
    if (processor->pending >> (level + 1)) [[unlikely]]
        deliver_pending(processor, level);
}

// A request of this level: delivered now when the IRQL allows, else when it falls.
inline void request_interrupt(Processor* processor, KIRQL level) noexcept { processor->pending |= 1u << level; }

} // namespace dirql::ke
