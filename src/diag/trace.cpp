// The recording door: what the machine tells about the moment of an event, and what its addresses stand for.
#include "diag/trace.hpp"

#include "diag/recorder.hpp"
#include "ke/host_section.hpp"
#include "ke/process_list.hpp"
#include "ke/wait.hpp"

#include <fmt/format.h>

namespace dirql::diag {
namespace {

bool within(const void* address, const void* low, std::size_t bytes) noexcept {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(low) < bytes;
}

bool between(const void* address, const std::byte* low, const std::byte* top) noexcept {
    return low != nullptr && within(address, low, static_cast<std::size_t>(top - low));
}

// A thread that is waited for, or the timer of a thread's time-out.
std::string name_by_thread(ke::Machine& machine, const Event& event) {
    if (event.object == nullptr) return {};
    const ke::Thread* thread =
        ke::find_thread(machine, [&](const ke::Thread& each) { return within(event.object, &each, sizeof each); });
    if (thread == nullptr) return {};
    if (event.object == static_cast<const void*>(thread)) return fmt::format("thread {}", thread->id);
    return event.kind == EventKind::timer_expired ? fmt::format("time-out of thread {}", thread->id) : std::string{};
}

bool on_a_stack(ke::Machine& machine, const void* address) noexcept {
    for (unsigned i = 0; i < machine.processor_count; ++i) {
        const ke::Processor& processor = *machine.processors[i];
        if (between(address, processor.dpc_stack_low, processor.dpc_stack_top)) return true;
    }
    return ke::find_thread(machine, [&](const ke::Thread& thread) {
               return between(address, thread.kernel_stack_low, thread.kernel_stack_top) ||
                      between(address, thread.user_stack_low, thread.user_stack_top);
           }) != nullptr;
}

Moment moment_of(const ke::Processor& processor) noexcept {
    return {.time = processor.now,
            .thread = processor.current->id,
            .processor = static_cast<std::uint8_t>(processor.number),
            .irql = processor.irql,
            .in_dpc = processor.in_dpc != 0,
            .in_interrupt = processor.in_interrupt != 0};
}

} // namespace

void record(const Event& event) noexcept {
    const ke::HostSection section;
    const ke::Processor& processor = *ke::current_processor();
    ke::Machine& machine = *processor.machine;
    if (machine.recorder == nullptr) return;
    Origin origin{.moment = moment_of(processor), .thread_name = processor.current->name};
    const std::string object = name_by_thread(machine, event);
    origin.object_name = object;
    origin.object_on_stack = event.object != nullptr && on_a_stack(machine, event.object);
    if (event.routine != nullptr) {
        const auto address = reinterpret_cast<std::uintptr_t>(event.routine);
        const ke::CodeRange* range = ke::find_code_range(machine, address);
        origin.image = range != nullptr ? std::string_view(range->name) : kernel_image;
        origin.offset = range != nullptr ? address - range->begin : 0;
    }
    machine.recorder->record(event, origin);
}

} // namespace dirql::diag
