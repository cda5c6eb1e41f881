// Passing an IRP to a driver.
#pragma once

#include "io/irp.hpp"

namespace dirql::io {

// IofCallDriver without its export door: the I/O manager's own calls.
NTSTATUS call_driver(PDEVICE_OBJECT device, PIRP irp) noexcept;

// Completion passes a location whose dispatch calls may still be under way: leaves word in their frames. Several calls may
// share a location: IoSkipCurrentIrpStackLocation gives a driver's own to the next one.
inline void note_completed(IrpPrefix& prefix, PIO_STACK_LOCATION location) noexcept {
    for (CallFrame* frame = prefix.frame; frame != nullptr && frame->location == location; frame = frame->outer) {
        frame->completed = true;
        frame->marked = (location->Control & SL_PENDING_RETURNED) != 0;
        prefix.frame = frame->outer;
    }
}

// An IRP is freed while calls with it are under way: their frames are not to look at it any more.
void note_freed(IrpPrefix& prefix) noexcept;

// Machine::hooks: the calls from the frame `from` out to, and without, the frame `to` will not return.
void calls_unwound(std::uint64_t from, std::uint64_t to) noexcept;

} // namespace dirql::io
