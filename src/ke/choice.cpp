#include "ke/choice.hpp"

#include "ke/choice_script.hpp"

namespace dirql::ke {

// SplitMix64 (Steele, Lea, Flood 2014): the same numbers with every compiler. The kind takes part, so that choices of one
// kind do not shift when another kind asks more often for the same state.
std::uint32_t Choice::pick(ChoiceKind kind, std::uint32_t bound) noexcept {
    ++made_;
    if (script_ != nullptr) return script_->pick(kind, bound);
    state_ += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state_ ^ (static_cast<std::uint64_t>(kind) << 56);
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    z ^= z >> 31;
    return static_cast<std::uint32_t>((static_cast<unsigned __int128>(z) * bound) >> 64);
}

bool Choice::decide_allocation() noexcept {
    const bool fails = failing_ == Failing::one
                           ? until_failure_ != 0 && --until_failure_ == 0
                           : pick(ChoiceKind::allocation, static_cast<std::uint32_t>(until_failure_)) == 0;
    failed_ += fails;
    return fails;
}

} // namespace dirql::ke
