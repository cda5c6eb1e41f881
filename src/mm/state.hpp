// All state of the memory manager in one machine.
#pragma once

#include "ke/machine.hpp"
#include "mm/arena.hpp"

namespace dirql::mm {

struct State {
    ke::Slot* slot;
    Arena* arenas[max_arenas];
    LIST_ENTRY reserved;      // MmAllocateMappingAddress
    LIST_ENTRY sections;      // of images, locked by drivers
    LIST_ENTRY protected_;    // MmProtectMdlSystemAddress, of what is mapped in the direct map
    LIST_ENTRY system_views;  // MmMapViewInSystemSpace
    LIST_ENTRY contiguous;    // blocks of MmAllocateContiguousMemory and MmAllocateNonCachedMemory
    std::uint64_t guards_hit; // guard pages that were touched so far
};

[[nodiscard]] inline State& state_of(ke::Machine& machine) noexcept { return machine.layer<State>(ke::Layer::mm); }
[[nodiscard]] inline State& current_state() noexcept { return state_of(ke::current_machine()); }

// At boot, after ex. False when memory is short.
[[nodiscard]] bool initialize(ke::Machine& machine) noexcept;

} // namespace dirql::mm
