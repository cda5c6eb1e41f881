// The readable log: one line an event. The same bytes for the same run on every host.
//
//       1.250 us  cpu0  PASSIVE_LEVEL   thread 24       call        irp#3 IRP_MJ_READ -> \Driver\echo \Device\Echo
//
// Time, processor, IRQL; the thread, or `dpc on 24` for a DPC that runs on top of one; what happened, and to what.
#pragma once

#include "diag/recorder.hpp"

#include <string>

namespace dirql::diag {

// Without a newline.
[[nodiscard]] std::string to_text(const Record& record);
// A newline after each. Begins with dropped_text, where there is one.
[[nodiscard]] std::string to_text(const Records& records);

// "(12 earlier events were dropped: too many to keep)"; empty when these are all.
[[nodiscard]] std::string dropped_text(const Records& records);
// "1.250": microseconds, to the nanosecond.
[[nodiscard]] std::string microseconds(std::uint64_t ns);
// "echo!EchoDpc", or "echo+0x1240" where the name is not known; "nt" for the kernel's own.
[[nodiscard]] std::string routine_text(const Record& record);
// "IRP_MJ_DEVICE_CONTROL 0x222000"
[[nodiscard]] std::string request_text(const Record& record);

} // namespace dirql::diag
