// Where dirql's own files for drivers are: the headers, and the list of flags.
#pragma once

#include "cli/outcome.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace dirql::cli {

// The sections of driver_flags.txt. A section that the file lacks is empty.
class DriverFlags {
public:
    // Lines of `text`: "[section]" begins one; empty lines and those that begin with # are not flags.
    explicit DriverFlags(std::string_view text);

    const std::vector<std::string>& section(std::string_view name) const;

private:
    std::unordered_map<std::string, std::vector<std::string>> sections_;
};

struct Home {
    std::vector<std::string> include_directories; // km, its C run-time, shared
    DriverFlags flags;
};

// `include_root` if given, else $DIRQL_INCLUDE, else what is installed beside this program, else the source tree that it
// was built from. Fails with exit_usage when that place has no km and shared, or no list of flags belongs to it.
Outcome<Home> find_home(const std::optional<std::string>& include_root);

} // namespace dirql::cli
