// The machine's processes and their threads, the system process first.
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"

namespace dirql::ke {

// The first that `is(process)`, or null.
template <class Is> [[nodiscard]] Process* find_process(const Machine& machine, Is is) noexcept {
    for (LIST_ENTRY* e = machine.processes.Flink; e != &machine.processes; e = e->Flink) {
        auto* process = CONTAINING_RECORD(e, Process, all_entry);
        if (is(*process)) return process;
    }
    return nullptr;
}

// The first thread that `is(thread)`, or null. It may have ended: a thread stays in its process's list until its object goes.
template <class Is> [[nodiscard]] Thread* find_thread(const Machine& machine, Is is) noexcept {
    Thread* found = nullptr;
    (void)find_process(machine, [&](Process& process) {
        for (LIST_ENTRY* e = process.threads.Flink; e != &process.threads; e = e->Flink) {
            auto* thread = CONTAINING_RECORD(e, Thread, process_entry);
            if (!is(*thread)) continue;
            found = thread;
            return true;
        }
        return false;
    });
    return found;
}

} // namespace dirql::ke
