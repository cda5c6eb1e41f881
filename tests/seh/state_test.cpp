// The state apart from statements: chains that are cut, doors across an unwind, and exceptions that nobody takes.
#include "host.hpp"
#include "scenarios.h"

#include "ke/seh.hpp"

#include <catch.hpp>

#include <csetjmp>
#include <sys/wait.h>
#include <unistd.h>

using namespace dirql::ke;
using namespace seh_test;

namespace {

int execute_handler(PEXCEPTION_POINTERS, void*) { return EXCEPTION_EXECUTE_HANDLER; }

void raise_from_kernel(void*) { raise_status(STATUS_TIMEOUT); }

struct Unhandled {
    std::jmp_buf back;
    NTSTATUS status = 0;
    ULONG64 rip = 0;

    static void take(EXCEPTION_RECORD* record, CONTEXT* context, void* user) {
        auto& self = *static_cast<Unhandled*>(user);
        self.status = static_cast<NTSTATUS>(record->ExceptionCode);
        self.rip = context->Rip;
        std::longjmp(self.back, 1);
    }
};

/// Runs `body` on a state of its own whose unhandled exceptions come back here.
NTSTATUS unhandled_status_of(seh_body* body, void* argument) {
    SehState state;
    Unhandled unhandled;
    state.unhandled = Unhandled::take;
    state.unhandled_user = &unhandled;
    SehState* before = exchange_seh_state(&state);
    if (setjmp(unhandled.back) == 0) body(argument);
    exchange_seh_state(before);
    return unhandled.status;
}

void raise_inside_a_cut(void*) {
    const SehChainCut cut;
    ExRaiseStatus(STATUS_CANCELLED);
}

void handle_inside_a_cut(void* argument) {
    const SehChainCut cut;
    *static_cast<ULONG*>(argument) = seh_try_except(seh_raise_cancelled, execute_handler, nullptr);
}

constexpr std::uint64_t outside = 11, inside = 22;

void nest_doors_and_raise(void*) {
    current_seh_state().door_state = inside;
    ExRaiseStatus(STATUS_CANCELLED);
}

void read_door_state(void* argument) { *static_cast<std::uint64_t*>(argument) = current_seh_state().door_state; }

void nest_under_finally(void* argument) { seh_try_finally(nest_doors_and_raise, read_door_state, argument); }

int read_door_state_in_filter(PEXCEPTION_POINTERS, void* argument) {
    read_door_state(argument);
    return EXCEPTION_EXECUTE_HANDLER;
}

/// Runs `body` in a child process; returns what it writes to stderr, and its wait status.
std::string stderr_of_child(seh_body* body, int& status) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body(nullptr);
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    char buffer[256];
    for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) text.append(buffer, got);
    close(ends[0]);
    waitpid(child, &status, 0);
    return text;
}

} // namespace

TEST_CASE("an exception that nobody takes goes to the state's hook", "[seh]") {
    CHECK(unhandled_status_of(seh_raise_cancelled, nullptr) == STATUS_CANCELLED);
    CHECK(unhandled_status_of(raise_from_kernel, nullptr) == STATUS_TIMEOUT);
    const FaultSignals signals;
    const AlternateStack stack;
    CHECK(unhandled_status_of(seh_read_bad_address, nullptr) == STATUS_ACCESS_VIOLATION);
}

TEST_CASE("without a hook it ends the process with one line", "[seh]") {
    int status = 0;
    const std::string text = stderr_of_child(seh_raise_cancelled, status);
    CHECK(text.find("unhandled exception 0xc0000120 at 0x") == 0);
    CHECK(text.find('\n') == text.size() - 1);
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE("handlers outside a cut are not found", "[seh]") {
    const auto guarded = [](void*) { seh_try_except(raise_inside_a_cut, execute_handler, nullptr); };
    CHECK(unhandled_status_of(guarded, nullptr) == STATUS_CANCELLED);
}

TEST_CASE("handlers inside a cut are, and the chain outside is as before", "[seh]") {
    struct Codes {
        ULONG inner = 0;
    } codes;
    const auto body = [](void* argument) {
        handle_inside_a_cut(&static_cast<Codes*>(argument)->inner);
        ExRaiseStatus(STATUS_TIMEOUT);
    };
    CHECK(seh_try_except(body, execute_handler, &codes) == static_cast<ULONG>(STATUS_TIMEOUT));
    CHECK(codes.inner == static_cast<ULONG>(STATUS_CANCELLED));
    CHECK(current_seh_state().chain == nullptr);
}

TEST_CASE("a handler keeps its code across a callout inside a cut", "[seh]") {
    ULONG inner = 0;
    CHECK(seh_try_handle(seh_raise_cancelled, handle_inside_a_cut, &inner) == static_cast<ULONG>(STATUS_CANCELLED));
    CHECK(inner == static_cast<ULONG>(STATUS_CANCELLED));
}

TEST_CASE("an unwind puts back the doors' word as each frame found it", "[seh]") {
    SehState& state = current_seh_state();
    state.door_state = outside;
    std::uint64_t seen = 0;
    SECTION("in a handler") {
        CHECK(seh_try_except(nest_doors_and_raise, execute_handler, nullptr) != 0);
        CHECK(state.door_state == outside);
    }
    SECTION("in a __finally block") {
        CHECK(seh_try_except(nest_under_finally, execute_handler, &seen) != 0);
        CHECK(seen == outside);
    }
    SECTION("but not for a filter, which runs on top of the raiser") {
        CHECK(seh_try_except(nest_doors_and_raise, read_door_state_in_filter, &seen) != 0);
        CHECK(seen == inside);
        CHECK(state.door_state == outside);
    }
    state.door_state = 0;
}

TEST_CASE("null means the host thread's own state", "[seh]") {
    SehState& own = current_seh_state();
    SehState other;
    SehState* before = exchange_seh_state(&other);
    CHECK(&current_seh_state() == &other);
    CHECK(exchange_seh_state(before) == &other);
    CHECK(&current_seh_state() == &own);
}

TEST_CASE("the floor of a raise lies below the red zone of the fault", "[seh]") {
    static thread_local std::uintptr_t floor, stack_pointer;
    struct sigaction action {
    }, before{};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
        const auto& machine = *static_cast<ucontext_t*>(context);
        floor = raise_stack_floor(machine);
        stack_pointer = static_cast<std::uintptr_t>(machine.uc_mcontext.gregs[REG_RSP]);
    };
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, nullptr);
    CHECK(floor < stack_pointer - 128 - sizeof(CONTEXT) - sizeof(EXCEPTION_RECORD));
    CHECK(floor > stack_pointer - 64 * 1024);
}
