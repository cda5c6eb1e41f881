// From what the kernel recorded when it stopped to an Outcome.
#include "api/machine_impl.hpp"
#include "diag/names.hpp"
#include "ldr/symbolizer.hpp"

#include <fmt/format.h>

#include <cstring>

namespace dirql::api {
namespace {

// Driver code by name and line. Kernel frames stay unnamed here: they are the same for every driver.
class StackReader {
public:
    StackReader(const ke::Machine& machine, const std::vector<std::unique_ptr<LoadedDriver>>& drivers) : machine_(machine) {
        for (const auto& driver : drivers) {
            if (driver != nullptr && driver->plug_in != nullptr) symbolizer_.add(driver->image);
        }
    }

    // The first frame of a fault is where it happened, all others are return addresses.
    [[nodiscard]] StackFrame read(std::uint64_t address, bool is_return) {
        const ldr::CodeLocation location = is_return ? symbolizer_.locate_caller(address) : symbolizer_.locate(address);
        return {location.image, location.offset, location.function, location.file, location.line};
    }
    [[nodiscard]] const ke::CodeRange* driver_of(std::uint64_t address) const noexcept { return ke::find_code_range(machine_, address); }

private:
    const ke::Machine& machine_;
    ldr::Symbolizer symbolizer_;
};

BugCheck describe(const ke::Stop& stop, StackReader& reader) {
    BugCheck result;
    result.code = stop.code;
    result.name = diag::bug_check_name(stop.code);
    std::copy(std::begin(stop.parameters), std::end(stop.parameters), result.parameters.begin());
    if (stop.rule != nullptr) result.rule = stop.rule;
    if (stop.document != nullptr) result.document = stop.document;
    for (std::uint32_t i = 0; i < stop.frame_count; ++i) {
        const ke::CodeRange* range = reader.driver_of(stop.frames[i]);
        if (range == nullptr) continue;
        if (result.driver.empty()) result.driver = range->name;
        result.stack.push_back(reader.read(stop.frames[i], i != 0));
    }
    return result;
}

} // namespace

Outcome describe_stop(const ke::Machine& machine, const std::vector<std::unique_ptr<LoadedDriver>>& drivers) {
    StackReader reader(machine, drivers);
    Outcome outcome;
    outcome.kind = machine.stop.kind == ke::StopKind::bug_check ? OutcomeKind::bug_check : OutcomeKind::stall;
    outcome.bug_check = describe(machine.stop, reader);
    outcome.report = fmt::format("*** {}: {} {}\n", outcome.kind == OutcomeKind::stall ? "STALL" : "STOP", outcome.bug_check.name, outcome.bug_check.rule);
    return outcome;
}

} // namespace dirql::api
