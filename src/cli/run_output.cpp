#include "cli/run_output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace dirql::cli {

// By lines even into a pipe: whatever becomes of this process, what was printed before is seen.
Transcript::Transcript() { std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); }

void Transcript::text(std::string_view text) {
    if (text.empty()) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    at_line_start_ = text.back() == '\n';
}

void Transcript::end_line() {
    if (!at_line_start_) text("\n");
}

void Transcript::line(std::string_view line) {
    end_line();
    text(line);
    text("\n");
}

Outcome<TraceFile> TraceFile::open(const std::string& name) {
    std::FILE* file = name == "-" ? stdout : std::fopen(name.c_str(), "we");
    if (file == nullptr)
        return usage_error(fmt::format("--trace {}: cannot be written: {}", name, std::strerror(errno)));
    return TraceFile(name, file);
}

TraceFile::~TraceFile() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
}

Outcome<void> TraceFile::write(std::string_view text) {
    const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size() && std::fflush(file_) == 0;
    if (!written) return usage_error(fmt::format("--trace {}: cannot be written: {}", name_, std::strerror(errno)));
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

} // namespace dirql::cli
