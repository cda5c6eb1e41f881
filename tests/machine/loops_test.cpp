// Drivers that never come back end within the machine's budgets, at the same place on every run; those that only wait go on.
#include "misuse_lab.hpp"

#include <chrono>
#include <set>

using namespace dirql;
using namespace dirql::test;
using namespace std::chrono_literals;

namespace {

MachineOptions short_budgets() {
    MachineOptions options;
    options.callout_budget = 20ms;
    options.cpu_budget = 200ms;
    return options;
}

// Where a run ended: the driver's frames by offset, and the virtual time.
std::string place_of(const Outcome& outcome) {
    std::string place;
    for (const StackFrame& frame : outcome.bug_check.stack)
        place += frame.function + "+" + std::to_string(frame.offset) + " ";
    return place;
}

} // namespace

TEST_CASE("an endless loop below DISPATCH_LEVEL ends as a stall in the loop, at the same place on every run") {
    Host host;
    for (const Misuse misuse : {misuse_loop, misuse_loop_calling}) {
        for (const unsigned processors : {1u, 2u, 8u}) {
            std::set<std::string> places;
            for (int run = 0; run < 5; ++run) {
                const Outcome outcome = provoke(host, misuse, {Form::plug_in, processors, 7}, short_budgets());
                INFO(outcome.report);
                CHECK(outcome.is_stall());
                CHECK(outcome.bug_check.driver == "misuse");
                places.insert(place_of(outcome));
            }
            CHECK(places.size() == 1);
            CHECK(places.begin()->find(misuse == misuse_loop ? "do_loop+" : "do_loop_calling+") != std::string::npos);
        }
    }
    check_as_if_nothing_happened(host, Form::plug_in);
}

TEST_CASE("an endless loop at DISPATCH_LEVEL or in a DPC is bug check 0x133") {
    Host host;
    for (const Form form : {Form::plug_in, Form::linked}) {
        for (const unsigned processors : {1u, 2u}) {
            const Outcome raised = provoke(host, misuse_loop_raised, {form, processors, 0}, short_budgets());
            INFO(raised.report);
            CHECK(raised.is_bug_check(0x133));
            CHECK(raised.bug_check.parameters[0] == 1);
            const Outcome in_dpc = provoke(host, misuse_loop_in_dpc, {form, processors, 0}, short_budgets());
            INFO(in_dpc.report);
            CHECK(in_dpc.is_bug_check(0x133));
            CHECK(in_dpc.bug_check.parameters[0] == 0);
        }
        check_as_if_nothing_happened(host, form);
    }
}

TEST_CASE("a loop without preemption points is ended by the CPU-time watch") {
    Host host;
    const Outcome below = provoke(host, misuse_loop, {Form::unpreempted, 1, 0}, short_budgets());
    INFO(below.report);
    CHECK(below.is_stall());
    const Outcome raised = provoke(host, misuse_loop_raised, {Form::unpreempted, 2, 0}, short_budgets());
    INFO(raised.report);
    CHECK(raised.is_bug_check(0x133));
    // With a call in it there is a preemption point all the same.
    CHECK(provoke(host, misuse_loop_calling, {Form::unpreempted, 1, 0}, short_budgets()).is_stall());
    check_as_if_nothing_happened(host, Form::unpreempted);
}

TEST_CASE("waits that nothing can end are a stall") {
    Host host;
    for (const Misuse misuse : {misuse_wait_forever, misuse_mutex_deadlock}) {
        for (const unsigned processors : {1u, 2u, 8u}) {
            for (const std::uint64_t seed : {0u, 1u, 2u}) {
                const Outcome outcome = provoke(host, misuse, {Form::plug_in, processors, seed}, short_budgets());
                INFO("misuse " << misuse << " on " << processors << ": " << outcome.report);
                CHECK(outcome.is_stall());
            }
        }
    }
    check_as_if_nothing_happened(host, Form::plug_in);
}

TEST_CASE("two processors that each want the other's spin lock end in a report, at the same place on every run") {
    Host host;
    for (const unsigned processors : {2u, 8u}) {
        std::set<std::string> places;
        for (int run = 0; run < 3; ++run) {
            const Outcome outcome =
                provoke(host, misuse_lock_deadlock, {Form::plug_in, processors, 3}, short_budgets());
            INFO(outcome.report);
            CHECK(outcome.is_bug_check(0x133));
            places.insert(place_of(outcome));
        }
        CHECK(places.size() == 1);
    }
    check_as_if_nothing_happened(host, Form::plug_in);
}

TEST_CASE("a correct driver that spins on a flag goes on: set by a DPC, a timer, another thread") {
    Host host;
    for (const Misuse correct : {misuse_spin_for_dpc, misuse_spin_for_timer, misuse_spin_for_thread}) {
        for (const Form form : {Form::plug_in, Form::linked}) {
            for (const unsigned processors : {1u, 2u, 8u}) {
                for (const std::uint64_t seed : {0u, 1u, 2u, 3u}) {
                    const Outcome outcome = provoke(host, correct, {form, processors, seed}, short_budgets());
                    INFO("spin " << correct << " on " << processors << ", seed " << seed << ": " << outcome.report);
                    CHECK(outcome.finished());
                }
            }
        }
    }
}

TEST_CASE("recursion ends at the same depth on every run") {
    Host host;
    std::set<std::string> places;
    for (int run = 0; run < 3; ++run)
        places.insert(place_of(provoke(host, misuse_stack_overflow, {Form::plug_in, 2, 5})));
    CHECK(places.size() == 1);
}
