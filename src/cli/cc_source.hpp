// What dirql cc learns from a source file without compiling it.
#pragma once

#include "cli/cc_options.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::cli {

// The bytes of a file as gcc and clang can read them.
struct SourceText {
    std::string text; // UTF-8 where the file is UTF-16; without byte order mark, without the old end-of-file character
    bool altered = false; // so the file itself is not what the compiler may be given
};

// Nothing when the file cannot be read.
std::optional<SourceText> read_source(const std::string& path);

// `#include "name"` or `#include <name>`; one whose operand is a macro is left to the compiler.
struct IncludeDirective {
    std::size_t begin = 0; // of the operand in the text, with its delimiters
    std::size_t end = 0;
    std::string name;
    bool quoted = false;
};

// Text that gcc and clang understand, for text that they do not.
struct Replacement {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::string text;
};

struct SourceFacts {
    std::vector<IncludeDirective> includes; // also those in branches that are not compiled
    std::vector<Replacement> replacements; // sized integer constants: 1ui64 becomes 1UL, the type that __int64 has here
    bool uses_seh = false;
};

// Comments and literals are skipped. SEH is `__try`; in C also `try {` where `except` or `finally` is found. Replaced are
//   - sized integer constants: 1ui64 becomes 1UL, the type that unsigned __int64 has here;
//   - in macros, a ## whose operands can never make one token ("text" ## X, p->##member): it becomes a blank;
//   - in macros, L#x, the wide string of an argument: it becomes L## #x.
SourceFacts scan_source(std::string_view text, Language language);

} // namespace dirql::cli
