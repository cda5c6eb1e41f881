// Whose a file, a request or a thread is: the application process of one run.
#pragma once

#include "ke/thread.hpp"

#include <cstdint>

namespace dirql::api {

// Never the same number twice in this program: what outlives its run or its machine is known by it, and the memory that it
// speaks of, which is another's by then, is not looked at.
[[nodiscard]] std::uint64_t unique_number() noexcept;

class Owner {
public:
    Owner() = default;
    Owner(ke::Process& process, std::uint64_t run) noexcept : process_(&process), run_(run) {}

    // Is the code that asks a thread of this process? Not on the host's side, after the run, or in another machine.
    [[nodiscard]] bool runs_now() const noexcept;
    [[nodiscard]] ke::Process& process() const noexcept { return *process_; }

private:
    ke::Process* process_ = nullptr;
    std::uint64_t run_ = 0;
};

// The state behind a File, Request or Thread that is about to be used: every use but the end of one passes here.
// Throws std::logic_error.
[[noreturn]] void throw_unusable(const char* what, bool empty);
template <class Pointer> [[nodiscard]] auto& usable(const Pointer& state, const char* what) {
    if (state == nullptr || !state->owner().runs_now()) [[unlikely]]
        throw_unusable(what, state == nullptr);
    return *state;
}

} // namespace dirql::api
