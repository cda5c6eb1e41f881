#include "cli/cc_compiler.hpp"

#include <boost/algorithm/string.hpp>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace dirql::cli {

namespace {

namespace fs = std::filesystem;

bool is_installed(std::string_view program) {
    const char* path = std::getenv("PATH");
    if (path == nullptr) return false;
    Words directories;
    boost::split(directories, path, boost::is_any_of(":"));
    return std::any_of(directories.begin(), directories.end(), [&](const std::string& directory) {
        return ::access((fs::path(directory) / program).c_str(), X_OK) == 0;
    });
}

std::string name_for(Language language, const CcOptions& options) {
    if (options.compiler) return *options.compiler;
    const std::array variables = language == Language::cpp ? std::array{"CXX", "CC"} : std::array{"CC", "CXX"};
    for (const char* variable : variables)
        if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') return value;
    for (const char* program : {"gcc", "clang", "cc"})
        if (is_installed(program)) return program;
    return "gcc";
}

// A path with blanks in it is one word; otherwise blanks separate a launcher and arguments.
Words command_of(const std::string& name) {
    if (::access(name.c_str(), X_OK) == 0) return {name};
    Words words;
    boost::split(words, boost::trim_copy(name), boost::is_space(), boost::token_compress_on);
    return words;
}

Words with(Words command, std::initializer_list<std::string> more) {
    command.insert(command.end(), more);
    return command;
}

bool says(const std::string& macros, std::string_view name) {
    return macros.find(fmt::format("#define {} ", name)) != macros.npos;
}

} // namespace

Outcome<Compiler> Compilers::examine(const std::string& name) const {
    Compiler compiler{command_of(name), false, {}};
    const auto macros =
        BOOST_OUTCOME_TRYX(run_program(with(compiler.command, {"-dM", "-E", "-x", "c", "/dev/null"}), scratch_));
    if (macros.status != 0 || !says(macros.output, "__GNUC__"))
        return usage_error(fmt::format("{}: neither gcc nor clang", name));
    if (!says(macros.output, "__x86_64__") || !says(macros.output, "__linux__"))
        return usage_error(fmt::format("{}: does not compile for x86-64 Linux", name));
    compiler.is_clang = says(macros.output, "__clang__");
    auto include = BOOST_OUTCOME_TRYX(run_program(with(compiler.command, {"-print-file-name=include"}), scratch_));
    compiler.builtin_headers = boost::trim_copy(include.output);
    return compiler;
}

Outcome<const Compiler*> Compilers::for_language(Language language) {
    const std::string name = name_for(language, options_);
    if (const auto found = known_.find(name); found != known_.end()) return &found->second;
    auto compiler = BOOST_OUTCOME_TRYX(examine(name));
    return &known_.emplace(name, std::move(compiler)).first->second;
}

} // namespace dirql::cli
