// From what the kernel recorded when it stopped to an Outcome.
#include "api/machine_impl.hpp"
#include "api/stop_names.hpp"
#include "diag/guarded_memory.hpp"
#include "diag/names.hpp"
#include "diag/report.hpp"

#include <algorithm>
#include <cstring>

namespace dirql::api {
namespace {

// Whose code is at an address, and what reports call it.
class StackReader {
public:
    StackReader(const ke::Machine& machine, const std::vector<std::unique_ptr<LoadedDriver>>& drivers)
        : machine_(machine) {
        for (const auto& driver : drivers) {
            if (driver->plug_in != nullptr) names_.add(driver->image);
        }
    }

    [[nodiscard]] StackFrame read(std::uint64_t address, bool is_return) {
        const diag::CodeName name = names_.locate(address, is_return);
        return {name.image, name.offset, name.function, name.file, name.line};
    }
    [[nodiscard]] const ke::CodeRange* driver_of(std::uint64_t address) const noexcept {
        return ke::find_code_range(machine_, address);
    }
    [[nodiscard]] diag::Symbolizer& names() noexcept { return names_; }

private:
    const ke::Machine& machine_;
    StopNames names_;
};

// A rule about what a routine left is broken when the routine has returned: the parameters name it, or the device does.
std::string driver_named_by(const ke::Stop& stop, const StackReader& reader) {
    for (const std::uint64_t parameter : stop.parameters) {
        if (const ke::CodeRange* range = reader.driver_of(parameter)) return range->name;
    }
    const diag::GuardedMemory memory; // the device may be what the driver made of it
    const auto device = memory.read(stop.device);
    const auto driver = device ? memory.read(device->DriverObject) : std::nullopt;
    const ke::CodeRange* range =
        driver ? reader.driver_of(reinterpret_cast<std::uint64_t>(driver->DriverInit)) : nullptr;
    return range == nullptr ? std::string() : range->name;
}

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
        result.stack.push_back(reader.read(stop.frames[i], i != 0 || !stop.faulted));
    }
    if (result.driver.empty()) result.driver = driver_named_by(stop, reader);
    return result;
}

} // namespace

Outcome describe_stop(const ke::Machine& machine, const std::vector<std::unique_ptr<LoadedDriver>>& drivers) {
    StackReader reader(machine, drivers);
    Outcome outcome;
    outcome.kind = machine.stop.kind == ke::StopKind::bug_check ? OutcomeKind::bug_check : OutcomeKind::stall;
    outcome.bug_check = describe(machine.stop, reader);
    outcome.report = diag::stop_report(machine, reader.names());
    return outcome;
}

} // namespace dirql::api
