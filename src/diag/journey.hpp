// What one IRP lived through, for a reader who may never have seen one: who called whom, at which IRQL, on which
// thread, what came back, and where the IRP was completed.
#pragma once

#include "diag/recorder.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dirql::diag {

struct JourneyOptions {
    bool colour = false;    // ANSI escapes
    unsigned columns = 100; // lines are broken to this width, from 60 on
};

// Indented by the depth of the calls, a heading where the IRP passes to another thread or DPC. The same text for the
// same run.
[[nodiscard]] std::string journey(const Records& records, std::uint32_t irp, const JourneyOptions& options = {});

// The number of the `nth` IRP of this major function, by order of sending; nothing when there are not as many.
[[nodiscard]] std::optional<std::uint32_t> find_irp(const Records& records, std::uint8_t major, unsigned nth = 0);

} // namespace dirql::diag
