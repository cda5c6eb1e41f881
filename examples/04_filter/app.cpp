// Loads the echo driver and the filter above it, and reads with and without the filter in between.
#include <dirql/dirql.hpp>
#include <echo_driver.hpp>
#include <filter_driver.hpp>

#include <ntdef.h>
#include <devioctl.h>
#include <ntstatus.h>

#include "../02_echo/public.h"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error("not as it should be: " + what);
}

std::string text_of(const dirql::IoResult& result) {
    return {reinterpret_cast<const char*>(result.data.data()), result.data.size()};
}

struct Answers {
    std::string read;
    std::string reversed;
};

// What the echo device has for an application that writes "Hello, filter", and that has "abc" reversed.
Answers ask(dirql::Machine& machine) {
    Answers answers;
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
        dirql::File echo = process.open(ECHO_WIN32_NAME).value();
        expect(echo.write(dirql::bytes("Hello, filter")).ok(), "the write succeeds");
        answers.read = text_of(echo.read(100));
        answers.reversed = text_of(echo.device_control(IOCTL_ECHO_REVERSE, dirql::bytes("abc"), 3));
        expect(echo.device_control(IOCTL_ECHO_QUERY, {}, sizeof(ECHO_STATE)).ok(),
               "other control codes pass the filter");
    });
    expect(outcome.finished(), outcome.report);
    return answers;
}

void expect_answers(dirql::Machine& machine, const char* when, std::string_view read, std::string_view reversed) {
    const Answers answers = ask(machine);
    std::printf("  %-17s %s, %s\n", when, answers.read.c_str(), answers.reversed.c_str());
    expect(answers.read == read && answers.reversed == reversed, std::string("the answers: ") + when);
}

void check() {
    dirql::Machine machine;
    const dirql::Driver echo = machine.load(drivers::echo).value();
    expect_answers(machine, "echo alone:", "Hello, filter", "cba");
    const dirql::Driver filter = machine.load(drivers::filter).value();
    expect_answers(machine, "under the filter:", "HELLO, FILTER", "CBA");
    expect(machine.unload(filter).value() == dirql::Unload::unloaded, "the filter unloads");
    expect_answers(machine, "echo alone again:", "Hello, filter", "cba");
    expect(machine.unload(echo).value() == dirql::Unload::unloaded, "the echo driver unloads");

    const auto alone = machine.load(drivers::filter);
    expect(!alone && alone.error().status == STATUS_OBJECT_NAME_NOT_FOUND, "a filter needs something below it");
    std::puts("04_filter: passed");
}

// A read on its way down through both drivers, and up again.
void show_journey() {
    dirql::Machine machine({.trace = true});
    (void)machine.load(drivers::echo).value();
    (void)machine.load(drivers::filter).value();
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
        dirql::File echo = process.open(ECHO_WIN32_NAME).value();
        (void)echo.write(dirql::bytes("Hello, filter"));
        (void)echo.read(100);
        machine.trace().enable(false);
    });
    expect(outcome.finished(), outcome.report);
    std::fputs(machine.trace().journey(machine.trace().irps().back()).c_str(), stdout);
}

} // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 2 && std::string_view(argv[1]) == "--journey") {
            show_journey();
        } else {
            check();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "04_filter: %s\n", error.what());
        return 1;
    }
    return 0;
}
