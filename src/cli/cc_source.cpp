#include "cli/cc_source.hpp"

#include <boost/locale/encoding_utf.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <fstream>
#include <iterator>

namespace dirql::cli {

namespace {

constexpr char old_end_of_file = '\x1a'; // where CP/M and the Microsoft compiler stop reading

std::string utf8_of_utf16(std::string_view bytes, bool big_endian) {
    std::u16string units(bytes.size() / 2, u'\0');
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto first = static_cast<std::uint8_t>(bytes[2 * i]);
        const auto second = static_cast<std::uint8_t>(bytes[2 * i + 1]);
        units[i] = static_cast<char16_t>(big_endian ? first << 8 | second : second << 8 | first);
    }
    return boost::locale::conv::utf_to_utf<char>(units);
}

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

// A lexer that knows just enough of C: where comments, literals and directives are, and which words stand between.
class Scanner {
public:
    Scanner(std::string_view text, Language language) : text_(text), language_(language) {}

    SourceFacts scan() {
        while (at_ < text_.size()) step();
        facts_.uses_seh = microsoft_try_ || (language_ == Language::c && braced_try_ && handler_word_);
        return std::move(facts_);
    }

private:
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    void step() {
        const char c = peek();
        if (c == '\n')
            end_line();
        else if (is_blank(c))
            ++at_;
        else if (c == '/' && peek(1) == '/')
            skip_line();
        else if (c == '/' && peek(1) == '*')
            skip_comment();
        else if (c == '#' && line_start_)
            directive();
        else
            token(c);
    }

    void end_line() {
        std::string_view before = text_.substr(0, at_);
        if (before.ends_with('\r')) before.remove_suffix(1);
        const bool continued = before.ends_with('\\');
        in_macro_ = in_macro_ && continued;
        line_start_ = !continued;
        ++at_;
    }

    void token(char c) {
        line_start_ = false;
        if (c == '"' || c == '\'') return skip_literal(c);
        if (is_word(c)) return word();
        if (c == '#' && in_macro_) return hashes();
        if (c == '{' && last_word_ == "try") braced_try_ = true;
        if (c != '\\') last_ = c == '>' && last_ == '-' ? '(' : c; // "->" joins with nothing, as brackets do
        last_word_ = {};
        ++at_;
    }

    // # or ## in a macro's body.
    void hashes() {
        const std::size_t begin = at_;
        at_ += peek(1) == '#' ? 2 : 1;
        const bool is_single = at_ == begin + 1;
        if (is_single && last_word_ == "L" && text_[begin - 1] == 'L')
            facts_.replacements.push_back({begin, at_, "## #"});
        if (!is_single && (never_joins(last_) || never_joins(next()))) facts_.replacements.push_back({begin, at_, " "});
        last_ = '#';
        last_word_ = {};
    }

    // A token that ends, or begins, with this character and can be pasted to no other.
    static bool never_joins(char c) { return std::string_view("\"()[]{};").find(c) != std::string_view::npos; }

    // The character that begins the next token of the line. A string may follow L ##, so it is none that never joins.
    char next() const {
        const std::size_t found = text_.find_first_not_of(" \t\r\n\\", at_);
        return found == std::string_view::npos || text_[found] == '"' ? 'L' : text_[found];
    }

    void word() {
        const std::size_t begin = at_;
        while (is_word(peek())) ++at_;
        last_word_ = text_.substr(begin, at_ - begin);
        last_ = last_word_.back();
        if (last_word_.front() >= '0' && last_word_.front() <= '9') return number(begin);
        if (last_word_ == "__try" || last_word_ == "_try") microsoft_try_ = true;
        if (last_word_ == "except" || last_word_ == "finally") handler_word_ = true;
    }

    // The Microsoft suffixes i8 to i64 and ui8 to ui64. No digit is an i, so what follows it is the size.
    void number(std::size_t begin) {
        std::size_t suffix = last_word_.find_first_of("iI");
        if (suffix == std::string_view::npos) return;
        const std::string_view size = last_word_.substr(suffix + 1);
        if (size != "8" && size != "16" && size != "32" && size != "64") return;
        const bool is_unsigned = last_word_[suffix - 1] == 'u' || last_word_[suffix - 1] == 'U';
        if (is_unsigned) --suffix;
        facts_.replacements.push_back(
            {begin + suffix, at_, fmt::format("{}{}", is_unsigned ? "U" : "", size == "64" ? "L" : "")});
    }

    void directive() {
        line_start_ = false;
        ++at_;
        skip_blanks();
        const std::size_t begin = at_;
        while (is_word(peek())) ++at_;
        const std::string_view name = text_.substr(begin, at_ - begin);
        in_macro_ = name == "define";
        if (name == "include") include_operand();
    }

    void include_operand() {
        skip_blanks();
        const char open = peek();
        if (open != '"' && open != '<') return;
        const std::size_t close = text_.find_first_of(open == '"' ? "\"\n" : ">\n", at_ + 1);
        if (close == std::string_view::npos || text_[close] == '\n') return;
        facts_.includes.push_back({at_, close + 1, std::string(text_.substr(at_ + 1, close - at_ - 1)), open == '"'});
        at_ = close + 1;
    }

    void skip_blanks() {
        while (is_blank(peek())) ++at_;
    }

    void skip_line() {
        while (at_ < text_.size() && peek() != '\n') at_ += peek() == '\\' && peek(1) == '\n' ? 2 : 1;
    }

    void skip_comment() {
        const std::size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
    }

    // To the closing quote, or to the end of the line: an apostrophe in skipped text is no literal.
    void skip_literal(char quote) {
        for (++at_; at_ < text_.size() && peek() != '\n'; ++at_) {
            if (peek() == '\\')
                ++at_;
            else if (peek() == quote)
                break;
        }
        if (peek() == quote) ++at_;
        last_ = '"';
        last_word_ = {};
    }

    std::string_view text_;
    Language language_;
    std::size_t at_ = 0;
    bool line_start_ = true;
    bool in_macro_ = false;
    char last_ = '\0'; // of the last token
    std::string_view last_word_;
    bool microsoft_try_ = false;
    bool braced_try_ = false;
    bool handler_word_ = false;
    SourceFacts facts_;
};

} // namespace

std::optional<SourceText> read_source(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    SourceText source{{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, false};
    if (file.bad()) return std::nullopt;
    const std::string_view bytes = source.text;
    const bool little = bytes.starts_with("\xff\xfe");
    if (little || bytes.starts_with("\xfe\xff"))
        source = {utf8_of_utf16(bytes.substr(2), !little), true};
    else if (bytes.starts_with("\xef\xbb\xbf"))
        source.text.erase(0, 3); // both compilers skip it themselves
    if (const auto end = source.text.find(old_end_of_file); end != std::string::npos) {
        source.text.resize(end);
        source.altered = true;
    }
    return source;
}

SourceFacts scan_source(std::string_view text, Language language) { return Scanner(text, language).scan(); }

} // namespace dirql::cli
