// Loads the driver twice through the API: its symbols come and go with it.
#include <dirql/dirql.hpp>

#include <cstdio>

namespace {

bool load_and_ask() {
    dirql::Machine machine;
    const auto driver = machine.load(std::filesystem::path(DRIVER_PATH_gdb_driver));
    if (!driver) return false;
    dirql::IoResult result;
    machine.run([&](dirql::Process& process) {
        auto file = process.open("\\\\.\\GdbCount").value();
        result = file.device_control(0x222000, dirql::bytes({1, 2, 3, 4}), 4);
    });
    return result.data == dirql::bytes({110, 0, 0, 0}) && machine.unload(driver.value()).has_value();
}

} // namespace

int main() {
    const bool ok = load_and_ask() && load_and_ask();
    std::puts(ok ? "counted twice" : "failed");
    return ok ? 0 : 1;
}
