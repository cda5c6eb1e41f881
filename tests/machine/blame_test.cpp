// An outcome names the driver that its report names.
#include "misuse_lab.hpp"

using namespace dirql;
using namespace dirql::test;

namespace {

Outcome provoke_below(Misuse misuse) {
    Machine machine;
    const Driver below = machine.load(std::filesystem::path(DRIVER_PATH_misuse)).value();
    const Driver above = machine.load(std::filesystem::path(DRIVER_PATH_above)).value();
    return machine.run(
        [&](Process& process) { process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse)); });
}

} // namespace

TEST_CASE("the driver that broke the rule is named, not the one above that it has returned to") {
    for (const Misuse misuse :
         {misuse_return_with_lock, misuse_return_raised, misuse_return_in_critical_region, misuse_pending_not_marked}) {
        const Outcome outcome = provoke_below(misuse);
        INFO(outcome.report);
        CHECK(outcome.kind == OutcomeKind::bug_check);
        CHECK(outcome.bug_check.driver == "misuse");
        CHECK(outcome.report.find("\nDriver     \\Driver\\misuse (misuse)\n") != std::string::npos);
    }
}
