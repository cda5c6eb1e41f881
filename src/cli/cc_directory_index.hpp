// Files by name as a Windows file system finds them: letter case does not matter, and either slash separates.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dirql::cli {

// A directory is read once and then remembered.
class DirectoryIndex {
public:
    // The file that `name`, a relative or absolute path, means in `directory` ("" is the current one): the path with
    // the real letters. An exact match goes before one in another case. Nothing when there is no such regular file.
    std::optional<std::string> find(const std::string& directory, std::string_view name);
    // The same for a directory.
    std::optional<std::string> find_directory(const std::string& directory, std::string_view name);

private:
    std::optional<std::string> find_any(const std::string& directory, std::string_view name);
    using Folded = std::multimap<std::string, std::string>; // lower-case name, real names in order

    const Folded& entries(const std::string& directory);
    std::optional<std::string> real_name(const std::string& directory, std::string_view name);

    std::map<std::string, Folded> directories_;
};

// directory + '/' + name; just the name in the current directory "".
std::string join(std::string_view directory, std::string_view name);
// What precedes the last slash, "" when there is none.
std::string directory_of(std::string_view path);

} // namespace dirql::cli
