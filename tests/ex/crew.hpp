// Several threads of a machine that do what a conductor tells them, one thing at a time: for tests of locks. After each order the
// conductor waits until everybody who can go on has done so; who has not is blocked.
#pragma once

#include "catch.hpp"
#include "support/kernel_fixture.hpp"
#include "support/pause.hpp"

#include <array>
#include <functional>
#include <vector>

namespace dirql::test {

template <unsigned Size> class Crew {
public:
    static constexpr unsigned size = Size;

    explicit Crew(const ke::MachineOptions& options = {}) : kernel({}, options) {}

    // `conduct` runs on a thread of its own. It leaves nobody blocked.
    void run(const std::function<void()>& conduct) {
        std::vector<std::function<void()>> bodies;
        bodies.emplace_back([&] {
            for (Worker& worker : workers_) KeInitializeEvent(&worker.go, SynchronizationEvent, FALSE);
            ready_ = true;
            settle();
            conduct();
            ended_ = true;
            for (Worker& worker : workers_) KeSetEvent(&worker.go, 0, FALSE);
        });
        for (Worker& worker : workers_) {
            bodies.emplace_back([this, &worker] {
                while (!ready_) sleep_us(1);
                worker.thread = ke::current_thread();
                KeEnterCriticalRegion();
                for (;;) {
                    KeWaitForSingleObject(&worker.go, Executive, KernelMode, FALSE, nullptr);
                    if (ended_) break;
                    worker.order();
                    worker.idle = true;
                }
                KeLeaveCriticalRegion();
            });
        }
        const ke::Stop stop = kernel.run(std::move(bodies));
        CHECK(stop.kind == ke::StopKind::none);
    }

    // The worker is idle.
    void tell(unsigned worker, std::function<void()> order) {
        workers_[worker].order = std::move(order);
        workers_[worker].idle = false;
        KeSetEvent(&workers_[worker].go, 0, FALSE);
        settle();
    }
    [[nodiscard]] bool idle(unsigned worker) const { return workers_[worker].idle; }
    [[nodiscard]] unsigned idle_count() const {
        unsigned count = 0;
        for (const Worker& worker : workers_) count += worker.idle;
        return count;
    }
    [[nodiscard]] ke::Thread* thread(unsigned worker) const { return workers_[worker].thread; }

    static void settle() { sleep_us(200); }

    KernelFixture kernel;

private:
    struct Worker {
        KEVENT go;
        std::function<void()> order;
        bool idle = true;
        ke::Thread* thread = nullptr;
    };
    std::array<Worker, Size> workers_;
    bool ready_ = false;
    bool ended_ = false;
};

} // namespace dirql::test
