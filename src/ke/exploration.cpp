#include "ke/exploration.hpp"

#include "ke/clock.hpp"
#include "ke/scheduler.hpp"

namespace dirql::ke {
namespace {

constexpr std::uint32_t patience = 5'000; // points of one flow

bool another_can_go_on(const Processor& processor) noexcept {
    const Machine& machine = *processor.machine;
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        const Processor& other = *machine.processors[i];
        if (&other != &processor && has_work(other) && !only_spins(other)) return true;
    }
    return false;
}

void end_all_turns(Machine& machine, std::uint64_t when) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) machine.processors[i]->turn_ends = when;
}

} // namespace

bool only_spins(const Processor& processor) noexcept {
    const auto* lock = static_cast<const KSPIN_LOCK*>(processor.current->awaited_lock);
    return lock != nullptr && *lock != 0;
}

void begin_exploring(ChoiceScript& script) noexcept {
    Processor* processor = current_processor();
    Machine& machine = *processor->machine;
    machine.choice.follow(&script);
    machine.exploring = true;
    machine.explored_points = 0;
    end_all_turns(machine, never);
    update_horizon(processor);
}

void end_exploring() noexcept {
    Processor* processor = current_processor();
    stop_exploring(*processor->machine);
    update_horizon(processor);
}

void stop_exploring(Machine& machine) noexcept {
    if (!machine.exploring) return;
    machine.choice.follow(nullptr);
    machine.exploring = false;
    end_all_turns(machine, machine.time());
}

Interleave explored_interleave(Processor& processor, bool rival_ready, bool timer_can_expire) noexcept {
    if (only_spins(processor)) return Interleave::nothing; // it gives way by itself
    Interleave alternatives[4] = {Interleave::nothing};
    std::uint32_t count = 1;
    if (rival_ready) alternatives[count++] = Interleave::thread;
    if (another_can_go_on(processor)) alternatives[count++] = Interleave::processor;
    if (++processor.machine->explored_points > patience && count > 1) return alternatives[1];
    if (timer_can_expire) alternatives[count++] = Interleave::timer;
    return alternatives[count == 1 ? 0 : processor.machine->choice.pick(ChoiceKind::preemption, count)];
}

} // namespace dirql::ke
