#include "api/owner.hpp"

#include "api/machine_impl.hpp"

#include <fmt/format.h>

#include <atomic>
#include <stdexcept>

namespace dirql::api {

std::uint64_t unique_number() noexcept {
    static std::atomic<std::uint64_t> last = 0;
    return ++last;
}

bool Owner::runs_now() const noexcept {
    const ke::Processor* processor = ke::current_processor();
    return processor != nullptr && processor->current->process == process_ &&
           static_cast<const MachineImpl*>(processor->machine->host)->current_run() == run_;
}

void throw_unusable(const char* what, bool empty) {
    throw std::logic_error(empty ? fmt::format("a {} is used that has been closed or moved from", what)
                                 : fmt::format("a {} is used outside of the run that it belongs to", what));
}

} // namespace dirql::api
