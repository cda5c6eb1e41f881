// What a run of a machine came to.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace dirql {

/// One frame of a driver's stack, innermost first.
struct StackFrame {
    std::string image;    ///< the plug-in's or program's file name
    std::uint64_t offset; ///< of the code address in the image
    std::string function;
    std::string file;
    int line = 0;
};

/// A bug check: KeBugCheckEx by a driver, by a trap, or by one of the checks.
struct BugCheck {
    std::uint32_t code = 0; ///< 0x44
    std::string name;       ///< "MULTIPLE_IRP_COMPLETE_REQUESTS"
    /// As the code's document describes them. An address of the library itself is given as one in a fictitious image nt at
    /// 0xFFFFF800'00000000, which the report names: the same in every process, whichever compiler has built dirql.
    std::array<std::uint64_t, 4> parameters{};
    std::string rule;              ///< the rule that was broken, in one sentence
    std::string document;          ///< the title of the document that states it
    std::string driver;            ///< the driver whose code ran, by name; empty when none did
    std::vector<StackFrame> stack; ///< driver code on the stack
};

enum class OutcomeKind {
    finished,  ///< all that was asked for has run
    bug_check, ///< the machine stopped with a bug check
    stall,     ///< nothing could run any more, or a budget was used up
};

struct Outcome {
    OutcomeKind kind = OutcomeKind::finished;
    BugCheck bug_check; ///< when kind is bug_check
    std::string report; ///< what to show a person; empty when finished

    [[nodiscard]] bool finished() const noexcept { return kind == OutcomeKind::finished; }
    /// True for a bug check with this code.
    [[nodiscard]] bool is_bug_check(std::uint32_t code) const noexcept {
        return kind == OutcomeKind::bug_check && bug_check.code == code;
    }
    [[nodiscard]] bool is_stall() const noexcept { return kind == OutcomeKind::stall; }
};

} // namespace dirql

#pragma GCC visibility pop
