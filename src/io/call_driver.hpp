// Passing an IRP to a driver.
#pragma once

#include "io/irp.hpp"

namespace dirql::io {

// IofCallDriver without its export door: the I/O manager's own calls.
NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp) noexcept;

// Completion passes a location whose dispatch call is still under way: leaves word in the call's frame.
void note_completed(IrpPrefix& prefix, PIO_STACK_LOCATION location) noexcept;

} // namespace dirql::io
