// The command line of `dirql cc`.
#pragma once

#include "cli/commands.hpp"
#include "cli/outcome.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dirql::cli {

enum class Language { c, cpp, assembly, object };

struct Source {
    std::string path; // as given
    Language language = Language::c;
};

// A compiler option as given. Those whose argument dirql cc reads have it split off: {"-I", "inc"}, {"-D", "X=1"}.
struct CompilerOption {
    std::string name;
    std::optional<std::string> argument;
    bool apart = false; // the argument was, and stays, a word of its own

    void append_to(std::vector<std::string>& words) const;
};

struct CcOptions {
    std::vector<Source> sources;
    std::vector<CompilerOption> compile; // for the compiler, in the order given
    std::vector<std::string> link;       // for the linker alone
    std::vector<std::string> notes;      // inputs passed over, and why

    std::string output;
    std::optional<std::string> compiler;
    std::optional<std::string> compile_commands;
    std::optional<std::string> include_root;
    bool preempt = true;
    bool integrity = false;
    bool verbose = false;
    bool help = false;

    // The arguments of every option of that name, in order.
    std::vector<std::string> arguments_of(std::string_view name) const;
    // An option defines or undefines that macro.
    bool speaks_of_macro(std::string_view macro) const;
};

// Fails with exit_usage: an unknown option of dirql cc's own, a missing argument, no sources, a source that is not there.
Outcome<CcOptions> parse_cc_options(Arguments arguments);

// What `dirql cc --help` prints.
extern const char* const cc_help;

} // namespace dirql::cli
