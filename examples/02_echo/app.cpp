// Writes to the echo device, reads back, sends control codes. `--journey` shows what happened to one of the IRPs,
// `--trace` everything that happened.
#include <dirql/dirql.hpp>
#include <echo_driver.hpp>

#include <ntdef.h>
#include <devioctl.h>

#include "public.h"

#include <cstdio>
#include <cstring>
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

void write_and_read(dirql::File& echo) {
    expect(echo.write(dirql::bytes("hello, kernel")).information == 13, "the driver takes 13 bytes");
    expect(text_of(echo.read(100)) == "hello, kernel", "a read gives what was written");
    expect(text_of(echo.read(5)) == "hello", "a shorter read gives the beginning");
    expect(!echo.write(dirql::Bytes(ECHO_CAPACITY + 1)).ok(), "more than the driver can remember is refused");
}

void send_control_codes(dirql::File& echo) {
    const dirql::IoResult reversed = echo.device_control(IOCTL_ECHO_REVERSE, dirql::bytes({1, 2, 3, 4, 5}), 5);
    expect(reversed.data == dirql::bytes({5, 4, 3, 2, 1}), "the bytes come back reversed");
    const dirql::IoResult narrow = echo.device_control(IOCTL_ECHO_REVERSE, dirql::bytes({1, 2, 3, 4, 5}), 4);
    expect(dirql::status_name(narrow.status) == "STATUS_BUFFER_TOO_SMALL", "no room for the answer");

    ECHO_STATE state{};
    const dirql::IoResult query = echo.device_control(IOCTL_ECHO_QUERY, {}, sizeof state);
    expect(query.data.size() == sizeof state, "the state comes whole");
    std::memcpy(&state, query.data.data(), sizeof state);
    expect(state.Length == 13 && state.Writes == 1, "the driver has seen one write of 13 bytes");
}

void check() {
    dirql::Machine machine;
    const dirql::Driver driver = machine.load(drivers::echo).value();
    const dirql::Outcome outcome = machine.run([](dirql::Process& process) {
        dirql::File echo = process.open(ECHO_WIN32_NAME).value();
        write_and_read(echo);
        send_control_codes(echo);
    });
    expect(outcome.finished(), outcome.report);
    expect(machine.unload(driver).value() == dirql::Unload::unloaded, "the driver unloads");
    std::puts("  13 bytes written and read back; a control code turned 01 02 03 04 05 round");
    std::puts("02_echo: passed");
}

// One read: from the application through the kernel to the driver, and back.
void show_journey() {
    dirql::Machine machine({.trace = true});
    (void)machine.load(drivers::echo).value();
    const dirql::Outcome outcome = machine.run([&](dirql::Process& process) {
        dirql::File echo = process.open(ECHO_WIN32_NAME).value();
        (void)echo.write(dirql::bytes("hello, kernel"));
        (void)echo.read(100);
        machine.trace().enable(false);
    });
    expect(outcome.finished(), outcome.report);
    std::fputs(machine.trace().journey(machine.trace().irps().back()).c_str(), stdout);
}

// Every event, from the boot to the unloading.
void show_trace() {
    dirql::Machine machine({.trace = true});
    const dirql::Driver driver = machine.load(drivers::echo).value();
    const dirql::Outcome outcome = machine.run([](dirql::Process& process) {
        dirql::File echo = process.open(ECHO_WIN32_NAME).value();
        write_and_read(echo);
    });
    expect(outcome.finished(), outcome.report);
    (void)machine.unload(driver);
    std::fputs(machine.trace().text().c_str(), stdout);
}

int usage() {
    std::fputs("usage: 02_echo [--journey | --trace]\n", stderr);
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view option = argc > 1 ? argv[1] : "";
    try {
        if (option.empty()) {
            check();
        } else if (option == "--journey") {
            show_journey();
        } else if (option == "--trace") {
            show_trace();
        } else {
            return usage();
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "02_echo: %s\n", error.what());
        return 1;
    }
    return 0;
}
