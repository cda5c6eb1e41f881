// The dirql program as a user meets it: files in a directory of the test's own, a command line, what it prints.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace cli_test {

// A fresh directory, removed at the end; the current directory of what runs in it.
class Workplace {
public:
    Workplace();
    Workplace(const Workplace&) = delete;
    Workplace& operator=(const Workplace&) = delete;
    ~Workplace();

    const std::filesystem::path& path() const { return path_; }
    void write(const std::string& name, std::string_view content) const; // makes its directories
    std::string read(const std::string& name) const;
    bool has(const std::string& name) const;
    void make_executable(const std::string& name) const;

private:
    std::filesystem::path path_;
};

struct ToolResult {
    int status; // 128 + the signal when one ended it
    std::string out;
    std::string err;
};

// Runs a program there. `environment` are NAME=VALUE words; $CC, $CXX and $DIRQL_INCLUDE are unset otherwise.
ToolResult run(const Workplace& place, const std::vector<std::string>& words,
               const std::vector<std::string>& environment = {});

// Runs the dirql that was built with this test.
ToolResult dirql(const Workplace& place, std::vector<std::string> words,
                 const std::vector<std::string>& environment = {});

// The same with streams of its own, in the shell's words: `>/dev/full`, `2>&-`.
ToolResult dirql_redirected(const Workplace& place, std::vector<std::string> words, const std::string& redirections);

// Those of gcc and clang that are installed.
std::vector<std::string> compilers();

// Dynamic symbols of an ELF file that are undefined, sorted, one a line.
std::string undefined_names(const Workplace& place, const std::string& file);

} // namespace cli_test
