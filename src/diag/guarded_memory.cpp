#include "diag/guarded_memory.hpp"

#include "diag/unicode.hpp"

#include <algorithm>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dirql::diag {
namespace {

constexpr std::size_t chunk = 4096; // fits into an empty pipe

// Past the sanitizers' interceptors: what they know of the memory does not matter here.
bool pass(const int (&pipe)[2], std::byte* to, std::uint64_t from, std::size_t bytes) noexcept {
    const long written = syscall(SYS_write, pipe[1], from, bytes);
    if (written <= 0) return false;
    const ssize_t got =
        ::read(pipe[0], to, static_cast<std::size_t>(written)); // also when it was less: the pipe is to be empty
    return got == written && static_cast<std::size_t>(written) == bytes;
}

} // namespace

GuardedMemory::GuardedMemory() noexcept : pipe_{-1, -1} { (void)pipe2(pipe_, O_CLOEXEC | O_NONBLOCK); }

GuardedMemory::~GuardedMemory() {
    for (const int end : pipe_) {
        if (end >= 0) close(end);
    }
}

bool GuardedMemory::copy(void* to, std::uint64_t from, std::size_t bytes) const noexcept {
    auto* out = static_cast<std::byte*>(to);
    while (bytes != 0) {
        const std::size_t part = std::min(bytes, chunk);
        if (!pass(pipe_, out, from, part)) return false;
        out += part;
        from += part;
        bytes -= part;
    }
    return true;
}

std::string GuardedMemory::text(const char* address, std::size_t longest) const {
    std::string result;
    const auto from = reinterpret_cast<std::uint64_t>(address);
    for (char c; result.size() < longest && copy(&c, from + result.size(), 1) && c != 0;) result += c;
    return one_line(result);
}

} // namespace dirql::diag
