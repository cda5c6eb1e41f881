#include "cli/cc_directory_index.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

namespace dirql::cli {

namespace {

std::string folded(std::string_view name) {
    std::string lower(name);
    for (char& letter : lower)
        if (letter >= 'A' && letter <= 'Z') letter += 'a' - 'A';
    return lower;
}

bool is_slash(char c) { return c == '/' || c == '\\'; }

} // namespace

std::string join(std::string_view directory, std::string_view name) {
    std::string path(directory);
    if (!path.empty() && path.back() != '/') path += '/';
    return path.append(name);
}

std::string directory_of(std::string_view path) {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::optional<std::string> DirectoryIndex::find(const std::string& directory, std::string_view name) {
    auto path = find_any(directory, name);
    std::error_code error;
    if (path && !std::filesystem::is_regular_file(*path, error)) path.reset();
    return path;
}

std::optional<std::string> DirectoryIndex::find_directory(const std::string& directory, std::string_view name) {
    auto path = find_any(directory, name);
    std::error_code error;
    if (path && !std::filesystem::is_directory(*path, error)) path.reset();
    return path;
}

std::optional<std::string> DirectoryIndex::find_any(const std::string& directory, std::string_view name) {
    std::string path = !name.empty() && is_slash(name.front()) ? "/" : directory;
    while (!name.empty()) {
        const auto end = std::find_if(name.begin(), name.end(), is_slash);
        const std::string_view component(name.data(), static_cast<std::size_t>(end - name.begin()));
        name.remove_prefix(component.size() + (end == name.end() ? 0 : 1));
        if (component.empty() || component == ".") continue;
        const auto real = real_name(path, component);
        if (!real) return std::nullopt;
        path = join(path, *real);
    }
    return path;
}

std::optional<std::string> DirectoryIndex::real_name(const std::string& directory, std::string_view name) {
    if (name == "..") return std::string(name);
    const auto [first, last] = entries(directory).equal_range(folded(name));
    if (first == last) return std::nullopt;
    const auto exact = std::find_if(first, last, [&](const auto& entry) { return entry.second == name; });
    return exact == last ? first->second : exact->second;
}

const DirectoryIndex::Folded& DirectoryIndex::entries(const std::string& directory) {
    const auto [at, is_new] = directories_.try_emplace(directory);
    if (!is_new) return at->second;
    std::set<std::string> names; // sorted: which of two names wins must not depend on the disk's order
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory.empty() ? "." : directory, error), end;
         !error && entry != end; entry.increment(error))
        names.insert(entry->path().filename().string());
    for (const auto& name : names) at->second.emplace(folded(name), name);
    return at->second;
}

} // namespace dirql::cli
