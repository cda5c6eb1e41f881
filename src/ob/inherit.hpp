// What a new process has from its parent.
#pragma once

#include "ob/handle_table.hpp"

namespace dirql::ob {

// The handles of `from` that have OBJ_INHERIT appear in the empty table of `to`, with their values, rights and attributes. A handle
// that its type refuses is left out. False when memory is short: what is there already goes with the process. PASSIVE_LEVEL.
[[nodiscard]] bool inherit_handles(ke::Process& from, ke::Process& to) noexcept;

} // namespace dirql::ob
