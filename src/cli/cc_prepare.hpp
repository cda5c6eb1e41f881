// Makes a Windows source compilable without changing it: where a file's includes are not what gcc and clang find, or
// its encoding not what they read, a corrected copy in a scratch directory is compiled in its place. `#line` makes
// diagnostics, __FILE__ and debug information name the original.
#pragma once

#include "cli/cc_includes.hpp"
#include "cli/cc_options.hpp"

#include <string>
#include <vector>

namespace dirql::cli {

struct PreparedSource {
    std::string path;                    // the source itself, or its copy
    std::vector<CompilerOption> options; // the user's; those that name a copied file name the copy
    std::vector<std::string> flags;      // what the copies need
    bool uses_seh = false;               // the source or a header of the driver does
};

// Copies go to `scratch`, a directory of this source alone, made when needed. Fails when a file cannot be read or written.
Outcome<PreparedSource> prepare_source(const Source& source, const CcOptions& options, IncludeResolver& resolver,
                                       const std::string& scratch);

} // namespace dirql::cli
