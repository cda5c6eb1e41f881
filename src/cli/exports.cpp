// `dirql exports`: what a driver can use, as the export table has it.
#include "cli/commands.hpp"
#include "cli/outcome.hpp"
#include "cli/print.hpp"

#include "ldr/exports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace dirql::cli {

namespace {

constexpr const char* help = R"(usage: dirql exports [NAME...]

Lists the functions and data that dirql offers to drivers, one a line, with tabs between:
name, kind, image, the IRQLs it may be called at, full or partial, and what there is to note.

  NAME    only these names; a name that ends with * stands for all that begin so

exit status: 0; 2 usage; 5 when a NAME is not in the table
)";

std::string_view kind_name(ldr::ExportKind kind) {
    switch (kind) {
    case ldr::ExportKind::function: return "function";
    case ldr::ExportKind::data: return "data";
    case ldr::ExportKind::crt: return "crt";
    case ldr::ExportKind::compiler: return "compiler";
    case ldr::ExportKind::inlined: return "inline";
    }
    return "?";
}

bool matches(std::string_view name, std::string_view pattern) {
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
}

void print_line(const ldr::Export& entry) {
    print_to(stdout, "{}\t{}\t{}\t{}..{}\t{}\t{}\n", entry.name, kind_name(entry.kind), entry.image, entry.irql_min,
             entry.irql_max, entry.state == ldr::ExportState::full ? "full" : "partial", entry.note);
}

// False when nothing in the table matches.
bool print_matching(std::string_view pattern) {
    bool any = false;
    for (const auto& entry : ldr::exports()) {
        if (!matches(entry.name, pattern)) continue;
        print_line(entry);
        any = true;
    }
    return any;
}

} // namespace

int exports_command(Arguments arguments) {
    if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
        std::fputs(help, stdout);
        return exit_fine;
    }
    int status = exit_fine;
    if (arguments.empty()) print_matching("*");
    for (const auto pattern : arguments) {
        if (pattern.starts_with('-')) {
            say("dirql exports", fmt::format("unknown option '{}'", pattern));
            return exit_usage;
        }
        if (print_matching(pattern)) continue;
        say("dirql exports", fmt::format("{}: not in the table", pattern));
        status = exit_load_failure;
    }
    return status;
}

} // namespace dirql::cli
