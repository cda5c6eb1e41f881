#include "cli/cc_scratch.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <unistd.h>

namespace dirql::cli {

namespace fs = std::filesystem;

Outcome<ScratchDirectory> ScratchDirectory::make() {
    std::error_code error;
    std::string path = (fs::absolute(fs::temp_directory_path(error)) / "dirql-cc-XXXXXX").string();
    if (error || ::mkdtemp(path.data()) == nullptr)
        return usage_error(fmt::format("no temporary directory can be made in {}: {}",
                                       fs::path(path).parent_path().string(),
                                       error ? error.message() : std::strerror(errno)));
    return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
}

PendingOutput::PendingOutput(std::string final_path) : final_path_(std::move(final_path)) {
    const fs::path place(final_path_);
    path_ = (place.parent_path() / fmt::format(".{}.{}", place.filename().string(), ::getpid())).string();
    std::error_code ignored;
    fs::remove(final_path_, ignored);
}

PendingOutput::~PendingOutput() {
    std::error_code ignored;
    fs::remove(path_, ignored);
}

Outcome<void> PendingOutput::keep() {
    std::error_code error;
    fs::rename(path_, final_path_, error);
    if (error) return usage_error(fmt::format("{}: cannot be written: {}", final_path_, error.message()));
    return BOOST_OUTCOME_V2_NAMESPACE::success();
}

} // namespace dirql::cli
