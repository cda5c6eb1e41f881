// Whose fault a bug check is: one answer for the report and for whoever asks an Outcome.
#pragma once

#include "diag/machine_view.hpp"
#include "diag/stack_view.hpp"

#include <cstdint>
#include <string>

namespace dirql::diag {

struct Blame {
    const Image* image = nullptr; // the driver's; null when nothing tells
    std::uint64_t code = 0;       // of that driver; 0: it is known by its device or its name alone
    bool is_routine = false; // `code` begins a routine that has returned, or was left behind; else it is on the stack
    bool is_return_address = false;
    std::uint64_t device = 0; // in question; 0: none
};

[[nodiscard]] Blame blame_for_stop(const MachineView& view, const Frames& frames);

// The name of the driver's image, or nothing.
[[nodiscard]] std::string blamed_driver(const ke::Machine& machine, Symbolizer& symbolizer);

} // namespace dirql::diag
