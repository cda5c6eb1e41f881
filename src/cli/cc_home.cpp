#include "cli/cc_home.hpp"

#include "cli/cc_source.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace dirql::cli {

namespace fs = std::filesystem;

namespace {

fs::path program_directory() {
    std::error_code error;
    return fs::read_symlink("/proc/self/exe", error).parent_path();
}

fs::path source_tree() { return fs::path(__FILE__).parent_path().parent_path().parent_path(); }

bool has_headers(const fs::path& root) {
    std::error_code error;
    return fs::is_directory(root / "km", error) && fs::is_directory(root / "shared", error);
}

std::optional<fs::path> default_include_root() {
    for (const auto& root : {program_directory() / "../include/dirql", source_tree() / "include"})
        if (has_headers(root)) return root.lexically_normal();
    return std::nullopt;
}

Outcome<fs::path> include_root_of(const std::optional<std::string>& given) {
    const char* environment = std::getenv("DIRQL_INCLUDE");
    const bool from_environment = !given && environment != nullptr && *environment != '\0';
    if (!given && !from_environment) {
        if (auto root = default_include_root()) return *root;
        return usage_error("the drivers' headers are not installed; --include-root or DIRQL_INCLUDE can name them");
    }
    const fs::path root = given ? *given : std::string(environment);
    if (has_headers(root)) return root;
    return usage_error(fmt::format("{} {}: no directories km and shared there",
                                   given ? "--include-root" : "DIRQL_INCLUDE:", root.string()));
}

// The list lies with the CMake package, in the source tree as installed; beside the headers in use, else dirql's own.
std::optional<SourceText> read_flags(const fs::path& include_root) {
    constexpr std::array package_directories{"../cmake", "../../lib/cmake/dirql", "../../lib64/cmake/dirql",
                                             "../../lib/x86_64-linux-gnu/cmake/dirql"};
    std::vector<fs::path> roots{include_root};
    if (auto own = default_include_root()) roots.push_back(*own);
    for (const auto& root : roots)
        for (const char* directory : package_directories)
            if (auto text = read_source((root / directory / "driver_flags.txt").string())) return text;
    return std::nullopt;
}

} // namespace

DriverFlags::DriverFlags(std::string_view text) {
    std::vector<std::string>* current = &sections_[""];
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.empty() || line.front() == '#') continue;
        if (line.front() == '[')
            current = &sections_[std::string(line.substr(1, line.find(']') - 1))];
        else
            current->emplace_back(line);
    }
}

const std::vector<std::string>& DriverFlags::section(std::string_view name) const {
    static const std::vector<std::string> none;
    const auto found = sections_.find(std::string(name));
    return found == sections_.end() ? none : found->second;
}

Outcome<Home> find_home(const std::optional<std::string>& include_root) {
    const fs::path root = BOOST_OUTCOME_TRYX(include_root_of(include_root));
    const auto flags = read_flags(root);
    if (!flags) return usage_error("driver_flags.txt, the list of compiler flags for drivers, is not installed");
    const fs::path km = root / "km";
    return Home{{km.string(), (km / "crt").string(), (root / "shared").string()}, DriverFlags(flags->text)};
}

} // namespace dirql::cli
