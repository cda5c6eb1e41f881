#include "test_fiber.hpp"

#include <utility>

namespace seh_test {

namespace context = boost::context::detail;
namespace sanitizer = dirql::ke::sanitizer;

Fiber::Fiber(std::function<void()> body) : body_(std::move(body)), stack_(256 * 1024) {
    other_low_ = stack_.data();
    other_top_ = stack_.data() + stack_.size();
    other_ = context::make_fcontext(other_top_, stack_.size(), enter);
#ifdef DIRQL_TSAN
    tsan_fiber_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
    sanitizer::forget_stack(stack_.data(), stack_.data() + stack_.size());
#ifdef DIRQL_TSAN
    __tsan_destroy_fiber(tsan_fiber_);
#endif
}

void Fiber::enter(context::transfer_t transfer) {
    auto& self = *static_cast<Fiber*>(transfer.data);
    self.arrived(transfer, nullptr);
    self.body_();
    self.finished_ = true;
    self.switch_over(true);
}

void Fiber::arrived(context::transfer_t transfer, void* fake_stack) {
    other_ = transfer.fctx;
    sanitizer::enter_stack(fake_stack, &other_low_, &other_top_);
}

/// One fiber and whoever resumes it take turns: each switch exchanges all that is `other`.
void Fiber::switch_over(bool last) {
    void* fake_stack = nullptr;
    outside_ = dirql::ke::exchange_seh_state(outside_);
    sanitizer::leave_stack(last ? nullptr : &fake_stack, other_low_, other_top_);
#ifdef DIRQL_TSAN
    void* here = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(std::exchange(tsan_fiber_, here), 0);
#endif
    arrived(context::jump_fcontext(other_, this), fake_stack);
}

void Fiber::resume() { switch_over(false); }

void Fiber::suspend() { switch_over(false); }

} // namespace seh_test
