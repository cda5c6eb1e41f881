#include <dirql/explore.hpp>

#include "ke/exploration.hpp"
#include "ke/machine.hpp"

#include <stdexcept>

namespace dirql {

namespace api {

class ScheduleImpl {
public:
    explicit ScheduleImpl(unsigned max_preemptions) : script(max_preemptions) {}
    ke::ChoiceScript script;
};

} // namespace api

namespace {

void require_machine() {
    if (ke::current_processor() == nullptr)
        throw std::logic_error("a schedule begins and ends in a thread of its machine");
}

} // namespace

Schedule::Schedule(unsigned max_preemptions) : impl_(std::make_unique<api::ScheduleImpl>(max_preemptions)) {}
Schedule::~Schedule() = default;

void Schedule::begin() {
    require_machine();
    ke::begin_exploring(impl_->script);
}

void Schedule::end() {
    require_machine();
    ke::end_exploring();
}

unsigned Schedule::preemptions() const { return impl_->script.preemptions(); }

Exploration explore(const ExploreOptions& options, const std::function<void(Schedule&)>& scenario) {
    Schedule schedule(options.max_preemptions);
    ke::ChoiceScript& script = schedule.impl_->script;
    Exploration explored;
    while (explored.schedules < options.max_schedules) {
        script.rewind();
        scenario(schedule);
        ++explored.schedules;
        if (script.diverged())
            throw std::logic_error("the scenario did not do the same again: it must be a function of its schedule");
        if (script.next()) continue;
        explored.complete = !script.overflowed();
        break;
    }
    return explored;
}

} // namespace dirql
