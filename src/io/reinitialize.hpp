// Reinitialize routines: what drivers want to do once other drivers are there.
#pragma once

#include <ntifs.h>

#include <cstdint>

namespace dirql::io {

// Index of State::reinitialize.
enum class ReinitializeRound : std::uint8_t {
    boot, // IoRegisterBootDriverReinitialization: when the boot drivers and their devices have started, and never after
    driver, // IoRegisterDriverReinitialization: after that, and after each driver that is loaded later
};

// Calls the routines of a round that wait, in the order of registration, until none is left: one that registers itself again is
// called again, after the others. PASSIVE_LEVEL, on a system thread.
void call_reinitialize_routines(ReinitializeRound round) noexcept;

// The driver goes, or its DriverEntry failed: none of its routines is called any more.
void forget_reinitialize_routines(PDRIVER_OBJECT driver) noexcept;

} // namespace dirql::io
