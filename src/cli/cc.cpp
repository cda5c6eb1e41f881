// `dirql cc`: from a driver's Windows sources to a plug-in.
#include "cli/cc_commands.hpp"
#include "cli/cc_compile_commands.hpp"
#include "cli/cc_plugin_check.hpp"
#include "cli/cc_scratch.hpp"
#include "cli/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <thread>

#include <unistd.h>

namespace dirql::cli {

namespace {

void say_lines(std::string_view text) {
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        say("dirql cc", line);
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
}

// One run of the command. Its members are made and destroyed while interrupts wait.
class Build {
public:
    Build(const CcOptions& options, Home home, ScratchDirectory scratch)
        : options_(options), home_(std::move(home)), scratch_(std::move(scratch)), compilers_(options, scratch_.path()),
          output_(options.output) {}

    Outcome<void> run() {
        for (std::size_t i = 0; i < options_.sources.size(); ++i) {
            BOOST_OUTCOME_TRYV(plan(i));
        }
        if (options_.compile_commands) {
            BOOST_OUTCOME_TRYV(write_compile_commands(*options_.compile_commands, entries_));
        }
        BOOST_OUTCOME_TRYV(compile());
        BOOST_OUTCOME_TRYV(link());
        BOOST_OUTCOME_TRYV(check_plugin(output_.path()));
        return output_.keep();
    }

private:
    Outcome<void> plan(std::size_t index);
    Outcome<void> compile();
    Outcome<void> link();
    void show(const Words& command) const;

    const CcOptions& options_;
    Home home_;
    ScratchDirectory scratch_;
    Compilers compilers_;
    PendingOutput output_;
    DirectoryIndex directories_;
    const BuildContext context_{options_, home_, ::isatty(STDERR_FILENO) == 1};
    std::vector<Words> commands_;
    std::vector<CompileEntry> entries_;
    std::vector<std::string> objects_;
};

Outcome<void> Build::plan(std::size_t index) {
    const Source& source = options_.sources[index];
    if (source.language == Language::object) {
        objects_.push_back(source.path);
        return BOOST_OUTCOME_V2_NAMESPACE::success();
    }
    const Compiler* compiler = BOOST_OUTCOME_TRYX(compilers_.for_language(source.language));
    IncludeResolver resolver(include_search(context_, *compiler), directories_);
    const auto prepared =
        BOOST_OUTCOME_TRYX(prepare_source(source, options_, resolver, fmt::format("{}/{}", scratch_.path(), index)));
    objects_.push_back(fmt::format("{}/{}.o", scratch_.path(), index));
    commands_.push_back(compile_command(context_, *compiler, source, prepared, objects_.back()));

    const PreparedSource original{source.path, options_.compile, {}, prepared.uses_seh};
    const std::string object = std::filesystem::path(source.path).stem().string() + ".o";
    entries_.push_back({source.path, compile_command(context_, *compiler, source, original, object)});
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

void Build::show(const Words& command) const {
    if (options_.verbose) print_to(stderr, "{}\n", fmt::join(command, " "));
}

Outcome<void> Build::compile() {
    for (const auto& command : commands_) show(command);
    bool failed = false;
    const auto report = [&](std::size_t index, const Finished& finished) {
        std::fputs(finished.output.c_str(), stderr);
        if (finished.status > 128)
            say_lines(fmt::format("{} was ended by signal {}", commands_[index].front(), finished.status - 128));
        failed = failed || finished.status != 0;
    };
    const unsigned processors = std::max(std::thread::hardware_concurrency(), 1u);
    BOOST_OUTCOME_TRYV(run_programs(commands_, processors, scratch_.path(), report));
    if (failed) return Failure{exit_compile_error, {}}; // the compiler has said why
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

// The linker's warnings are kept from the user: what matters of them, check_plugin says better.
Outcome<void> Build::link() {
    const bool is_cpp = std::any_of(options_.sources.begin(), options_.sources.end(),
                                    [](const Source& source) { return source.language == Language::cpp; });
    const Compiler* compiler = BOOST_OUTCOME_TRYX(compilers_.for_language(is_cpp ? Language::cpp : Language::c));
    const Words command = link_command(context_, *compiler, objects_, output_.path());
    show(command);
    const auto finished = BOOST_OUTCOME_TRYX(run_program(command, scratch_.path()));
    if (finished.status != 0 || options_.verbose) std::fputs(finished.output.c_str(), stderr);
    if (finished.status != 0) return Failure{exit_compile_error, {}};
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

Outcome<void> build(const CcOptions& options) {
    const InterruptGuard guard;
    auto home = BOOST_OUTCOME_TRYX(find_home(options.include_root));
    auto scratch = BOOST_OUTCOME_TRYX(ScratchDirectory::make());
    return Build(options, std::move(home), std::move(scratch)).run();
}

} // namespace

int cc_command(Arguments arguments) {
    const auto options = parse_cc_options(arguments);
    if (!options) {
        say_lines(options.error().text);
        return options.error().status;
    }
    if (options.value().help) {
        std::fputs(cc_help, stdout);
        return exit_fine;
    }
    for (const auto& note : options.value().notes) say_lines(note);
    const auto built = build(options.value());
    if (built) return exit_fine;
    say_lines(built.error().text);
    return built.error().status;
}

} // namespace dirql::cli
