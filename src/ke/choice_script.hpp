// Enumerates what chance may decide: every schedule of a scenario with a bounded number of preemptions, depth first.
//
// While a machine is explored (Machine::exploring), its choices are asked here instead of being drawn. A run follows the
// decisions written down so far and takes the first alternative (0: go on as you are) of each choice that is new. next() then
// turns the last decision that has an alternative left, and forgets what followed. The scenario is run again from its beginning each
// time, so it must be a function of its choices alone.
//
// Bounding the preemptions, and not the decisions that are due anyway (who runs when a thread waits), keeps the number of schedules
// polynomial in the length of a run: Musuvathi and Qadeer, Iterative context bounding for systematic testing of multithreaded
// programs, 2007.
#pragma once

#include "ke/choice.hpp"

#include <cstddef>
#include <vector>

namespace dirql::ke {

class ChoiceScript {
public:
    explicit ChoiceScript(unsigned max_preemptions);

    // Before each run of the scenario.
    void rewind() noexcept;
    // The next schedule, after a run. False when there is no other.
    [[nodiscard]] bool next() noexcept;

    // The choice door's question. Of ChoiceKind::preemption every answer but 0 is one preemption.
    [[nodiscard]] std::uint32_t pick(ChoiceKind kind, std::uint32_t bound) noexcept;

    [[nodiscard]] unsigned preemptions() const noexcept { return preemptions_; }
    // The run asked something else than the one before it had asked at the same place: it is no function of its choices.
    [[nodiscard]] bool diverged() const noexcept { return diverged_; }
    // A run made more choices than are kept: not all schedules can be tried.
    [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }

private:
    struct Decision {
        ChoiceKind kind;
        std::uint32_t bound;
        std::uint32_t chosen;

        [[nodiscard]] bool preempts() const noexcept { return kind == ChoiceKind::preemption && chosen != 0; }
    };
    std::uint32_t follow(const Decision& decision, ChoiceKind kind, std::uint32_t bound) noexcept;

    // Never grows beyond what is reserved: pick() is asked by kernel code, which must not use the host's heap.
    static constexpr std::size_t max_decisions = 1 << 16;
    std::vector<Decision> decisions_;
    std::size_t position_ = 0;
    unsigned max_preemptions_;
    unsigned preemptions_ = 0;
    bool diverged_ = false;
    bool overflowed_ = false;
};

} // namespace dirql::ke
