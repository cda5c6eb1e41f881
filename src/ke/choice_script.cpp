#include "ke/choice_script.hpp"

namespace dirql::ke {

ChoiceScript::ChoiceScript(unsigned max_preemptions) : max_preemptions_(max_preemptions) {
    decisions_.reserve(max_decisions);
}

void ChoiceScript::rewind() noexcept {
    position_ = 0;
    preemptions_ = 0;
}

bool ChoiceScript::next() noexcept {
    // What the run before did not come to is no decision of this schedule.
    decisions_.resize(position_);
    while (!decisions_.empty()) {
        Decision& last = decisions_.back();
        if (last.preempts()) --preemptions_;
        const bool affordable = last.kind != ChoiceKind::preemption || preemptions_ < max_preemptions_;
        if (last.chosen + 1 < last.bound && affordable) {
            ++last.chosen;
            return true;
        }
        decisions_.pop_back();
    }
    return false;
}

std::uint32_t ChoiceScript::follow(const Decision& decision, ChoiceKind kind, std::uint32_t bound) noexcept {
    if (decision.kind != kind || decision.bound != bound) diverged_ = true;
    return decision.chosen < bound ? decision.chosen : 0;
}

std::uint32_t ChoiceScript::pick(ChoiceKind kind, std::uint32_t bound) noexcept {
    if (kind == ChoiceKind::preemption && preemptions_ == max_preemptions_) return 0;
    if (position_ == decisions_.size()) {
        if (position_ == max_decisions) {
            overflowed_ = true;
            return 0;
        }
        decisions_.push_back({kind, bound, 0});
    }
    const std::uint32_t chosen = follow(decisions_[position_++], kind, bound);
    if (kind == ChoiceKind::preemption && chosen != 0) ++preemptions_;
    return chosen;
}

} // namespace dirql::ke
