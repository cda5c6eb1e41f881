// A program of somebody else's: it loads the driver, asks it, and unloads it.
#include <dirql/dirql.hpp>

#ifndef PLUGIN_ONLY // else there is only the plug-in, which `dirql cc` has built
#include "answer_driver.hpp"
#endif

#include <cstdio>
#include <cstring>
#include <filesystem>

namespace {

unsigned answer_of(dirql::Process& process) {
    auto file = process.open(R"(\\.\Answer)").value();
    const auto result = file.device_control(0x222000, {}, sizeof(unsigned));
    unsigned answer = 0;
    if (result.ok() && result.data.size() == sizeof answer) std::memcpy(&answer, result.data.data(), sizeof answer);
    return answer;
}

// Whether the driver, in whichever form, loads, answers and unloads.
template <class Form> bool answers(const Form& form) {
    dirql::Machine machine;
    const auto driver = machine.load(form);
    if (!driver) {
        std::fprintf(stderr, "%s\n", driver.error().text.c_str());
        return false;
    }
    unsigned answer = 0;
    const auto outcome = machine.run([&](dirql::Process& process) { answer = answer_of(process); });
    if (!outcome.finished()) std::fputs(outcome.report.c_str(), stderr);
    return answer == 42 && machine.unload(driver.value()).value() == dirql::Unload::unloaded;
}

} // namespace

int main() {
    if (!answers(std::filesystem::path(DRIVER_PATH_answer))) return 1;
#ifndef PLUGIN_ONLY
    if (!answers(drivers::answer)) return 1;
#endif
    std::puts("consumer: the driver answered");
    return 0;
}
