#include "ke/irql.hpp"

#include "diag/trace.hpp"
#include "ke/apc.hpp"
#include "ke/broadcast.hpp"
#include "ke/dpc.hpp"
#include "ke/exports/ke.hpp"
#include "ke/scheduler.hpp"

#include <bit>

namespace dirql::ke {
namespace {

bool pending_above(const Processor* processor, KIRQL level) noexcept { return processor->pending >> (level + 1) != 0; }

// DPCs and the reschedule share DISPATCH_LEVEL's bit.
Processor* deliver_dispatch(Processor* processor) noexcept {
    processor->irql = DISPATCH_LEVEL;
    leave_pageable_levels(processor);
    processor->pending &= ~(1u << DISPATCH_LEVEL);
    retire_dpcs(processor);
    if (processor->reschedule != Reschedule::none) swap_context();
    processor = current_processor();
    update_horizon(processor); // while the request stood, the clock was left to it
    return processor;
}

} // namespace

Processor* deliver_pending(Processor* processor, KIRQL target) noexcept {
    if (processor->machine->host_stands_in) { // it waits for the next run
        processor->irql = target;
        return processor;
    }
    while (pending_above(processor, target)) {
        DIRQL_TRACE_ON(processor, interrupt,
                       .value = static_cast<std::uint64_t>(std::bit_width(processor->pending) - 1));
        if ((processor->pending >> IPI_LEVEL & 1) != 0 && target < IPI_LEVEL) [[unlikely]] {
            deliver_broadcast(processor);
            processor = current_processor();
        } else if ((processor->pending >> DISPATCH_LEVEL & 1) != 0 && target < DISPATCH_LEVEL) {
            processor = deliver_dispatch(processor);
        } else {
            processor->irql = APC_LEVEL;
            processor->pending &= ~(1u << APC_LEVEL);
            deliver_kernel_apcs(*processor->current);
            processor = current_processor();
        }
    }
    processor->irql = target;
    return processor;
}

} // namespace dirql::ke

using namespace dirql::ke;

extern "C" {

KIRQL NTAPI KeGetCurrentIrql(void) {
    DIRQL_CALLED(KeGetCurrentIrql);
    const Processor* processor = current_processor();
    return processor == nullptr ? PASSIVE_LEVEL : processor->irql;
}

KIRQL NTAPI KfRaiseIrql(KIRQL NewIrql) {
    DIRQL_DOOR(KfRaiseIrql);
    Processor* processor = current_processor();
    if (NewIrql < processor->irql || NewIrql > HIGH_LEVEL) [[unlikely]] {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x30, processor->irql, NewIrql, 0,
                  {.rule = "KeRaiseIrql was asked for a level below the current one",
                   .document = "KeRaiseIrql macro (wdm.h)"});
    }
    DIRQL_TRACE_ON(processor, irql_change, .value = NewIrql, .text = "KeRaiseIrql");
    return raise_irql(processor, NewIrql);
}

KIRQL NTAPI KeRaiseIrqlToDpcLevel(void) {
    DIRQL_DOOR(KeRaiseIrqlToDpcLevel);
    Processor* processor = current_processor();
    DIRQL_TRACE_ON(processor, irql_change, .value = DISPATCH_LEVEL, .text = "KeRaiseIrqlToDpcLevel");
    return raise_irql(processor, DISPATCH_LEVEL);
}

void NTAPI KeLowerIrql(KIRQL NewIrql) {
    DIRQL_DOOR(KeLowerIrql);
    Processor* processor = current_processor();
    if (NewIrql > processor->irql) [[unlikely]] {
        bug_check(DRIVER_VERIFIER_DETECTED_VIOLATION, 0x31, processor->irql, NewIrql, 0,
                  {.rule = "KeLowerIrql was asked for a level above the current one",
                   .document = "KeLowerIrql function (wdm.h)"});
    }
    DIRQL_TRACE_ON(processor, irql_change, .value = NewIrql, .text = "KeLowerIrql");
    lower_irql(processor, NewIrql);
}
}
