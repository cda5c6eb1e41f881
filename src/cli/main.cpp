// The `dirql` tool: one program, a command as its first word.
#include "cli/commands.hpp"
#include "cli/outcome.hpp"
#include "cli/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#ifndef DIRQL_VERSION
#define DIRQL_VERSION "(no version given by the build)"
#endif

namespace {

using namespace dirql::cli;

struct Command {
    std::string_view name;
    int (*run)(Arguments arguments);
    std::string_view summary;
};

constexpr std::array commands{
    Command{"cc", cc_command, "compile a driver's Windows sources to a plug-in"},
    Command{"run", run_command, "load drivers into a machine and perform requests"},
    Command{"exports", exports_command, "list the kernel functions and data that drivers can use"},
};

int print_help() {
    print_to(stdout, "usage: dirql COMMAND [ARGUMENTS]\n\nLoads real NT drivers into an ordinary Linux process.\n\n");
    for (const auto& command : commands) print_to(stdout, "  {:<10}{}\n", command.name, command.summary);
    print_to(stdout, "\n`dirql COMMAND --help` says more about each.\n");
    return exit_fine;
}

int print_version() {
    print_to(stdout, "dirql {}\n", DIRQL_VERSION);
    return exit_fine;
}

int usage(std::string_view text) {
    say("dirql", text);
    return exit_usage;
}

// A stream that the caller has closed leaves its number to the next file opened, which its text would then go to.
void occupy_standard_streams() {
    int file;
    do file = ::open("/dev/null", O_RDONLY);
    while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0) ::close(file);
}

int run(Arguments words) {
    if (words.empty()) return usage("no command (dirql --help lists them)");
    if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return print_help();
    if (words[0] == "--version") return print_version();
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == words[0]; });
    if (command == commands.end())
        return usage(fmt::format("unknown command '{}' (dirql --help lists them)", words[0]));
    return command->run(words.subspan(1));
}

} // namespace

int main(int argc, char** argv) {
    occupy_standard_streams();
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    int status = exit_fine;
    try {
        status = run(words);
    } catch (const std::exception& error) {
        status = usage(error.what());
    }
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    if (written) return status;
    const int without_output = usage("stdout: not all of the output could be written");
    return status == exit_fine ? without_output : status;
}
