// ps at boot.
#include "ps/state.hpp"

#include "ex/state.hpp"
#include "ke/timer.hpp"
#include "ob/object.hpp"
#include "ob/state.hpp"
#include "ps/make_thread.hpp"
#include "ps/security.hpp"
#include "se/token.hpp"

namespace dirql::ps {
namespace {

// Idle threads are no objects and, as on NT, not threads of the system process.
void take_idle_threads_out(ke::Machine& machine, ke::Process& process) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        ke::Thread& idle = *machine.processors[i]->idle_thread;
        idle.process = &process;
        RemoveEntryList(&idle.process_entry);
        InitializeListHead(&idle.process_entry);
    }
}

// ke made the system process before there were objects: from now on it is one.
bool make_system_process(ke::Machine& machine) noexcept {
    void* body = nullptr;
    if (!NT_SUCCESS(ob::create_object(process_type, nullptr, KernelMode, sizeof(ProcessObject), &body))) return false;
    auto& object = *static_cast<ProcessObject*>(body);
    ke::Process& process = object.process;
    process = *machine.system_process;
    InitializeListHead(&process.header.WaitListHead);
    InitializeListHead(&process.threads);
    InitializeListHead(&process.ended_threads);
    RemoveEntryList(&machine.system_process->all_entry);
    InsertHeadList(&machine.processes, &process.all_entry);
    object.create_time = ke::system_time(machine);
    object.exit_status = STATUS_PENDING;
    object.announced = true;
    object.start_key = ++state_of(machine).start_keys;
    take_idle_threads_out(machine, process);
    machine.system_process = &process;
    ob::adopt_system_process(machine, process);
    return secure_process(process);
}

} // namespace

bool initialize(ke::Machine& machine) noexcept {
    if (!se::initialize(machine)) return false; // a process has a token
    auto* state = machine.allocate<State>();
    if (state == nullptr) return false;
    machine.layers[static_cast<unsigned>(ke::Layer::ps)] = state;
    initialize_notify(state->notify);
    if (!ob::register_type(machine, process_type) || !ob::register_type(machine, thread_type)) return false;
    if (!make_system_process(machine)) return false;
    machine.hooks.thread_rundown = run_down_thread;
    machine.hooks.thread_reaped = thread_reaped;
    machine.hooks.make_system_thread = [](ke::Machine& owner, const ke::ThreadStart& start) {
        ke::Thread* thread = make_thread(owner, nullptr, start);
        if (thread != nullptr) launch_thread(*thread);
        return thread;
    };
    ex::state_of(machine).work.make_thread = make_worker_thread;
    return true;
}

void set_io_rundown(ke::Machine& machine, const IoRundown& rundown) noexcept { state_of(machine).io = rundown; }

} // namespace dirql::ps
