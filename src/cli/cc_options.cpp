#include "cli/cc_options.hpp"

#include "cli/cc_directory_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace dirql::cli {

const char* const cc_help =
    R"(usage: dirql cc [-o FILE] [options] [compiler options] SOURCES...

Compiles a driver's unmodified Windows sources to a plug-in that a dirql machine loads.

  -o FILE                  the plug-in (default: the first source's name with .so)
  --compiler COMPILER      gcc, clang or one of that family (default: $CC for C, $CXX for C++, else gcc or clang)
  --no-preempt             no preemption point at each basic block; calls of kernel functions still are
  --integrity              sets IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY in the image, as link.exe /INTEGRITYCHECK:
                           ObRegisterCallbacks and PsSetCreateProcessNotifyRoutineEx refuse routines without it
  --compile-commands FILE  also write compile_commands.json for editors and analysers
  --include-root DIR       the drivers' headers, a directory with km and shared in it (default: $DIRQL_INCLUDE, else dirql's)
  --verbose                print each command that is run
  --help                   this text

Compiler options (-I -D -U -O -std -W -f -m -g -include -x ...) are handed on; -L -l -Wl,... go to the linker. DBG is 1
unless -DDBG=0 or -UDBG says otherwise. Sources that use SEH are compiled with -O0, all others with -O2 or the -O given.
Includes are found as on Windows: in any letter case, with either slash. Sources in UTF-16 are read too.

exit status: 0 built, 1 compile or link error, 2 usage,
             5 the driver needs functions that dirql does not have (all are named), or has no DriverEntry
)";

void CompilerOption::append_to(std::vector<std::string>& words) const {
    words.push_back(apart || !argument ? name : name + *argument);
    if (apart) words.push_back(*argument);
}

std::vector<std::string> CcOptions::arguments_of(std::string_view name) const {
    std::vector<std::string> found;
    for (const auto& option : compile)
        if (option.name == name && option.argument) found.push_back(*option.argument);
    return found;
}

bool CcOptions::speaks_of_macro(std::string_view macro) const {
    return std::any_of(compile.begin(), compile.end(), [&](const CompilerOption& option) {
        if (option.name != "-D" && option.name != "-U") return false;
        return std::string_view(*option.argument).substr(0, option.argument->find_first_of("=(")) == macro;
    });
}

namespace {

template <class... Text> constexpr std::array<std::string_view, sizeof...(Text)> words(Text... text) {
    return {text...};
}

// Options whose argument may follow at once or as the next word. dirql cc itself looks at some of them.
constexpr auto joinable = words("-D", "-U", "-I", "-iquote", "-isystem", "-idirafter");
// Those whose argument is a directory, which may be spelled as on Windows.
constexpr auto directory_options = words("-I", "-iquote", "-isystem", "-idirafter");
// Options whose argument is always the next word.
constexpr auto with_argument = words("-include", "-imacros", "-isysroot", "-MF", "-MT", "-MQ", "-Xclang",
                                     "-Xpreprocessor", "-Xassembler", "-mllvm", "-target", "--param");
constexpr auto linker_with_argument = words("-L", "-l", "-T", "-u", "-z", "-Xlinker");
constexpr auto linker_prefixes = words("-Wl,", "-fuse-ld=", "-L", "-l", "-T");
constexpr auto foreign_long_options = words("--param=", "--std=");
constexpr auto other_modes = words("-c", "-S", "-E", "-M", "-MM", "-r", "-fsyntax-only", "-static", "-pie");

struct Extension {
    std::string_view suffix; // lower case
    Language language;
};
constexpr std::array extensions{
    Extension{".c", Language::c},      Extension{".cpp", Language::cpp},  Extension{".cc", Language::cpp},
    Extension{".cxx", Language::cpp},  Extension{".c++", Language::cpp},  Extension{".s", Language::assembly},
    Extension{".o", Language::object}, Extension{".a", Language::object},
};

struct PassedOver {
    std::string_view suffix; // lower case
    const char* why;
};
constexpr std::array passed_over{
    PassedOver{".rc", "resources are not part of a plug-in"},
    PassedOver{".res", "resources are not part of a plug-in"},
    PassedOver{".mc", "message tables are not compiled; the header that mc.exe makes of one has to be there"},
    PassedOver{".def", "a plug-in needs no module definition"},
    PassedOver{".lib", "import libraries are not needed: kernel functions are dirql's own"},
    PassedOver{".h", "headers are compiled where they are included"},
    PassedOver{".hpp", "headers are compiled where they are included"},
    PassedOver{".inf", "setup information is not compiled"},
    PassedOver{".mof", "WMI schemas are not compiled"},
};

bool contains(std::span<const std::string_view> list, std::string_view word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

// The member of `list` that `word` begins with, or nothing.
std::string_view prefix_in(std::span<const std::string_view> list, std::string_view word) {
    const auto at =
        std::find_if(list.begin(), list.end(), [&](std::string_view prefix) { return word.starts_with(prefix); });
    return at == list.end() ? std::string_view{} : *at;
}

std::string lower_suffix(std::string_view path) {
    std::string suffix = std::filesystem::path(path).extension().string();
    for (char& letter : suffix)
        if (letter >= 'A' && letter <= 'Z') letter += 'a' - 'A';
    return suffix;
}

class Parser {
public:
    explicit Parser(Arguments words) : words_(words) {}

    Outcome<CcOptions> parse() {
        while (at_ < words_.size()) {
            BOOST_OUTCOME_TRYV(option_or_source(words_[at_++]));
        }
        if (!options_.help) {
            BOOST_OUTCOME_TRYV(finish());
        }
        return std::move(options_);
    }

private:
    using Done = Outcome<void>;
    static Done done() { return BOOST_OUTCOME_V2_NAMESPACE::success(); }

    Done option_or_source(std::string_view word) {
        if (word.size() < 2 || word[0] != '-') return source(word);
        if (word.starts_with("--")) return long_option(word);
        if (contains(other_modes, word))
            return usage_error(fmt::format("{}: dirql cc compiles and links in one step", word));
        if (word.starts_with("-o")) return text_after(word, "-o", options_.output);
        if (word.starts_with("-x")) return forced_language(word);
        if (contains(linker_with_argument, word) || !prefix_in(linker_prefixes, word).empty())
            return linker_option(word);
        return compiler_option(word);
    }

    Done long_option(std::string_view word) {
        if (word == "--help")
            options_.help = true;
        else if (word == "--verbose")
            options_.verbose = true;
        else if (word == "--no-preempt")
            options_.preempt = false;
        else if (word == "--integrity")
            options_.integrity = true;
        else if (word == "--compiler" || word.starts_with("--compiler="))
            return text_of(word, "--compiler", options_.compiler);
        else if (word == "--compile-commands" || word.starts_with("--compile-commands="))
            return text_of(word, "--compile-commands", options_.compile_commands);
        else if (word == "--include-root" || word.starts_with("--include-root="))
            return text_of(word, "--include-root", options_.include_root);
        else if (word == "--param" || !prefix_in(foreign_long_options, word).empty())
            return compiler_option(word);
        else
            return usage_error(fmt::format("unknown option '{}' (dirql cc --help lists them)", word));
        return done();
    }

    Done compiler_option(std::string_view word) {
        std::string_view name = prefix_in(joinable, word);
        const bool takes_argument = !name.empty() || contains(with_argument, word);
        if (name.empty()) name = word;
        CompilerOption option{std::string(name), std::nullopt, takes_argument && name == word};
        if (takes_argument) {
            BOOST_OUTCOME_TRYV(text_after(word, name, option.argument.emplace()));
        }
        if (contains(directory_options, name)) option.argument = real_directory(*option.argument);
        options_.compile.push_back(std::move(option));
        return done();
    }

    Done linker_option(std::string_view word) {
        options_.link.emplace_back(word);
        if (!contains(linker_with_argument, word)) return done();
        std::string argument;
        BOOST_OUTCOME_TRYV(text_after(word, word, argument));
        options_.link.push_back(std::move(argument));
        return done();
    }

    // -x LANGUAGE: what the sources after it are, whatever their names (`-x none`: by their names again).
    Done forced_language(std::string_view word) {
        std::string language;
        BOOST_OUTCOME_TRYV(text_after(word, "-x", language));
        if (language == "none")
            forced_.reset();
        else if (language == "c")
            forced_ = Language::c;
        else if (language == "c++")
            forced_ = Language::cpp;
        else
            return usage_error(fmt::format("-x {}: a driver is written in c or c++", language));
        return done();
    }

    Done source(std::string_view word) {
        const std::string suffix = lower_suffix(word);
        const auto skipped = std::find_if(passed_over.begin(), passed_over.end(),
                                          [&](const PassedOver& entry) { return entry.suffix == suffix; });
        if (!forced_ && skipped != passed_over.end()) {
            options_.notes.push_back(fmt::format("{}: passed over: {}", word, skipped->why));
            return done();
        }
        const auto known = std::find_if(extensions.begin(), extensions.end(),
                                        [&](const Extension& entry) { return entry.suffix == suffix; });
        const auto path = real_file(word);
        if (!path) return usage_error(fmt::format("{}: {}", word, is_directory(word) ? "a directory" : "no such file"));
        if (!forced_ && known == extensions.end())
            return usage_error(fmt::format("{}: not a C or C++ source (.c .cpp .cc .cxx)", word));
        options_.sources.push_back({*path, forced_ ? *forced_ : known->language});
        return done();
    }

    // Names spelled as on Windows are looked up; those that are right already stay as they are.
    std::optional<std::string> real_file(std::string_view name) {
        std::error_code error;
        if (std::filesystem::is_regular_file(name, error)) return std::string(name);
        return directories_.find("", name);
    }
    static bool is_directory(std::string_view name) {
        std::error_code error;
        return std::filesystem::is_directory(name, error);
    }
    std::string real_directory(const std::string& name) {
        if (is_directory(name)) return name;
        return directories_.find_directory("", name).value_or(name);
    }

    Done text_of(std::string_view word, std::string_view name, std::optional<std::string>& text) {
        std::string found;
        if (word.size() > name.size())
            found = word.substr(name.size() + 1); // --name=text
        else {
            BOOST_OUTCOME_TRYV(text_after(word, name, found));
        }
        if (found.empty()) return usage_error(fmt::format("{} needs an argument", name));
        text = std::move(found);
        return done();
    }

    // The argument of `name`: the rest of the word, or the next word.
    Done text_after(std::string_view word, std::string_view name, std::string& text) {
        if (word.size() > name.size())
            text = word.substr(name.size());
        else if (at_ < words_.size())
            text = words_[at_++];
        else
            return usage_error(fmt::format("{} needs an argument", name));
        return done();
    }

    Done finish() {
        const auto compiled = std::find_if(options_.sources.begin(), options_.sources.end(),
                                           [](const Source& source) { return source.language != Language::object; });
        if (compiled == options_.sources.end()) return usage_error("no sources (dirql cc --help shows how)");
        if (options_.output.empty()) options_.output = std::filesystem::path(compiled->path).stem().string() + ".so";
        if (options_.compile_commands) {
            BOOST_OUTCOME_TRYV(can_be_output("--compile-commands", *options_.compile_commands));
        }
        return can_be_output("-o", options_.output);
    }

    // What stands there is replaced: it must be a file, and none that is being read.
    Done can_be_output(std::string_view name, const std::string& path) const {
        namespace fs = std::filesystem;
        std::error_code error;
        const fs::path directory = fs::absolute(path).parent_path();
        if (!fs::is_directory(directory, error))
            return usage_error(fmt::format("{} {}: no such directory", name, path));
        if (fs::exists(path, error) && !fs::is_regular_file(path, error))
            return usage_error(fmt::format("{} {}: not a regular file", name, path));
        for (const auto& source : options_.sources)
            if (fs::equivalent(source.path, path, error))
                return usage_error(fmt::format("{} {}: that is one of the sources", name, path));
        return done();
    }

    Arguments words_;
    DirectoryIndex directories_;
    std::size_t at_ = 0;
    std::optional<Language> forced_;
    CcOptions options_;
};

} // namespace

Outcome<CcOptions> parse_cc_options(Arguments arguments) { return Parser(arguments).parse(); }

} // namespace dirql::cli
