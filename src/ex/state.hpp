// All state of the executive in one machine.
#pragma once

#include "ex/pool.hpp"
#include "ex/push_lock.hpp"
#include "ex/work_queue.hpp"
#include "ke/machine.hpp"

namespace dirql::ex {

// What RtlRandom and RtlRandomEx shuffle; filled at the first use.
struct RandomTable {
    ULONG entries[128];
    ULONG selector; // RtlRandomEx's; 0: not filled
};

struct State {
    Pool pool;                  // first: found without an offset
    LIST_ENTRY lookaside_lists; // GENERAL_LOOKASIDE_POOLs, which all kinds of lists begin with
    LIST_ENTRY resources;       // ERESOURCEs
    PushLocks push_locks;
    WorkQueues work;
    std::uint64_t uuids_made;
    ULONG rand_state; // of the drivers' rand()
    RandomTable random_table;
};

[[nodiscard]] inline State& state_of(ke::Machine& machine) noexcept { return machine.layer<State>(ke::Layer::ex); }
[[nodiscard]] inline State& current_state() noexcept { return state_of(ke::current_machine()); }

// At boot, before any thread runs. False when memory is short.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

} // namespace dirql::ex
