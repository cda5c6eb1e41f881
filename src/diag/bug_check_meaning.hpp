// What bug checks mean: the rule behind each code, and what its parameters are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dirql::diag {

struct BugCheckMeaning {
    std::uint32_t code;
    std::string_view rule;                      // one sentence, without its full stop
    std::array<std::string_view, 4> parameters; // empty: reserved, or it depends on another one
};

// Null for a code that is not in the table: nobody but drivers raises it here.
[[nodiscard]] const BugCheckMeaning* bug_check_meaning(std::uint32_t code) noexcept;

// Is parameter 2 the routine that broke the rule? Elsewhere an address of driver code is no accusation: it may be the
// routine that somebody else forgot to take away, or a lock among a driver's variables.
[[nodiscard]] bool is_routine_at_fault(std::uint32_t code, std::uint64_t parameter1) noexcept;

} // namespace dirql::diag
