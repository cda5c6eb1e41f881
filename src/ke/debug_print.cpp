#include "ke/debug_print.hpp"

#include "diag/trace.hpp"
#include "ke/host_section.hpp"
#include "ke/machine.hpp"

#include <cstdio>

namespace dirql::ke {

void debug_print(std::string_view text) noexcept {
    const HostSection section;
    Processor* processor = current_processor();
    if (processor != nullptr) DIRQL_TRACE_ON(processor, debug_print, .text = text);
    if (processor == nullptr || processor->machine->host == nullptr) {
        std::fwrite(text.data(), 1, text.size(), stderr);
    } else {
        processor->machine->host->debug_output(text);
    }
}

} // namespace dirql::ke
