// The command lines that dirql cc runs.
#pragma once

#include "cli/cc_compiler.hpp"
#include "cli/cc_home.hpp"
#include "cli/cc_prepare.hpp"

#include <span>
#include <string>

namespace dirql::cli {

// What stays the same from source to source.
struct BuildContext {
    const CcOptions& options;
    const Home& home;
    bool color = false; // diagnostics go to a terminal
};

// The search path of the commands below, as IncludeResolver wants it.
IncludeSearch include_search(const BuildContext& context, const Compiler& compiler);

// Compiles one source. The same source and options give the same bytes, wherever the scratch directory is.
Words compile_command(const BuildContext& context, const Compiler& compiler, const Source& source,
                      const PreparedSource& prepared, const std::string& object);

// Links a plug-in that depends on no library; what its objects lack stays undefined, to be bound when it is loaded.
Words link_command(const BuildContext& context, const Compiler& compiler, std::span<const std::string> objects,
                   const std::string& output);

} // namespace dirql::cli
