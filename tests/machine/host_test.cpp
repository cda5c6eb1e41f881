// The host's side of a stop: exceptions, destructors, and faults that are the host's own.
#include "misuse_lab.hpp"

#include <chrono>
#include <csignal>
#include <ctime>
#include <stdexcept>
#include <string>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dirql;
using namespace dirql::test;

namespace {

Machine loaded(Host& host) {
    Machine machine(host);
    load_misuse(machine, Form::plug_in).value();
    return machine;
}

struct Counted {
    explicit Counted(int& c) : count(c) { ++count; }
    ~Counted() { --count; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    int& count;
};

// How a child process that runs `body` ends, and what it writes to standard error.
struct Death {
    int signal = 0;
    int exit_status = -1;
    std::string text;
};

template <class Body> Death death_of(Body body) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const rlimit no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        for (const int signal : {SIGSEGV, SIGFPE, SIGABRT, SIGILL, SIGBUS}) std::signal(signal, SIG_DFL);
        body();
        _exit(0);
    }
    close(ends[1]);
    Death death;
    char buffer[512];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        death.text.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) death.signal = WTERMSIG(status);
    if (WIFEXITED(status)) death.exit_status = WEXITSTATUS(status);
    return death;
}

volatile int* volatile null_pointer = nullptr;

} // namespace

TEST_CASE("an exception of the application leaves run, and the machine goes on") {
    Host host;
    Machine machine = loaded(host);
    const auto throws = [&] {
        machine.run([](Process& process) {
            const File file = process.open("\\Device\\Misuse").value();
            throw std::runtime_error("the test's own");
        });
    };
    CHECK_THROWS_WITH(throws(), "the test's own");
    CHECK(machine.run([](Process& process) { CHECK(process.open("\\Device\\Misuse")); }).finished());
}

TEST_CASE("an exception of another thread of the application leaves run too") {
    Host host;
    Machine machine = loaded(host);
    CHECK_THROWS_AS(
        machine.run([](Process& process) { process.start_thread([] { throw std::out_of_range("there"); }).join(); }),
        std::out_of_range);
    CHECK(machine.run([](Process&) {}).finished());
}

TEST_CASE("a stop unwinds the application: destructors run, files and requests among them, nothing terminates") {
    Host host;
    for (const Misuse misuse :
         {misuse_bug_check, misuse_fault_raised, misuse_stack_overflow, misuse_wait_forever, misuse_fault_in_thread}) {
        Machine machine = loaded(host);
        int alive = 0;
        bool went_on = false;
        const Outcome outcome = machine.run([&](Process& process) {
            const Counted outer(alive);
            const std::string on_the_heap(1000, 'x');
            File first = process.open("\\Device\\Misuse").value();
            Thread other = process.start_thread([&] {
                const Counted in_thread(alive);
                process.sleep(std::chrono::hours(1));
            });
            process.sleep(std::chrono::milliseconds(1));
            const Counted inner(alive);
            File second = process.open("\\Device\\Misuse").value();
            second.device_control(MISUSE_CODE(misuse), bytes("some input"), 100);
            went_on = true;
        });
        INFO(outcome.report);
        CHECK(!outcome.finished());
        CHECK(alive == 0);
        CHECK(!went_on);
    }
    check_as_if_nothing_happened(host, Form::plug_in);
}

TEST_CASE(
    "an application's own catch (std::exception) does not see the stop; a destructor may call services after it") {
    Host host;
    Machine machine = loaded(host);
    bool caught = false;
    const Outcome outcome = machine.run([&](Process& process) {
        try {
            File file = process.open("\\Device\\Misuse").value();
            file.device_control(MISUSE_CODE(misuse_bug_check));
        } catch (const std::exception&) {
            caught = true;
        }
    });
    CHECK(!caught);
    CHECK(outcome.is_bug_check(0xDEADDEAD));
}

TEST_CASE("a driver's fault is told to the host program and to nobody else") {
    for (const Misuse misuse : {misuse_fault_raised, misuse_fault_null, misuse_complete_null, misuse_stack_overflow,
                                misuse_stack_overflow_in_dpc}) {
        const Death death = death_of([misuse] {
            Host host;
            if (provoke(host, misuse).finished()) _exit(1);
        });
        CHECK(death.exit_status == 0);
        CHECK(death.text == "");
    }
}

TEST_CASE("a stopped machine only tells what happened") {
    Host host;
    Machine machine = loaded(host);
    REQUIRE(!machine
                 .run([](Process& process) {
                     process.open("\\Device\\Misuse").value().device_control(MISUSE_CODE(misuse_bug_check));
                 })
                 .finished());
    bool ran = false;
    CHECK(machine.run([&](Process&) { ran = true; }).is_bug_check(0xDEADDEAD));
    CHECK(machine.run_in_kernel([&] { ran = true; }).is_bug_check(0xDEADDEAD));
    CHECK(machine.advance(std::chrono::seconds(1)).is_bug_check(0xDEADDEAD));
    CHECK(load_misuse(machine, Form::plug_in).error().code == ErrorCode::stopped);
    CHECK(!ran);
}

TEST_CASE("a machine cannot be run from inside of a run") {
    Host host;
    Machine outer = loaded(host);
    Machine other = loaded(host);
    CHECK_THROWS_AS(outer.run([&](Process&) { outer.run([](Process&) {}); }), std::logic_error);
    CHECK_THROWS_AS(outer.run([&](Process&) { other.run([](Process&) {}); }), std::logic_error);
    CHECK_THROWS_AS(outer.run([&](Process&) { other.advance(std::chrono::seconds(1)); }), std::logic_error);
    CHECK(outer.run([](Process& process) { CHECK(process.open("\\Device\\Misuse")); }).finished());
    CHECK(other.run([](Process& process) { CHECK(process.open("\\Device\\Misuse")); }).finished());
}

TEST_CASE("a forked child has nothing of its parent's machines, and may make its own") {
    Host host;
    Machine machine = loaded(host);
    Machine with_linked(host);
    with_linked.load(drivers::misuse).value();
    const Death death = death_of([&] {
        try {
            machine.run([](Process&) {});
            _exit(1);
        } catch (const std::logic_error&) {
        }
        { const Machine dropped = std::move(machine); }
        { const Machine dropped = std::move(with_linked); }
        if (!provoke(host, misuse_bug_check).is_bug_check(0xDEADDEAD)) _exit(2);
        Host own;
        if (!provoke(own, misuse_bug_check, {Form::linked}).is_bug_check(0xDEADDEAD)) _exit(3);
    });
    CHECK(death.text == "");
    CHECK(death.exit_status == 0);
    CHECK(machine.run([](Process& process) { CHECK(process.open("\\Device\\Misuse")); }).finished());
    CHECK(with_linked.run([](Process& process) { CHECK(process.open("\\Device\\Misuse")); }).finished());
}

TEST_CASE("signal handlers that stood before a run stand again after it") {
    struct sigaction before {};
    struct sigaction after {};
    sigaction(SIGSEGV, nullptr, &before);
    Host host;
    provoke(host, misuse_fault_null);
    sigaction(SIGSEGV, nullptr, &after);
    CHECK(reinterpret_cast<void*>(before.sa_sigaction) == reinterpret_cast<void*>(after.sa_sigaction));
    CHECK(before.sa_flags == after.sa_flags);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a fault in application code is a host fault: reported as that, and deadly") {
    Host host;
    const Death death = death_of([&] {
        Machine machine = loaded(host);
        machine.run([](Process& process) {
            const File file = process.open("\\Device\\Misuse").value();
            *null_pointer = 1;
        });
    });
    CHECK(death.signal == SIGSEGV);
    CHECK(death.text.find("host fault") != std::string::npos);
    CHECK(death.text.find("in application code") != std::string::npos);
}

TEST_CASE("application code that does not come back is told of as the host's, and goes on") {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const int standard_error = dup(STDERR_FILENO);
    Host host;
    MachineOptions options;
    options.cpu_budget = std::chrono::milliseconds(20);
    Machine machine(host, options);
    dup2(ends[1], STDERR_FILENO);
    const Outcome outcome = machine.run([&](Process&) {
        const std::clock_t patience = std::clock() + 30 * CLOCKS_PER_SEC;
        for (int told = 0; told == 0 && std::clock() < patience;) ioctl(ends[0], FIONREAD, &told);
    });
    dup2(standard_error, STDERR_FILENO);
    close(ends[1]);
    char text[400] = {};
    [[maybe_unused]] const auto length = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    close(standard_error);
    CHECK(std::string(text).find("dirql: host fault") == 0);
    CHECK(std::string(text).find("in application code") != std::string::npos);
    CHECK(outcome.finished());
}

TEST_CASE("a fault between runs is the host's alone: dirql says nothing of it") {
    Host host;
    const Death death = death_of([&] {
        Machine machine = loaded(host);
        machine.run([](Process&) {});
        *null_pointer = 1;
    });
    CHECK(death.signal == SIGSEGV);
    CHECK(death.text.empty());
}

TEST_CASE("a child that an application forks dies at once, and the application goes on") {
    Host host;
    Machine machine = loaded(host);
    int status = 0;
    const Outcome outcome = machine.run([&](Process& process) {
        File file = process.open("\\Device\\Misuse").value();
        const pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, &status, 0);
        CHECK(file.device_control(MISUSE_CODE(misuse_nothing)).status == 0);
    });
    CHECK(outcome.finished());
    CHECK(WIFSIGNALED(status));
}

TEST_CASE("an abort of application code is an abort") {
    Host host;
    const Death death = death_of([&] {
        Machine machine = loaded(host);
        machine.run([](Process&) { std::abort(); });
    });
    CHECK(death.signal == SIGABRT);
}
#endif
