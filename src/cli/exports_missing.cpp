#include "cli/exports_missing.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <optional>

namespace dirql::cli {
namespace {

namespace fs = std::filesystem;

bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool continues_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

struct Token {
    std::string_view text; // a name, or one character of punctuation
    unsigned line = 0;
    bool directive = false; // in a line that begins with #
};

// Comments, literals and numbers are passed over.
class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    std::optional<Token> next() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '\n') {
                new_line();
            } else if (starts("//")) {
                skip_line();
            } else if (starts("/*")) {
                skip_comment();
            } else if (c == '"' || c == '\'') {
                skip_literal(c);
            } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
                while (at_ < text_.size() && (continues_name(text_[at_]) || text_[at_] == '.')) ++at_;
            } else if (begins_name(c)) {
                return name();
            } else if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '\\') {
                ++at_;
            } else {
                if (c == '#' && first_in_line_) directive_ = true;
                first_in_line_ = false;
                return Token{text_.substr(at_++, 1), line_, directive_};
            }
        }
        return std::nullopt;
    }

private:
    bool starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }

    void new_line() {
        const bool continued = at_ != 0 && text_[at_ - 1] == '\\';
        if (!continued) {
            directive_ = false;
            first_in_line_ = true;
        }
        ++line_;
        ++at_;
    }
    void skip_line() {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    }
    void skip_comment() {
        const std::size_t end = std::min(text_.find("*/", at_ + 2), text_.size());
        line_ += static_cast<unsigned>(std::count(text_.begin() + at_, text_.begin() + end, '\n'));
        at_ = std::min(end + 2, text_.size());
    }
    void skip_literal(char quote) {
        for (++at_; at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n'; ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
        }
        if (at_ < text_.size() && text_[at_] == quote) ++at_;
        first_in_line_ = false;
    }
    Token name() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
        first_in_line_ = false;
        return {text_.substr(begin, at_ - begin), line_, directive_};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    bool directive_ = false;
    bool first_in_line_ = true;
};

// Finds functions with bodies: a name and its parentheses at file level, then a brace before any semicolon.
class Definitions {
public:
    // The function whose body begins here, if one does.
    std::optional<Token> take(const Token& token) {
        if (token.directive) return std::nullopt;
        if (token.text == "{") return open_brace();
        if (token.text == "}") depth_ = std::max(depth_ - 1, 0);
        if (depth_ != 0) return std::nullopt;
        if (token.text == "(" && parentheses_++ == 0 && begins_name(last_.text.empty() ? ' ' : last_.text[0]))
            candidate_ = last_;
        if (token.text == ")") parentheses_ = std::max(parentheses_ - 1, 0);
        if (token.text == ";" || token.text == "}" || token.text == "=") candidate_.reset();
        last_ = token;
        return std::nullopt;
    }

private:
    std::optional<Token> open_brace() {
        if (last_is_linkage()) return std::nullopt; // extern "C" {
        std::optional<Token> defined;
        if (depth_++ == 0) std::swap(defined, candidate_);
        parentheses_ = 0;
        return defined;
    }
    bool last_is_linkage() const { return depth_ == 0 && (last_.text == "extern" || in_namespace()); }
    bool in_namespace() const { return last_.text == "namespace"; }

    int depth_ = 0;
    int parentheses_ = 0;
    Token last_;
    std::optional<Token> candidate_;
};

bool is_source_name(const fs::path& path) {
    constexpr std::array<std::string_view, 8> extensions{".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".inl"};
    std::string extension = path.extension().string();
    std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::ranges::find(extensions, extension) != extensions.end();
}

void find_in_directory(const fs::path& directory, std::vector<std::string>& files) {
    std::error_code ignored;
    for (fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, ignored), end;
         at != end; at.increment(ignored)) {
        if (at->is_regular_file(ignored) && is_source_name(at->path())) files.push_back(at->path().string());
    }
}

} // namespace

void SourceNames::add(const std::string& file, std::string_view text) {
    Lexer lexer(text);
    Definitions definitions;
    Token last;
    while (const auto token = lexer.next()) {
        if (const auto function = definitions.take(*token)) made_.try_emplace(std::string(function->text));
        if (begins_name(token->text[0])) {
            auto& names = token->directive && last.text == "define" ? made_ : used_;
            names.try_emplace(std::string(token->text), Place{file, token->line});
        }
        last = *token;
    }
}

std::map<std::string, Place> SourceNames::foreign() const {
    std::map<std::string, Place> names = used_;
    for (const auto& [name, place] : made_) names.erase(name);
    return names;
}

SourceFiles find_sources(const std::vector<std::string>& paths) {
    SourceFiles found;
    for (const auto& path : paths) {
        std::error_code ignored;
        if (fs::is_directory(path, ignored)) {
            find_in_directory(path, found.files);
        } else if (fs::is_regular_file(path, ignored)) {
            found.files.push_back(path);
        } else {
            found.unreadable.push_back(path);
        }
    }
    std::ranges::sort(found.files);
    return found;
}

} // namespace dirql::cli
