// Exception state belongs to the fiber: statements that span switches between fibers do not see each other's frames.
#include "host.hpp"
#include "scenarios.h"
#include "test_fiber.hpp"

#include <catch.hpp>

#include <string>

using namespace dirql::ke;
using namespace seh_test;

namespace {

int execute_handler(PEXCEPTION_POINTERS, void*) { return EXCEPTION_EXECUTE_HANDLER; }

/// A fiber that suspends itself at every stage of handling its own exception.
struct Actor {
    NTSTATUS status;
    bool by_fault = false;
    Fiber* fiber = nullptr;
    std::string trace = {};
    ULONG code = 0;

    static void pause(void* argument, const char* stage) {
        auto& self = *static_cast<Actor*>(argument);
        self.trace += stage;
        self.fiber->suspend();
    }

    static void raise(void* argument) {
        auto& self = *static_cast<Actor*>(argument);
        pause(argument, "b");
        if (self.by_fault) seh_read_bad_address(nullptr);
        ExRaiseStatus(self.status);
    }

    static void last(void* argument) { pause(argument, "l"); }

    static int filter(PEXCEPTION_POINTERS, void* argument) {
        pause(argument, "f");
        return EXCEPTION_EXECUTE_HANDLER;
    }

    static void raise_under_finally(void* argument) { seh_try_finally(raise, last, argument); }

    static void handle(void* argument) { pause(argument, "h"); }

    void play() {
        seh_try_except(raise_under_finally, filter, this);
        code = seh_try_handle(raise, handle, this);
    }
};

} // namespace

TEST_CASE("two fibers take turns at every stage of two exceptions", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    Actor one{STATUS_CANCELLED, GENERATE(false, true)};
    Actor two{STATUS_TIMEOUT};
    Fiber first([&] { one.play(); });
    Fiber second([&] { two.play(); });
    one.fiber = &first;
    two.fiber = &second;
    while (!first.finished() || !second.finished()) {
        if (!first.finished()) first.resume();
        if (!second.finished()) second.resume();
        CHECK(current_seh_state().chain == nullptr);
    }
    CHECK(one.trace == "bflbh");
    CHECK(two.trace == "bflbh");
    CHECK(one.code == static_cast<ULONG>(one.by_fault ? STATUS_ACCESS_VIOLATION : STATUS_CANCELLED));
    CHECK(two.code == static_cast<ULONG>(STATUS_TIMEOUT));
}

TEST_CASE("a statement of the host thread spans a fiber's exceptions", "[seh]") {
    struct Turn {
        Fiber* fiber = nullptr;
        ULONG inner = 0;
    } turn;
    Fiber fiber([&turn] {
        turn.fiber->suspend();
        turn.inner = seh_try_except(seh_raise_cancelled, execute_handler, nullptr);
    });
    turn.fiber = &fiber;
    const auto body = [](void* argument) {
        auto& self = *static_cast<Turn*>(argument);
        self.fiber->resume();
        self.fiber->resume();
        ExRaiseStatus(STATUS_TIMEOUT);
    };
    CHECK(seh_try_except(body, execute_handler, &turn) == static_cast<ULONG>(STATUS_TIMEOUT));
    CHECK(turn.inner == static_cast<ULONG>(STATUS_CANCELLED));
    CHECK(fiber.finished());
}

TEST_CASE("all checks hold on a fiber", "[seh]") {
    const FaultSignals signals;
    const AlternateStack stack;
    Fiber fiber([] {
        for (const Suite& suite : suites()) {
            for (const seh_check* check = suite.checks(); check->name != nullptr; ++check) check->run();
        }
    });
    fiber.resume();
    CHECK(fiber.finished());
    CHECK(take_failures().empty());
}
