// The choice door: the one source of nondeterminism in a machine.
//
// Every decision that a real computer leaves to chance (which thread runs, for how long, which processor is faster) is asked
// here, with its kind, so that a run is a pure function of (images, options, seed) and a later explorer can enumerate.
#pragma once

#include <cstdint>

namespace dirql::ke {

enum class ChoiceKind : std::uint8_t {
    turn_length, // how long a thread or processor runs before another may
    thread,      // which of several ready threads of one priority
    processor,   // which of several runnable processors
    preemption,  // asked only of a script, at each preemption point: 0: go on; else what comes between
};

class ChoiceScript;

class Choice {
public:
    void seed(std::uint64_t seed) noexcept { state_ = seed; }
    // From here on it is not chance that decides. Null: chance again.
    void follow(ChoiceScript* script) noexcept { script_ = script; }
    // A number in [0, bound). bound > 0.
    [[nodiscard]] std::uint32_t pick(ChoiceKind kind, std::uint32_t bound) noexcept;
    [[nodiscard]] std::uint64_t choices_made() const noexcept { return made_; }

private:
    std::uint64_t state_;
    std::uint64_t made_;
    ChoiceScript* script_;
};

} // namespace dirql::ke
