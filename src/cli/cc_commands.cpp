#include "cli/cc_commands.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dirql::cli {

namespace {

void append(Words& words, const std::vector<std::string>& more) { words.insert(words.end(), more.begin(), more.end()); }

// Each language has its own -std option; one for the other language is not for this source.
bool is_for(const std::string& option, Language language) {
    const bool chooses = option.starts_with("-std=") || option.starts_with("--std=");
    return !chooses || (option.find("++") != std::string::npos) == (language == Language::cpp);
}

bool is_default_overridden(const CcOptions& options, const std::string& definition) {
    return options.speaks_of_macro(std::string_view(definition).substr(0, definition.find('=')));
}

const char* language_name(const Source& source) {
    switch (source.language) {
    case Language::cpp: return "c++";
    case Language::assembly: return source.path.ends_with(".S") ? "assembler-with-cpp" : "assembler";
    default: return "c";
    }
}

void append_includes(Words& words, const Home& home, const Compiler& compiler) {
    append(words, home.flags.section("include"));
    for (const auto& directory : home.include_directories) append(words, {"-isystem", directory});
    append(words, {"-isystem", compiler.builtin_headers});
}

// The language, and what driver_flags.txt says about it.
void append_dialect(Words& words, const BuildContext& context, const Compiler& compiler, const Source& source) {
    const DriverFlags& flags = context.home.flags;
    const bool is_cpp = source.language == Language::cpp;
    words.push_back("-O2");
    append(words, flags.section("compile"));
    append(words, flags.section(is_cpp ? "compile-cxx" : "compile-c"));
    append(words, flags.section(compiler.is_clang ? "compile-clang" : "compile-gcc"));
    if (context.options.preempt) {
        append(words, flags.section("preempt"));
        if (compiler.is_clang) append(words, flags.section("preempt-clang"));
    }
    for (const auto& definition : flags.section("define"))
        if (!is_default_overridden(context.options, definition)) words.push_back("-D" + definition);
}

void append_options(Words& words, const Source& source, const PreparedSource& prepared) {
    for (const auto& option : prepared.options)
        if (is_for(option.name, source.language)) option.append_to(words);
    append(words, prepared.flags);
}

} // namespace

IncludeSearch include_search(const BuildContext& context, const Compiler& compiler) {
    IncludeSearch search;
    const auto add = [&](std::vector<IncludeSearch::Place>& places, std::string_view option) {
        for (auto& directory : context.options.arguments_of(option)) places.push_back({std::move(directory), false});
    };
    add(search.quote, "-iquote");
    add(search.angled, "-I");
    add(search.angled, "-isystem");
    for (const auto& directory : context.home.include_directories) search.angled.push_back({directory, true});
    search.angled.push_back({compiler.builtin_headers, true});
    add(search.angled, "-idirafter");
    return search;
}

Words compile_command(const BuildContext& context, const Compiler& compiler, const Source& source,
                      const PreparedSource& prepared, const std::string& object) {
    Words words = compiler.command;
    append(words, {"-x", language_name(source)});
    if (source.language != Language::assembly) append_dialect(words, context, compiler, source);
    if (!compiler.is_clang) words.push_back("-frandom-seed=" + source.path); // else names are made from the object's
    if (context.color) words.push_back("-fdiagnostics-color=always");
    append_options(words, source, prepared);
    append_includes(words, context.home, compiler);
    if (prepared.uses_seh)
        append(words, context.home.flags.section("seh")); // an -O of the user's has not the last word
    append(words, {"-c", prepared.path, "-o", object});
    return words;
}

Words link_command(const BuildContext& context, const Compiler& compiler, std::span<const std::string> objects,
                   const std::string& output) {
    Words words = compiler.command;
    append(words, context.home.flags.section("link"));
    if (context.options.integrity) append(words, context.home.flags.section("integrity"));
    words.insert(words.end(), objects.begin(), objects.end());
    append(words, context.options.link);
    append(words, {"-lgcc", "-o", output});
    return words;
}

} // namespace dirql::cli
