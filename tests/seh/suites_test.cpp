// Every check, in C and in C++; on one host thread, and on several at once.
#include "host.hpp"
#include "scenarios.h"

#include "ke/seh.hpp"

#include <catch.hpp>

#include <thread>

using namespace seh_test;

#define SEH_SUITES(X) \
    X(except_c) \
    X(except_cpp) \
    X(finally_c) X(finally_cpp) X(filter_c) X(filter_cpp) X(code_c) X(code_cpp) X(fault_c) X(fault_cpp) X(lower_case_c)

extern "C" {
#define SEH_DECLARE(name) seh_suite seh_##name;
SEH_SUITES(SEH_DECLARE)
}

const std::vector<Suite>& seh_test::suites() {
#define SEH_LIST(name) {#name, seh_##name},
    static const std::vector<Suite> all{SEH_SUITES(SEH_LIST)};
    return all;
}

namespace {

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return text;
}

void run_all_suites() {
    for (const Suite& suite : suites()) {
        for (const seh_check* check = suite.checks(); check->name != nullptr; ++check) check->run();
    }
}

} // namespace

TEST_CASE("each check holds and leaves no frame behind", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    for (const Suite& suite : suites()) {
        for (const seh_check* check = suite.checks(); check->name != nullptr; ++check) {
            INFO(suite.name << ": " << check->name);
            check->run();
            CHECK(joined(take_failures()) == "");
            CHECK(dirql::ke::current_seh_state().chain == nullptr);
            CHECK(dirql::ke::current_seh_state().raises == nullptr);
        }
    }
}

TEST_CASE("the checks hold with signals taken on the stack that faults", "[seh]") {
    const FaultSignals signals;
    run_all_suites();
    CHECK(joined(take_failures()) == "");
}

TEST_CASE("the checks hold when each block is preempted by a callout that raises", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    static int raised;
    raised = 0;
    const Preemption preemption([] {
        const dirql::ke::SehChainCut cut;
        const auto handle = [](void*) { ++raised; };
        seh_try_handle(seh_raise_cancelled, handle, nullptr);
    });
    run_all_suites();
    CHECK(joined(take_failures()) == "");
    CHECK(raised > 10000);
}

TEST_CASE("host threads have states of their own", "[seh]") {
    const FaultSignals signals;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            const AlternateStack stack;
            for (int round = 0; round < 50; ++round) run_all_suites();
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(joined(take_failures()) == "");
}
