// Boots a machine, loads the driver into it, opens its device, and sees it unload.
#include <dirql/dirql.hpp>
#include <hello_driver.hpp>

#include "public.h"

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace {

void expect(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error("not as it should be: " + what);
}

void application(dirql::Process& process) {
    dirql::File hello = process.open(HELLO_WIN32_NAME).value();
    const dirql::IoResult read = hello.read(10);
    std::printf("  application: a read gives %s\n", dirql::status_name(read.status).c_str());
    expect(dirql::status_name(read.status) == "STATUS_INVALID_DEVICE_REQUEST", "the driver has no read routine");
    expect(!process.open(R"(\\.\Nobody)"), "a device that does not exist cannot be opened");
}

void run() {
    dirql::Machine machine(
        {.on_debug_output = [](std::string_view line) { std::printf("  %.*s", int(line.size()), line.data()); }});
    const dirql::Driver driver = machine.load(drivers::hello).value();
    const dirql::Outcome outcome = machine.run(application);
    expect(outcome.finished(), outcome.report);
    expect(machine.unload(driver).value() == dirql::Unload::unloaded, "the driver unloads");

    const std::string& said = machine.debug_output();
    for (const char* line : {"loaded", "somebody opens me", "somebody closes me", "goodbye"})
        expect(said.find(line) != std::string::npos, std::string("the driver says: ") + line);
}

} // namespace

int main() {
    try {
        run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "01_hello: %s\n", error.what());
        return 1;
    }
    std::puts("01_hello: passed");
}
