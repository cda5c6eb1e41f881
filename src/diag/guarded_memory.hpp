// Reading memory that may be anything: a report looks at a machine whose driver has run wild.
//
// The host's kernel does the copying, so a bad address is an answer and no fault: no signal handler is needed, and the
// reader may be on any stack. Slow (two system calls a read); for reports only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

namespace dirql::diag {

class GuardedMemory {
public:
    GuardedMemory() noexcept;
    ~GuardedMemory();
    GuardedMemory(const GuardedMemory&) = delete;
    GuardedMemory& operator=(const GuardedMemory&) = delete;

    // False when any of it cannot be read; `to` may be partly written then.
    [[nodiscard]] bool copy(void* to, std::uint64_t from, std::size_t bytes) const noexcept;

    template <class T> [[nodiscard]] std::optional<T> read(std::uint64_t address) const noexcept {
        static_assert(std::is_trivially_copyable_v<T>);
        T value{};
        if (!copy(static_cast<void*>(&value), address, sizeof(T))) return std::nullopt;
        return value;
    }
    template <class T> [[nodiscard]] std::optional<T> read(const T* address) const noexcept {
        return read<T>(reinterpret_cast<std::uint64_t>(address));
    }

    // A zero-terminated string, at most `longest` characters of it; made fit for one line.
    [[nodiscard]] std::string text(const char* address, std::size_t longest = 256) const;

private:
    int pipe_[2];
};

} // namespace dirql::diag
