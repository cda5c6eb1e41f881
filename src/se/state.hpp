// What se keeps for a machine.
#pragma once

#include "ke/machine.hpp"

#include <ntifs.h>

#include <cstdint>

namespace dirql::se {

struct State {
    std::uint64_t next_luid;
};

[[nodiscard]] inline State& state() noexcept { return ke::current_machine().layer<State>(ke::Layer::se); }

} // namespace dirql::se
