#include "io/state.hpp"

#include "io/call_driver.hpp"
#include "io/cancel.hpp"
#include "io/left_requests.hpp"
#include "ps/ps.hpp"

namespace dirql::io {

void initialize_timers(State& io) noexcept;

bool initialize(ke::Machine& machine) noexcept {
    auto* io = machine.allocate<State>();
    if (io == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::io)] = io;
    for (LIST_ENTRY& queue : io->reinitialize) InitializeListHead(&queue);
    for (LIST_ENTRY& list : io->shutdown) InitializeListHead(&list);
    InitializeListHead(&io->hard_error_list);
    io->configuration.Version = sizeof io->configuration;
    InitializeListHead(&io->drivers);
    initialize_timers(*io);
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        machine.processors[i]->io = machine.allocate<ProcessorLists>();
        if (machine.processors[i]->io == nullptr) return false;
    }
    machine.hooks.calls_unwound = calls_unwound;
    ps::set_io_rundown(machine, {.thread_ends = cancel_thread_io,
                                 .thread_ended = keep_ended_thread,
                                 .process_terminated = cancel_process_io,
                                 .process_ends = end_left_requests});
    return true;
}

} // namespace dirql::io
