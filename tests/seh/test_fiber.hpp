// A flow of control with its own stack and its own exception state, as a thread of a machine is.
#pragma once

#include "ke/sanitizer.hpp"
#include "ke/seh.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <functional>
#include <vector>

namespace seh_test {

class Fiber {
public:
    /// Runs `body` when first resumed; it may call suspend() on the fiber.
    explicit Fiber(std::function<void()> body);
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    void resume();
    void suspend();
    [[nodiscard]] bool finished() const { return finished_; }

private:
    static void enter(boost::context::detail::transfer_t transfer);
    void switch_over(bool last);
    void arrived(boost::context::detail::transfer_t transfer, void* fake_stack);

    std::function<void()> body_;
    std::vector<std::byte> stack_;
    dirql::ke::SehState state_;
    dirql::ke::SehState* outside_ = &state_; // the state to exchange at the next switch
    boost::context::detail::fcontext_t other_;
    std::byte* other_low_;
    std::byte* other_top_;
    [[maybe_unused]] void* tsan_fiber_ = nullptr;
    bool finished_ = false;
};

} // namespace seh_test
