#include "cli/cc_compile_commands.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace dirql::cli {

Outcome<void> write_compile_commands(const std::string& path, std::span<const CompileEntry> entries) {
    const std::string directory = std::filesystem::current_path().string();
    auto document = nlohmann::ordered_json::array();
    for (const auto& entry : entries)
        document.push_back({{"directory", directory}, {"file", entry.file}, {"arguments", entry.arguments}});
    std::ofstream out(path);
    // File names are bytes, not necessarily UTF-8.
    out << document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
    if (!out.flush()) return usage_error(fmt::format("{}: cannot be written", path));
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

} // namespace dirql::cli
