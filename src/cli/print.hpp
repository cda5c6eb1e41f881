// What the tool says. Output that cannot be written is no reason to stop in the middle: what is lost on stdout is told at
// the end, by main; what is lost on stderr nobody can be told.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace dirql::cli {

inline void write(std::FILE* stream, std::string_view text) { std::fwrite(text.data(), 1, text.size(), stream); }

template <class... Values> void print_to(std::FILE* stream, fmt::format_string<Values...> format, Values&&... values) {
    write(stream, fmt::format(format, std::forward<Values>(values)...));
}

// One line on stderr, behind the name of who says it.
inline void say(std::string_view who, std::string_view line) { write(stderr, fmt::format("{}: {}\n", who, line)); }

} // namespace dirql::cli
