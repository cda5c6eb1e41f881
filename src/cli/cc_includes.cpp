#include "cli/cc_includes.hpp"

#include <filesystem>

namespace dirql::cli {

namespace {

bool is_file(const std::string& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error);
}

} // namespace

std::optional<FoundInclude> IncludeResolver::resolve(const IncludeDirective& directive,
                                                     std::span<const std::string> includers) {
    std::optional<FoundInclude> found;
    if (directive.quoted) found = beside_includers(directive, includers);
    if (directive.quoted && !found) found = in_places(directive.name, search_.quote);
    if (!found) found = in_places(directive.name, search_.angled);
    if (found) found->as_written = compiler_finds(found->path, directive, includers.back());
    return found;
}

std::optional<FoundInclude> IncludeResolver::beside_includers(const IncludeDirective& directive,
                                                              std::span<const std::string> includers) {
    for (auto directory = includers.rbegin(); directory != includers.rend(); ++directory)
        if (auto path = index_.find(*directory, directive.name)) return FoundInclude{std::move(*path), {}};
    return std::nullopt;
}

std::optional<FoundInclude> IncludeResolver::in_places(std::string_view name,
                                                       const std::vector<IncludeSearch::Place>& places) {
    for (const auto& place : places) {
        auto path = index_.find(place.directory, name);
        if (!path) continue;
        std::string relative = path->substr(join(place.directory, "").size());
        return FoundInclude{std::move(*path), std::move(relative), place.own_header};
    }
    return std::nullopt;
}

bool IncludeResolver::compiler_finds(const std::string& path, const IncludeDirective& directive,
                                     const std::string& includer) const {
    const auto is_same = [&](const std::string& candidate) {
        std::error_code error;
        return candidate == path || std::filesystem::equivalent(candidate, path, error);
    };
    if (directive.quoted) {
        if (const auto beside = join(includer, directive.name); is_file(beside)) return is_same(beside);
        for (const auto& place : search_.quote)
            if (const auto there = join(place.directory, directive.name); is_file(there)) return is_same(there);
    }
    for (const auto& place : search_.angled)
        if (const auto there = join(place.directory, directive.name); is_file(there)) return is_same(there);
    return false;
}

} // namespace dirql::cli
