// What the object manager keeps for a machine.
#pragma once

#include "ex/work_queue.hpp"
#include "ke/machine.hpp"
#include "ob/handle_callbacks.hpp"
#include "ob/handle_table.hpp"
#include "ob/namespace.hpp"
#include "ob/object.hpp"

#include <ntifs.h>

#include <cstdint>

namespace dirql::ob {

struct SecurityHooks;

struct TypeState {
    const ObjectType* type;
    std::int64_t objects;
    std::int64_t handles;
};

struct State {
    TypeState types[static_cast<unsigned>(TypeIndex::count)];
    Directory* root;
    Directory* dos_devices; // \GLOBAL??, which \?? is another name of
    HandleTable* kernel_handles;
    ke::Process* system_process;
    KEVENT always_signalled; // what a wait for an object without dispatcher header waits for
    ObjectHeader* to_delete; // last in, first out; a worker empties it
    ex::KernelWork delete_work;
    bool delete_queued;
    CallbackLists callbacks;
    const SecurityHooks* security; // null in a machine without se: everybody may everything
};

[[nodiscard]] inline State& state_of(ke::Machine& machine) noexcept { return machine.layer<State>(ke::Layer::ob); }
[[nodiscard]] inline State& current_state() noexcept { return state_of(ke::current_machine()); }
[[nodiscard]] inline TypeState& type_state(State& state, const ObjectType& type) noexcept {
    return state.types[static_cast<unsigned>(type.index)];
}

// Makes a type known to the machine: its name appears in \ObjectTypes. Each layer does so for its own types at boot.
[[nodiscard]] bool register_type(ke::Machine& machine, const ObjectType& type) noexcept;

// A permanent directory of the kernel.
[[nodiscard]] Directory* make_directory(std::u16string_view path) noexcept;

// The system process became an object: the kernel's handles are its handles.
void adopt_system_process(ke::Machine& machine, ke::Process& process) noexcept;

} // namespace dirql::ob
