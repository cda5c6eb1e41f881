// Which file an #include means.
//
// gcc and clang look in the includer's directory and then along the search path, for exactly the name written. The
// Microsoft compiler on Windows takes any letter case and either slash, and between those two places also looks beside
// the files that include the includer. Drivers count on that.
#pragma once

#include "cli/cc_directory_index.hpp"
#include "cli/cc_source.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dirql::cli {

struct IncludeSearch {
    struct Place {
        std::string directory;
        bool own_header = false; // dirql's or the compiler's: consistent in itself, not looked into
    };
    std::vector<Place> quote;  // for "name" alone
    std::vector<Place> angled; // for "name" after those, and for <name>
};

struct FoundInclude {
    std::string path;
    std::string name; // relative to the place of the search path; empty when found beside an includer
    bool own_header = false;
    bool as_written = false; // gcc and clang find the same file by the directive as it stands
};

class IncludeResolver {
public:
    IncludeResolver(IncludeSearch search, DirectoryIndex& index) : search_(std::move(search)), index_(index) {}

    // `includers`: the directories of the files being included, outermost first; the last holds the directive's file.
    std::optional<FoundInclude> resolve(const IncludeDirective& directive, std::span<const std::string> includers);

private:
    std::optional<FoundInclude> beside_includers(const IncludeDirective& directive,
                                                 std::span<const std::string> includers);
    std::optional<FoundInclude> in_places(std::string_view name, const std::vector<IncludeSearch::Place>& places);
    bool compiler_finds(const std::string& path, const IncludeDirective& directive, const std::string& includer) const;

    IncludeSearch search_;
    DirectoryIndex& index_;
};

} // namespace dirql::cli
