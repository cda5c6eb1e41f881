// The exception state: which one is current, and what it remembers of running handlers.
#include "ke/seh.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <ntddk.h>

extern "C" {
constinit thread_local dirql::ke::SehState* dirql_seh_current
    __attribute__((tls_model("initial-exec"), visibility("hidden"))) = nullptr;
}

namespace dirql::ke {

namespace {

thread_local SehState host_thread_state;

} // namespace

SehState& current_seh_state() noexcept { return static_cast<SehState&>(*dirql_seh_state()); }

SehState* exchange_seh_state(SehState* next) noexcept {
    SehState* previous = dirql_seh_current;
    dirql_seh_current = next;
    return previous;
}

SehChainCut::SehChainCut() noexcept : outer_(&current_seh_state()) {
    state_.unhandled = outer_->unhandled;
    state_.unhandled_user = outer_->unhandled_user;
    state_.door_state = outer_->door_state;
    state_.door_unwound = outer_->door_unwound;
    exchange_seh_state(&state_);
}

void HandledExceptions::push(const void* function, int depth, std::uint32_t code) noexcept {
    forget_over(function, depth - 1);
    if (count_ == kCapacity) {
        std::copy(entries_ + 1, entries_ + kCapacity, entries_);
        --count_;
    }
    entries_[count_++] = {function, depth, code};
}

void HandledExceptions::forget_over(const void* function, int depth) noexcept {
    const auto over = [&](const Entry& entry) {
        return std::less<>{}(entry.function, function) || (entry.function == function && entry.depth > depth);
    };
    while (count_ != 0 && over(entries_[count_ - 1])) --count_;
}

std::uint32_t HandledExceptions::find(const void* function, int depth) const noexcept {
    for (auto at = count_; at-- != 0;) {
        const Entry& entry = entries_[at];
        if (entry.function == function && entry.depth == depth) return entry.code;
    }
    return 0;
}

void abort_unhandled_exception(EXCEPTION_RECORD* record, CONTEXT*, void*) {
    std::fprintf(stderr, "unhandled exception 0x%08x at %p\n", static_cast<unsigned>(record->ExceptionCode),
                 record->ExceptionAddress);
    std::abort();
}

} // namespace dirql::ke

// Not inlined, even here: see current_seh_state().
[[gnu::noinline]] dirql_seh_fiber_state* dirql_seh_state(void) {
    using namespace dirql::ke;
    return dirql_seh_current != nullptr ? dirql_seh_current : &host_thread_state;
}
