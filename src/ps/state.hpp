// What ps keeps for a machine.
#pragma once

#include "ke/machine.hpp"
#include "ps/notify.hpp"
#include "ps/ps.hpp"

namespace dirql::ps {

inline constexpr KPRIORITY normal_base_priority = 8;

struct State {
    IoRundown io;
    NotifyLists notify;
    std::uint64_t start_keys; // given so far
};

[[nodiscard]] inline State& state_of(ke::Machine& machine) noexcept { return machine.layer<State>(ke::Layer::ps); }

// The hooks of ke, and the maker of ex's worker threads.
void run_down_thread(ke::Thread& thread) noexcept;
void thread_reaped(ke::Thread& thread) noexcept;
[[nodiscard]] ke::Thread* make_worker_thread(ke::Machine& machine, const ke::ThreadStart& start) noexcept;

// The last thread of a process ends: its handles close, in its context.
void exit_process(ke::Process& process, NTSTATUS status) noexcept;

} // namespace dirql::ps
