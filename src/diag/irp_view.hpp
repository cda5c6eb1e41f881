// IRPs in a report.
#pragma once

#include "diag/machine_view.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dirql::diag {

// A copy of an IRP's fixed part and of as much of its stack as is plausible.
struct IrpCopy {
    std::uint64_t address;
    IRP irp;
    std::vector<IO_STACK_LOCATION> locations; // the first belongs to the lowest driver
};

// Nothing when the address cannot be an IRP's. Its contents may still be of a freed one.
[[nodiscard]] std::optional<IrpCopy> copy_irp(const MachineView& view, std::uint64_t address);

// The location of the driver that has the IRP; null before it is sent and after its completion.
[[nodiscard]] const IO_STACK_LOCATION* current_location(const IrpCopy& copy) noexcept;

// "IRP_MJ_DEVICE_CONTROL 0x222000"
[[nodiscard]] std::string request_text(const IO_STACK_LOCATION& location);

// `IRP 0x... IRP_MJ_READ at \Device\Echo, in the hands of \Driver\echo, marked pending`: one line, without a newline.
[[nodiscard]] std::string irp_summary(const MachineView& view, const IrpCopy& copy);
// All of it with its stack locations, a line each, newline after each.
[[nodiscard]] std::string irp_text(const MachineView& view, std::uint64_t address);

} // namespace dirql::diag
