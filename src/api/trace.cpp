#include <dirql/trace.hpp>

#include "api/machine_impl.hpp"
#include "diag/journey.hpp"
#include "diag/text.hpp"

#include <algorithm>

namespace dirql {

void Trace::enable(bool on) noexcept {
    ke::Machine& kernel = machine_.kernel();
    kernel.recorder = on ? &machine_.recorder() : nullptr;
    for (unsigned i = 0; i < kernel.processor_count; ++i) kernel.processors[i]->trace_on = on;
}

bool Trace::enabled() const noexcept { return machine_.kernel().recorder != nullptr; }
void Trace::clear() { machine_.recorder().clear(); }
std::size_t Trace::size() const noexcept { return machine_.recorder().records().size(); }

std::string Trace::text() const {
    machine_.name_functions();
    return diag::to_text(machine_.recorder().records());
}

std::string Trace::journey(std::uint32_t irp) const {
    machine_.name_functions();
    return diag::journey(machine_.recorder().records(), irp);
}

std::vector<std::uint32_t> Trace::irps() const {
    std::vector<std::uint32_t> seen;
    for (const diag::Record& record : machine_.recorder().records()) {
        if (record.irp != 0 && std::find(seen.begin(), seen.end(), record.irp) == seen.end())
            seen.push_back(record.irp);
    }
    return seen;
}

} // namespace dirql
