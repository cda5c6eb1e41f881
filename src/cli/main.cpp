// The `dirql` tool: one program, a command as its first word.
#include "cli/commands.hpp"
#include "cli/outcome.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

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
    fmt::print("usage: dirql COMMAND [ARGUMENTS]\n\nLoads real NT drivers into an ordinary Linux process.\n\n");
    for (const auto& command : commands) fmt::print("  {:<10}{}\n", command.name, command.summary);
    fmt::print("\n`dirql COMMAND --help` says more about each.\n");
    return exit_fine;
}

int print_version() {
    fmt::print("dirql {}\n", DIRQL_VERSION);
    return exit_fine;
}

int usage(std::string_view text) {
    fmt::print(stderr, "dirql: {}\n", text);
    return exit_usage;
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    if (words.empty()) return usage("no command (dirql --help lists them)");
    if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return print_help();
    if (words[0] == "--version") return print_version();
    const auto command =
        std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == words[0]; });
    if (command == commands.end())
        return usage(fmt::format("unknown command '{}' (dirql --help lists them)", words[0]));
    return command->run(Arguments(words).subspan(1));
}
