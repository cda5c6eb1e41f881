#include "diag/stack_view.hpp"

#include "diag/unicode.hpp"
#include "ke/call_site.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

namespace dirql::diag {
namespace {

constexpr std::size_t most_frames = 64;
// What jump_fcontext leaves at Fiber::context (x86-64 System V): %rbp and the return address.
constexpr std::size_t saved_rbp = 0x30;
constexpr std::size_t saved_rip = 0x38;

struct Bounds {
    std::uint64_t low;
    std::uint64_t top;
    [[nodiscard]] bool holds(std::uint64_t address) const noexcept {
        return address >= low && address < top && top - address >= 16 && (address & 7) == 0;
    }
};

std::uint64_t number(const void* pointer) noexcept { return reinterpret_cast<std::uint64_t>(pointer); }

template <std::size_t Count> bool on_any(const std::array<Bounds, Count>& stacks, std::uint64_t address) noexcept {
    return std::ranges::any_of(stacks, [&](const Bounds& stack) { return stack.holds(address); });
}

} // namespace

std::string export_called(const MachineView& view, std::uint64_t return_address) {
    const auto copy = [&](void* to, std::uint64_t from, std::size_t bytes) {
        return view.memory().copy(to, from, bytes);
    };
    const ke::CallTarget target = ke::call_target(return_address, copy);
    const std::string_view direct = view.symbolizer().export_at(target.direct);
    return std::string(direct.empty() ? view.symbolizer().export_at(target.behind_stub) : direct);
}

Frames frames_of_stop(const MachineView& view) {
    const ke::Stop& stop = view.machine().stop;
    return {stop.frames, stop.frames + std::min(stop.frame_count, ke::max_stack_trace)};
}

Frames frames_of(const MachineView& view, const ke::Thread& thread) {
    const ProcessorCopy* home =
        view.processor_at(number(thread.processor)); // a DPC on top of the thread has a stack of its own
    const std::array<Bounds, 3> stacks = {
        Bounds{number(thread.kernel_stack_low), number(thread.kernel_stack_top)},
        Bounds{number(thread.user_stack_low), number(thread.user_stack_top)},
        home == nullptr ? Bounds{}
                        : Bounds{number(home->processor.dpc_stack_low), number(home->processor.dpc_stack_top)}};
    const std::uint64_t context = number(thread.fiber.context);
    Frames frames;
    if (thread.started == 0 || !on_any(stacks, context)) return frames;
    const auto rip = view.memory().read<std::uint64_t>(context + saved_rip);
    auto rbp = view.memory().read<std::uint64_t>(context + saved_rbp);
    if (rip) frames.push_back(*rip);
    while (rbp && on_any(stacks, *rbp) && frames.size() < most_frames) {
        const auto frame = view.memory().read<std::array<std::uint64_t, 2>>(*rbp);
        if (!frame || (*frame)[1] == 0 || (*frame)[0] == *rbp) break;
        frames.push_back((*frame)[1]);
        rbp = (*frame)[0];
    }
    return frames;
}

// Frames are return addresses, but for the instruction that a trap came from.
bool is_return_address(const MachineView& view, const Frames& frames, std::size_t index) {
    const ke::Stop& stop = view.machine().stop;
    return index != 0 || !stop.faulted || stop.frame_count == 0 || frames[0] != stop.frames[0];
}

std::size_t innermost_driver_frame(const MachineView& view, const Frames& frames) {
    const auto found =
        std::ranges::find_if(frames, [&](std::uint64_t address) { return view.image_at(address) != nullptr; });
    return static_cast<std::size_t>(found - frames.begin());
}

std::string stack_text(const MachineView& view, const Frames& frames) {
    std::string text;
    bool kernel_inside = false; // between this frame and the driver's frame before it
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (view.image_at(frames[i]) == nullptr) {
            kernel_inside = true;
            continue;
        }
        const bool returned_to = is_return_address(view, frames, i);
        const std::string callee =
            returned_to && (kernel_inside || i == 0) ? export_called(view, frames[i]) : std::string{};
        const bool by_compiler = callee.starts_with("__"); // the instrumentation's call, no export of NT's
        if (!callee.empty() && !by_compiler) text += fmt::format("  nt!{}\n", callee);
        text += fmt::format("  {}\n", view.code_text(frames[i], returned_to));
        kernel_inside = false;
    }
    return text;
}

} // namespace dirql::diag
