// What io keeps for a machine and for each processor.
#pragma once

#include "io/irp.hpp"
#include "ke/machine.hpp"

#include <ntifs.h>

namespace dirql::io {

struct IrpList {
    static constexpr unsigned capacity = 32;
    IrpPrefix* first;
    unsigned count;
};

struct ProcessorLists {
    IrpList small;
    IrpList large;
};

struct State {
    KSPIN_LOCK cancel_lock;
    KIRQL cancel_irql;
    LIST_ENTRY timers; // IoTimers that run; one KTIMER ticks for all
    KTIMER timer;
    KDPC timer_dpc;
    ULONG running_timers;
    ULONG timer_round;       // ticks so far
    LIST_ENTRY reinitialize; // driver reinitialisation routines that wait for their call
    LIST_ENTRY shutdown;     // devices that asked for IRP_MJ_SHUTDOWN
    LIST_ENTRY drivers;      // loaded drivers, in the order of loading
};

[[nodiscard]] inline State& state() noexcept { return ke::current_machine().layer<State>(ke::Layer::io); }
[[nodiscard]] inline ProcessorLists& processor_lists(ke::Processor* processor) noexcept {
    return *static_cast<ProcessorLists*>(processor->io);
}

// At boot, on the host's stack. False when memory is exhausted.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

} // namespace dirql::io
