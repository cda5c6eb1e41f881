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
    allocation,  // does this allocation of memory fail: see Choice::allocation_fails
};

class ChoiceScript;

class Choice {
    enum class Failing : std::uint8_t { none, one, some };

public:
    void seed(std::uint64_t seed) noexcept { state_ = seed; }
    // From here on it is not chance that decides. Null: chance again.
    void follow(ChoiceScript* script) noexcept { script_ = script; }
    // A number in [0, bound). bound > 0.
    [[nodiscard]] std::uint32_t pick(ChoiceKind kind, std::uint32_t bound) noexcept;
    [[nodiscard]] std::uint64_t choices_made() const noexcept { return made_; }

    // Low memory. Off until asked for. Whatever takes memory for a driver or for a system service asks before it does.
    [[nodiscard]] bool allocation_fails() noexcept { return failing_ != Failing::none && decide_allocation(); }
    // The n-th allocation from now on fails (n > 0), and that one alone.
    void fail_allocation(std::uint64_t n) noexcept {
        failing_ = Failing::one;
        until_failure_ = n;
        failed_ = 0;
    }
    // Each fails with a chance of one in n (n > 0), by the seed.
    void fail_allocations(std::uint32_t one_in) noexcept {
        failing_ = Failing::some;
        until_failure_ = one_in;
        failed_ = 0;
    }
    void fail_no_allocation() noexcept { failing_ = Failing::none; }
    // Since failures were asked for.
    [[nodiscard]] std::uint64_t failed_allocations() const noexcept { return failed_; }

    // What NT has had since its boot is made here when it is first needed: while one lives, its making does not fail.
    class NoFailures {
    public:
        explicit NoFailures(Choice& choice) noexcept : choice_(choice), before_(choice.failing_) {
            choice.failing_ = Failing::none;
        }
        ~NoFailures() { choice_.failing_ = before_; }
        NoFailures(const NoFailures&) = delete;
        NoFailures& operator=(const NoFailures&) = delete;

    private:
        Choice& choice_;
        Failing before_;
    };

private:
    bool decide_allocation() noexcept;

    std::uint64_t state_;
    std::uint64_t made_;
    ChoiceScript* script_;
    Failing failing_;
    std::uint64_t until_failure_; // allocations to come, the failing one included; or one in so many
    std::uint64_t failed_;
};

} // namespace dirql::ke
