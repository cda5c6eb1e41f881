#include "cli/cc_prepare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace dirql::cli {

namespace {

namespace fs = std::filesystem;

// One #include of a file: where it leads, and the operand to write when the file is copied.
struct Edge {
    IncludeDirective directive;
    FoundInclude target;
    int file = -1; // index of the target; none for dirql's and the compiler's own headers
};

struct File {
    std::string path;
    SourceText source;
    std::vector<Edge> includes;
    std::vector<Replacement> replacements; // those besides the includes
    bool uses_seh = false;
    bool copied = false;
    std::string copy; // its path
};

std::string absolute(const std::string& path) { return fs::absolute(path).lexically_normal().string(); }

std::string as_literal(std::string_view text) {
    std::string literal = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') literal += '\\';
        literal += c;
    }
    return literal += '"';
}

// The files of one translation unit, found by following includes, whichever conditions stand around them.
class TranslationUnit {
public:
    TranslationUnit(Language language, IncludeResolver& resolver, std::string scratch)
        : language_(language), resolver_(resolver), scratch_(std::move(scratch)) {}

    // Adds a file and what it includes; its index.
    Outcome<int> add(const std::string& path);
    // Writes the copies of all files that need one.
    Outcome<void> copy();

    // What the compiler is to be given for a file added before.
    const std::string& compiled_path(int file) const {
        const File& entry = files_[static_cast<std::size_t>(file)];
        return entry.copied ? entry.copy : entry.path;
    }
    bool uses_seh() const {
        return std::any_of(files_.begin(), files_.end(), [](const File& file) { return file.uses_seh; });
    }
    const std::vector<std::string>& flags() const { return flags_; }

private:
    Outcome<void> follow(int file, const std::vector<IncludeDirective>& directives);
    void choose();
    bool needs_copy(const File& file) const;
    void place(File& file);
    std::string text_of_copy(const File& file) const;
    std::string operand(const Edge& edge) const;

    Language language_;
    IncludeResolver& resolver_;
    std::string scratch_;
    std::vector<File> files_;
    std::map<std::string, int> by_path_;
    std::vector<std::string> includers_;                // directories of the files being followed, outermost first
    std::map<std::string, std::string> copy_directory_; // of an original directory
    std::vector<std::string> flags_;
};

Outcome<int> TranslationUnit::add(const std::string& path) {
    const auto [at, is_new] =
        by_path_.try_emplace(fs::path(path).lexically_normal().string(), static_cast<int>(files_.size()));
    if (!is_new) return at->second;
    auto source = read_source(path);
    if (!source) return usage_error(fmt::format("{}: cannot be read", path));
    const int file = at->second;
    SourceFacts facts = scan_source(source->text, language_);
    files_.push_back({path, std::move(*source), {}, std::move(facts.replacements), facts.uses_seh, false, {}});
    includers_.push_back(directory_of(path));
    auto followed = follow(file, facts.includes);
    includers_.pop_back();
    if (!followed) return std::move(followed).assume_error();
    return file;
}

Outcome<void> TranslationUnit::follow(int file, const std::vector<IncludeDirective>& directives) {
    std::vector<Edge> edges;
    for (const auto& directive : directives) {
        auto found = resolver_.resolve(directive, includers_);
        if (!found) continue; // not there, or not reached: the compiler will know
        int target = -1;
        if (!found->own_header) target = BOOST_OUTCOME_TRYX(add(found->path));
        edges.push_back({directive, std::move(*found), target});
    }
    files_[static_cast<std::size_t>(file)].includes = std::move(edges);
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

bool TranslationUnit::needs_copy(const File& file) const {
    return file.source.altered || !file.replacements.empty() ||
           std::any_of(file.includes.begin(), file.includes.end(), [&](const Edge& edge) {
               return !edge.target.as_written || (edge.file >= 0 && files_[static_cast<std::size_t>(edge.file)].copied);
           });
}

// Whoever includes a copied file has to be copied too; includes may run in circles.
void TranslationUnit::choose() {
    for (bool changed = true; changed;) {
        changed = false;
        for (auto& file : files_) {
            if (file.copied || !needs_copy(file)) continue;
            file.copied = changed = true;
        }
    }
}

// Copies of one directory's files lie in one directory, whose name the debug information maps back.
void TranslationUnit::place(File& file) {
    const std::string original = directory_of(file.path);
    const auto [at, is_new] =
        copy_directory_.try_emplace(original, fmt::format("{}/{}", scratch_, copy_directory_.size()));
    if (is_new) {
        flags_.push_back(fmt::format("-ffile-prefix-map={}={}", join(at->second, ""), join(original, "")));
        flags_.push_back("-iquote" + (original.empty() ? "." : original)); // for includes whose operand is a macro
    }
    file.copy = join(at->second, fs::path(file.path).filename().string());
}

// An operand that leads gcc and clang to the target from anywhere.
std::string TranslationUnit::operand(const Edge& edge) const {
    const FoundInclude& target = edge.target;
    if (edge.file >= 0 && files_[static_cast<std::size_t>(edge.file)].copied)
        return fmt::format("\"{}\"", files_[static_cast<std::size_t>(edge.file)].copy);
    if (target.name.empty()) return fmt::format("\"{}\"", absolute(target.path));
    return edge.directive.quoted ? fmt::format("\"{}\"", target.name) : fmt::format("<{}>", target.name);
}

std::string TranslationUnit::text_of_copy(const File& file) const {
    std::string text = fmt::format("#line 1 {}\n", as_literal(file.path));
    std::vector<Replacement> replacements = file.replacements;
    for (const auto& edge : file.includes)
        replacements.push_back({edge.directive.begin, edge.directive.end, operand(edge)});
    std::sort(replacements.begin(), replacements.end(),
              [](const Replacement& one, const Replacement& other) { return one.begin < other.begin; });
    std::size_t done = 0;
    for (const auto& replacement : replacements) {
        text.append(file.source.text, done, replacement.begin - done).append(replacement.text);
        done = replacement.end;
    }
    return text.append(file.source.text, done);
}

Outcome<void> TranslationUnit::copy() {
    choose();
    for (auto& file : files_)
        if (file.copied) place(file);
    for (const auto& file : files_) {
        if (!file.copied) continue;
        std::error_code error;
        fs::create_directories(directory_of(file.copy), error);
        std::ofstream out(file.copy, std::ios::binary);
        if (!(out << text_of_copy(file)).flush()) return usage_error(fmt::format("{}: cannot be written", file.copy));
    }
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

bool names_a_source(const CompilerOption& option) { return option.name == "-include" || option.name == "-imacros"; }

} // namespace

Outcome<PreparedSource> prepare_source(const Source& source, const CcOptions& options, IncludeResolver& resolver,
                                       const std::string& scratch) {
    PreparedSource prepared{source.path, options.compile, {}, false};
    if (source.language == Language::assembly) return prepared;
    TranslationUnit unit(source.language, resolver, scratch);
    const int main_file = BOOST_OUTCOME_TRYX(unit.add(source.path));
    std::vector<std::pair<CompilerOption*, int>> forced;
    for (auto& option : prepared.options) {
        if (!names_a_source(option)) continue;
        const std::string here[] = {std::string()};
        const auto found = resolver.resolve({0, 0, *option.argument, true}, here);
        if (!found || found->own_header) continue;
        const int file = BOOST_OUTCOME_TRYX(unit.add(found->path));
        forced.emplace_back(&option, file);
    }
    BOOST_OUTCOME_TRYV(unit.copy());
    prepared.path = unit.compiled_path(main_file);
    for (const auto& [option, file] : forced) option->argument = unit.compiled_path(file);
    prepared.flags = unit.flags();
    prepared.uses_seh = unit.uses_seh();
    return prepared;
}

} // namespace dirql::cli
