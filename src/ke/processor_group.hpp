// The processors as sets. There is one group, and all processors are in it while the machine runs.
#pragma once

#include "ke/machine.hpp"

namespace dirql::ke {

[[nodiscard]] inline KAFFINITY all_processors() noexcept {
    const unsigned count = current_machine().processor_count;
    return count == max_processors ? ~KAFFINITY{0} : (KAFFINITY{1} << count) - 1;
}

} // namespace dirql::ke
