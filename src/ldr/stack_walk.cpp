#include "ldr/stack_walk.hpp"

namespace dirql::ldr {

namespace {

// What `push rbp; mov rbp, rsp` leaves at the frame pointer.
struct Frame {
    std::uintptr_t caller_rbp;
    std::uintptr_t return_address;
};

// A sanitizer may have marked this part of the stack; the walk reads what is there all the same.
[[gnu::no_sanitize_address, gnu::no_sanitize_thread, gnu::noinline]] Frame read_frame(std::uintptr_t rbp) noexcept {
    const auto* words = reinterpret_cast<const volatile std::uintptr_t*>(rbp);
    const auto caller_rbp = words[0];
    return {caller_rbp, words[1]};
}

bool holds_frame(std::uintptr_t rbp, std::uintptr_t low, std::uintptr_t high) noexcept {
    return rbp % sizeof(std::uintptr_t) == 0 && rbp >= low && rbp < high && high - rbp >= sizeof(Frame);
}

} // namespace

StackTrace walk_stack(std::uintptr_t rip, std::uintptr_t rbp, std::uintptr_t stack_low,
                      std::uintptr_t stack_high) noexcept {
    StackTrace trace{rip};
    auto low = stack_low;
    while (trace.size() < max_stack_frames && holds_frame(rbp, low, stack_high)) {
        const auto frame = read_frame(rbp);
        if (frame.return_address == 0) break;
        trace.push_back(frame.return_address);
        low = rbp + sizeof(Frame); // callers' frames lie above: a chain that turns back ends here
        rbp = frame.caller_rbp;
    }
    return trace;
}

} // namespace dirql::ldr
