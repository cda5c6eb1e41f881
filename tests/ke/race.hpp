// A race of several threads that writes down each of its steps: what a seed decides.
#pragma once

#include "machines.hpp"

namespace ke_test {

// What happened, step by step: (thread, processor, time).
using Steps = std::vector<std::uint64_t>;

// Threads that race for a lock, an event, a semaphore and timers, writing down each step.
inline Steps race(const ke::MachineOptions& options) {
    KernelFixture kernel({}, options);
    Steps steps;
    Event event(SynchronizationEvent);
    KSPIN_LOCK lock = 0;
    KSEMAPHORE semaphore;
    KeInitializeSemaphore(&semaphore, 2, 100);
    Bodies bodies;
    for (std::uint64_t who = 0; who < 5; ++who) {
        bodies.push_back([&, who] {
            const auto step = [&] {
                const std::uint64_t what[] = {who, KeGetCurrentProcessorNumber(), now()}; // others may step meanwhile
                steps.insert(steps.end(), std::begin(what), std::end(what));
            };
            for (unsigned i = 0; i < 12; ++i) {
                KIRQL old;
                KeAcquireSpinLock(&lock, &old);
                step();
                KeReleaseSpinLock(&lock, old);
                work(100 * static_cast<unsigned>(who));
                if (i % 3 == 0) event.set();
                if (i % 3 == 1) (void)wait_us(&event, 40);
                if (i % 3 == 2 && wait_us(&semaphore, 10) == STATUS_SUCCESS)
                    KeReleaseSemaphore(&semaphore, 1, 1, FALSE);
                step();
                if (i % 4 == who % 4) sleep_us(15);
            }
        });
    }
    const ke::Stop stop = kernel.run(bodies);
    if (stop.kind != ke::StopKind::none) return {};
    steps.push_back(kernel.machine().now);
    steps.push_back(kernel.machine().choice.choices_made());
    return steps;
}

} // namespace ke_test
