// Which compiler compiles, and what has to be known of it.
#pragma once

#include "cli/cc_options.hpp"
#include "cli/cc_process.hpp"

#include <map>
#include <string>

namespace dirql::cli {

struct Compiler {
    Words command; // mostly one word; "ccache gcc" has two
    bool is_clang = false;
    std::string builtin_headers; // stdarg.h, stddef.h, the intrinsics
};

// The compilers of one run, each asked once who it is.
class Compilers {
public:
    Compilers(const CcOptions& options, const std::string& scratch) : options_(options), scratch_(scratch) {}

    // For C: --compiler, $CC, $CXX, else the first of gcc, clang and cc that is installed. For C++ $CXX goes before $CC. One
    // that speaks only of the other language will do, since the language is always given with -x and nothing of its
    // run-time is linked. Fails with exit_usage when it cannot be run, or is neither gcc nor clang for x86-64.
    Outcome<const Compiler*> for_language(Language language);

private:
    Outcome<Compiler> examine(const std::string& name) const;

    const CcOptions& options_;
    const std::string& scratch_;
    std::map<std::string, Compiler> known_;
};

} // namespace dirql::cli
