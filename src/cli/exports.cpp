// `dirql exports`: what a driver can use, as the export table has it, and what it would lack.
#include "cli/cc_source.hpp"
#include "cli/commands.hpp"
#include "cli/exports_listing.hpp"
#include "cli/exports_missing.hpp"
#include "cli/outcome.hpp"
#include "cli/print.hpp"

#include "ldr/documented.hpp"
#include "ldr/exports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

namespace dirql::cli {

namespace {

constexpr const char* help = R"(usage: dirql exports [--absent] [NAME...]
       dirql exports --missing SOURCE...

Lists the functions, macros and data that dirql offers to drivers, one a line:

  NAME STATE IMAGE MIN..MAX NOTE

  STATE     full; inline (a macro or inline function of the headers); partial (the note says what lacks); absent (documented
            for Windows, not here)
  IMAGE     of NT: ntoskrnl, hal; header and compiler for what is compiled into the driver
  MIN..MAX  the IRQLs at which it may be called, as its document says; ? where the document gives none

  NAME      only these names; a name that ends with * stands for all that begin so
  --absent  absent names too (they are always told of when named in full)

With --missing: the same lines for what these sources use and dirql has not (absent) or not whole (partial), and where it
stands first. SOURCE is a file, or a directory that is searched with all below it. The sources are read, not compiled: what
stands under an #if counts as well, and names that no document knows are found by dirql cc.

exit status: 0; 2 usage; 5 when a NAME is not in the table, or a source uses what is absent
)";

bool matches(std::string_view name, std::string_view pattern) {
    if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
}

std::set<std::string_view> all_names(bool absent) {
    std::set<std::string_view> names;
    for (const auto& entry : ldr::exports()) names.insert(entry.name);
    if (absent) {
        for (const auto& entry : ldr::documented()) names.insert(entry.name);
    }
    return names;
}

// False when nothing in the table matches.
bool print_matching(std::string_view pattern, bool absent) {
    const bool every = pattern.ends_with('*');
    if (!every) {
        const Listing listing = listing_of(pattern);
        if (!listing.name.empty()) write(stdout, line_of(listing));
        return !listing.name.empty() && listing.state != "absent";
    }
    bool any = false;
    for (const auto name : all_names(absent)) {
        if (!matches(name, pattern)) continue;
        write(stdout, line_of(listing_of(name)));
        any = true;
    }
    return any;
}

int list(const std::vector<std::string>& patterns, bool absent) {
    int status = exit_fine;
    for (const auto& pattern : patterns) {
        if (print_matching(pattern, absent)) continue;
        say("dirql exports", fmt::format("{}: not in the table", pattern));
        status = exit_load_failure;
    }
    return status;
}

bool lacks_something(const Listing& listing) { return listing.state == "absent" || listing.state == "partial"; }

int list_missing(const std::vector<std::string>& paths) {
    if (paths.empty()) {
        say("dirql exports", "--missing needs the driver's sources: files or directories");
        return exit_usage;
    }
    const SourceFiles sources = find_sources(paths);
    SourceNames names;
    std::vector<std::string> unreadable = sources.unreadable;
    for (const auto& file : sources.files) {
        if (const auto source = read_source(file)) {
            names.add(file, source->text);
        } else {
            unreadable.push_back(file);
        }
    }
    for (const auto& path : unreadable) say("dirql exports", fmt::format("{}: cannot be read", path));
    if (!unreadable.empty()) return exit_usage;
    if (sources.files.empty()) {
        say("dirql exports", fmt::format("{}: no C or C++ sources", fmt::join(paths, ", ")));
        return exit_usage;
    }
    int status = exit_fine;
    for (const auto& [name, place] : names.foreign()) {
        Listing listing = listing_of(name);
        if (listing.name.empty() || !lacks_something(listing)) continue;
        listing.note += fmt::format(" [{}:{}]", place.file, place.line);
        write(stdout, line_of(listing));
        if (listing.state == "absent") status = exit_load_failure;
    }
    return status;
}

} // namespace

int exports_command(Arguments arguments) {
    bool absent = false;
    bool missing = false;
    std::vector<std::string> words;
    for (const auto argument : arguments) {
        if (argument == "--help") {
            std::fputs(help, stdout);
            return exit_fine;
        }
        if (argument == "--absent") {
            absent = true;
        } else if (argument == "--missing") {
            missing = true;
        } else if (argument.starts_with('-')) {
            say("dirql exports", fmt::format("unknown option '{}'", argument));
            return exit_usage;
        } else {
            words.emplace_back(argument);
        }
    }
    if (missing && absent) {
        say("dirql exports", "--missing tells of absent names anyway: leave --absent out");
        return exit_usage;
    }
    if (missing) return list_missing(words);
    if (words.empty()) words.emplace_back("*");
    return list(words, absent);
}

} // namespace dirql::cli
