// Files that must not outlive the command, however it ends.
#pragma once

#include "cli/outcome.hpp"

#include <string>

namespace dirql::cli {

// A private directory under $TMPDIR (or /tmp), removed with all it holds.
class ScratchDirectory {
public:
    static Outcome<ScratchDirectory> make();
    ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    ScratchDirectory& operator=(ScratchDirectory&&) = delete;
    ~ScratchDirectory();

    const std::string& path() const { return path_; }

private:
    explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// The output while it is being made: beside its final place, so that it appears there whole or not at all.
// Whatever stood in that place before is gone, lest an older build be taken for this one.
class PendingOutput {
public:
    explicit PendingOutput(std::string final_path);
    PendingOutput(const PendingOutput&) = delete;
    PendingOutput& operator=(const PendingOutput&) = delete;
    ~PendingOutput(); // removes it unless kept

    const std::string& path() const { return path_; }
    Outcome<void> keep();

private:
    std::string final_path_;
    std::string path_;
};

} // namespace dirql::cli
