// compile_commands.json, from which editors and analysers learn how a file is compiled.
#pragma once

#include "cli/cc_process.hpp"

#include <span>
#include <string>

namespace dirql::cli {

struct CompileEntry {
    std::string file;
    Words arguments;
};

// Writes the whole file anew. Fails with exit_usage when it cannot.
Outcome<void> write_compile_commands(const std::string& path, std::span<const CompileEntry> entries);

} // namespace dirql::cli
