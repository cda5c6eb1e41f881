// From what the kernel recorded when it stopped to an Outcome.
#include "api/machine_impl.hpp"
#include "api/stop_names.hpp"
#include "diag/blame.hpp"
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

BugCheck describe(const ke::Machine& machine, StackReader& reader) {
    const ke::Stop& stop = machine.stop;
    BugCheck result;
    result.code = stop.code;
    result.name = diag::bug_check_name(stop.code);
    std::copy(std::begin(stop.parameters), std::end(stop.parameters), result.parameters.begin());
    if (stop.rule != nullptr) result.rule = stop.rule;
    if (stop.document != nullptr) result.document = stop.document;
    for (std::uint32_t i = 0; i < stop.frame_count; ++i) {
        if (reader.driver_of(stop.frames[i]) == nullptr) continue;
        result.stack.push_back(reader.read(stop.frames[i], i != 0 || !stop.faulted));
    }
    result.driver = diag::blamed_driver(machine, reader.names());
    return result;
}

} // namespace

Outcome describe_stop(const ke::Machine& machine, const std::vector<std::unique_ptr<LoadedDriver>>& drivers) {
    StackReader reader(machine, drivers);
    Outcome outcome;
    outcome.kind = machine.stop.kind == ke::StopKind::bug_check ? OutcomeKind::bug_check : OutcomeKind::stall;
    outcome.bug_check = describe(machine, reader);
    outcome.report = diag::stop_report(machine, reader.names());
    return outcome;
}

} // namespace dirql::api
