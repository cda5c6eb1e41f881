// What a driver's sources use that dirql lacks, found by reading, without compiling.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dirql::cli {

// Where a name stands first: file and line.
struct Place {
    std::string file;
    unsigned line = 0;
};

// The names that a set of sources uses, and those that they make themselves.
class SourceNames {
public:
    // `text` of a C or C++ source or header.
    void add(const std::string& file, std::string_view text);
    // Used and not made here (no macro, no function with a body), in the order of the names.
    [[nodiscard]] std::map<std::string, Place> foreign() const;

private:
    std::map<std::string, Place> used_;
    std::map<std::string, Place> made_;
};

// The sources below the paths given: files as they are, of directories all that C and C++ sources and headers are named like.
// A path that is neither stands in `unreadable`.
struct SourceFiles {
    std::vector<std::string> files;
    std::vector<std::string> unreadable;
};
[[nodiscard]] SourceFiles find_sources(const std::vector<std::string>& paths);

} // namespace dirql::cli
