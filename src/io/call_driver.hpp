// Passing an IRP to a driver.
#pragma once

#include "io/irp.hpp"

namespace dirql::io {

// IofCallDriver without its export door: the I/O manager's own calls.
NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp) noexcept;

// Completion passes a location whose dispatch call is still under way: leaves word in the call's frame.
// `trusted`, false at the start of a completion, remembers that this thread's calls are known to be under way: the one that
// completes cannot leave them meanwhile.
void note_completed(IrpPrefix& prefix, PIO_STACK_LOCATION location, bool& trusted) noexcept;

} // namespace dirql::io
