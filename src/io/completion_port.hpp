// Completion ports: kernel queues of packets, each the end of a request on a file of the port, or what NtSetIoCompletion was given.
//
// The end of a request is its IRP itself, which lies in the queue until somebody takes it; other packets are pool blocks. A file
// holds a reference to its port. With the last handle to a port its packets are gone and whoever waits gets STATUS_ABANDONED.
#pragma once

#include "ob/object_type.hpp"

#include <ntifs.h>

namespace dirql::io {

extern const ob::ObjectType io_completion_type;

struct Packet {
    PVOID key;     // of the file, or of NtSetIoCompletion
    PVOID context; // ApcContext of the request
    IO_STATUS_BLOCK result;
};

// `port`: the body of a port. STATUS_INSUFFICIENT_RESOURCES. IRQL <= DISPATCH_LEVEL.
[[nodiscard]] NTSTATUS queue_packet(void* port, const Packet& packet) noexcept;
// The IRP is the port's from here on.
void queue_irp_packet(PIRP irp, const IO_COMPLETION_CONTEXT& context) noexcept;

} // namespace dirql::io
