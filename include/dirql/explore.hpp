// Every schedule of a scenario, one after another: races found, or shown not to be there.
//
//     dirql::explore({}, [&](dirql::Schedule& schedule) {
//         dirql::Machine machine(host, {.processors = 2});
//         machine.load(drivers::race).value();
//         const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
//             dirql::Thread other = process.start_thread([&] { ... });
//             schedule.begin();
//             ...                                        // what races with it
//             other.join();
//             schedule.end();
//         });
//         CHECK(outcome.finished());
//     });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class ScheduleImpl;
}

struct ExploreOptions {
    /// How often a schedule may take a flow's turn away where it could have gone on: by another thread, by another processor, or by
    /// the next timer. Nearly all races need one or two.
    unsigned max_preemptions = 3;
    /// An end for scenarios that have more schedules than anybody waits for.
    std::uint64_t max_schedules = 1'000'000;
};

struct Exploration {
    std::uint64_t schedules = 0; ///< how many were tried
    bool complete = false;       ///< these were all, within max_preemptions
};

/// One schedule: who runs when, between begin() and end(). Outside, the machine's seed decides.
class Schedule {
public:
    /// From a thread of the machine (an application's, or inside of Machine::run_in_kernel): from here on the machine's choices are
    /// this schedule's, and each preemption point is one of them. Throws std::logic_error outside of a machine.
    void begin();
    /// To be called in the same machine; the end of the run will do as well.
    void end();
    /// Preemptions so far.
    [[nodiscard]] unsigned preemptions() const;

    ~Schedule();
    Schedule(const Schedule&) = delete;
    Schedule& operator=(const Schedule&) = delete;

private:
    friend Exploration explore(const ExploreOptions&, const std::function<void(Schedule&)>&);
    explicit Schedule(unsigned max_preemptions);
    std::unique_ptr<api::ScheduleImpl> impl_;
};

/// Runs `scenario` once for every schedule within `options`. The scenario makes its machine anew each time and must be a function of its
/// schedule alone: std::logic_error is thrown when it does something else at the same place. What the scenario throws leaves explore.
Exploration explore(const ExploreOptions& options, const std::function<void(Schedule&)>& scenario);

} // namespace dirql

#pragma GCC visibility pop
