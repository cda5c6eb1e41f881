// The commands of the `dirql` tool. Each takes the words after its own name and returns the exit status (outcome.hpp).
#pragma once

#include <span>
#include <string_view>

namespace dirql::cli {

using Arguments = std::span<const std::string_view>;

// Compiles a driver's Windows sources to a plug-in.
int cc_command(Arguments arguments);

// Loads drivers into a machine and performs requests.
int run_command(Arguments arguments);

// Lists what dirql exports to drivers.
int exports_command(Arguments arguments);

} // namespace dirql::cli
