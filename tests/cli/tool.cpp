#include "tool.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include <sys/wait.h>
#include <unistd.h>

namespace cli_test {

namespace fs = std::filesystem;

namespace {

std::string shell_word(const std::string& text) {
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word += '\'';
}

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string sorted_lines(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    std::string joined;
    for (const auto& line : lines) joined += line + '\n';
    return joined;
}

ToolResult execute(const Workplace& place, const std::vector<std::string>& words,
                   const std::vector<std::string>& environment, const std::string& redirections) {
    const Workplace streams; // beside the workplace, which tests look through
    std::string line = "cd " + shell_word(place.path().string()) + " && exec env -u CC -u CXX -u DIRQL_INCLUDE";
    for (const auto& setting : environment) line += ' ' + shell_word(setting);
    for (const auto& word : words) line += ' ' + shell_word(word);
    const auto out = streams.path() / "out";
    const auto err = streams.path() / "err";
    line += " >" + shell_word(out.string()) + " 2>" + shell_word(err.string()) + " </dev/null " + redirections;
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content_of(out), content_of(err)};
}

} // namespace

Workplace::Workplace() {
    std::string name = (fs::temp_directory_path() / "dirql-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
}

Workplace::~Workplace() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

void Workplace::write(const std::string& name, std::string_view content) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
}

std::string Workplace::read(const std::string& name) const { return content_of(path_ / name); }

bool Workplace::has(const std::string& name) const { return fs::exists(path_ / name); }

void Workplace::make_executable(const std::string& name) const {
    fs::permissions(path_ / name, fs::perms::owner_all, fs::perm_options::add);
}

ToolResult run(const Workplace& place, const std::vector<std::string>& words,
               const std::vector<std::string>& environment) {
    return execute(place, words, environment, {});
}

ToolResult dirql(const Workplace& place, std::vector<std::string> words, const std::vector<std::string>& environment) {
    words.insert(words.begin(), DIRQL_TOOL);
    return run(place, words, environment);
}

ToolResult dirql_redirected(const Workplace& place, std::vector<std::string> words, const std::string& redirections) {
    words.insert(words.begin(), DIRQL_TOOL);
    return execute(place, words, {}, redirections);
}

std::vector<std::string> compilers() {
    const Workplace place;
    std::vector<std::string> found;
    for (const std::string name : {"gcc", "clang"})
        if (run(place, {name, "--version"}).status == 0) found.push_back(name);
    return found;
}

std::string undefined_names(const Workplace& place, const std::string& file) {
    return sorted_lines(run(place, {"nm", "-D", "-u", "-j", file}).out);
}

} // namespace cli_test
