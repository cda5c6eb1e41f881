// Exploring: each preemption point becomes a choice of its own, asked of the machine's ChoiceScript.
//
// At such a point three things may come between, where they can: another thread of this processor, another processor, and the
// next timer (time leaps to it, as if what was just done had taken so long). Turns do not end by themselves meanwhile. A flow
// that only looks again and again whether another got on (YieldProcessor in a loop) is made to give way after a while, which
// counts as no preemption.
#pragma once

#include "ke/choice_script.hpp"
#include "ke/processor.hpp"

namespace dirql::ke {

// From any thread of the machine: from here on its choices are the script's.
void begin_exploring(ChoiceScript& script) noexcept;
void end_exploring() noexcept;

enum class Interleave : std::uint8_t { nothing, thread, processor, timer };

// The run is over, however it ended: what is left of it is no part of the schedule.
void stop_exploring(Machine& machine) noexcept;

// It would look at its lock again, find it held, and come back.
[[nodiscard]] bool only_spins(const Processor& processor) noexcept;

// What the script wants at this preemption point.
[[nodiscard]] Interleave explored_interleave(Processor& processor, bool rival_ready, bool timer_can_expire) noexcept;

} // namespace dirql::ke
