// Where `dirql run` prints.
#pragma once

#include "cli/outcome.hpp"

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace dirql::cli {

// stdout as drivers and the tool share it: what a driver prints comes as it is, the tool's lines begin on a line of their own.
class Transcript {
public:
    Transcript();
    ~Transcript() { std::fflush(stdout); }
    Transcript(const Transcript&) = delete;
    Transcript& operator=(const Transcript&) = delete;

    void text(std::string_view text);
    void line(std::string_view line);
    void end_line();

private:
    bool at_line_start_ = true;
};

// The trace's file. It is opened before anything runs: a name that cannot be written is told before the machine boots.
class TraceFile {
public:
    static Outcome<TraceFile> open(const std::string& name); // "-": stdout
    TraceFile(TraceFile&& other) noexcept : name_(std::move(other.name_)), file_(std::exchange(other.file_, nullptr)) {}
    TraceFile& operator=(TraceFile&&) = delete;
    ~TraceFile();

    Outcome<void> write(std::string_view text);

private:
    TraceFile(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}
    std::string name_;
    std::FILE* file_;
};

} // namespace dirql::cli
