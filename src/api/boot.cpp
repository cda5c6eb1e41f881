#include "api/machine_impl.hpp"

#include "ex/state.hpp"
#include "io/state.hpp"
#include "ke/clock.hpp"
#include "ke/stop.hpp"
#include "ldr/exports.hpp"
#include "mm/section.hpp"
#include "mm/state.hpp"
#include "ob/object.hpp"
#include "ps/ps.hpp"

#include <utility>

namespace dirql::api {

OnProcessor::OnProcessor(ke::Machine& machine) noexcept : machine_(machine), irql_(machine.processors[0]->irql) {
    ke::Processor* processor = machine.processors[0];
    processor->now = machine.now;
    processor->irql = PASSIVE_LEVEL;
    machine.host_stands_in = true;
    horizon_ = std::exchange(processor->horizon, ke::never);
    machine.running = processor;
    stood_before_ = std::exchange(ke::dirql_current_processor, processor);
}

OnProcessor::~OnProcessor() {
    ke::Processor* processor = machine_.processors[0];
    machine_.now = processor->now;
    processor->irql = irql_;
    machine_.host_stands_in = false;
    processor->horizon = horizon_;
    machine_.running = nullptr;
    ke::dirql_current_processor = stood_before_;
}

ke::Machine* boot(ke::Slot& slot, const ke::MachineOptions& options, ke::HostInterface* host) {
    ke::Machine* machine = ke::create_machine(slot, options, host);
    if (machine == nullptr) return nullptr;
    machine->exports = ldr::export_addresses();
    machine->hooks.system_routine = ldr::find_system_routine;
    const OnProcessor on_processor(*machine);
    bool up = false;
    const bool survived = ke::on_host_flow(*machine, [&] {
        up = ex::initialize(*machine) && mm::initialize(*machine) && ob::initialize(*machine) &&
             mm::initialize_sections(*machine) && ps::initialize(*machine) && io::initialize(*machine);
    });
    return up || !survived ? machine : nullptr;
}

} // namespace dirql::api
