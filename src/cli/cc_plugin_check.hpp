// Whether what was linked can be loaded: told at build time rather than to whoever loads the plug-in.
#pragma once

#include "cli/outcome.hpp"

#include <string>

namespace dirql::cli {

// Fails with exit_load_failure when the file is no plug-in (no DriverEntry, static constructors, thread-local variables),
// or needs names that dirql does not export: then the text has a line for each, with what the name may be.
Outcome<void> check_plugin(const std::string& path);

// What is known of a name that dirql does not export.
std::string describe_missing(std::string_view name);

} // namespace dirql::cli
