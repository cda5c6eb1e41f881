// I/O request packets: how they are allocated, and what dirql keeps beside each.
#pragma once

#include "ke/machine.hpp"
#include "ke/thread.hpp"

#include <ntifs.h>

#include <cstdint>

namespace dirql::io {

struct IrpPrefix;

// One call of a dispatch routine under way. Lives on the caller's kernel stack, for as long as the call; linked to its IRP and
// to its flow, so that whoever completes the IRP meanwhile can leave word whether the location was marked pending.
struct CallFrame {
    CallFrame* outer; // of the same IRP: the driver above
    PIO_STACK_LOCATION location;
    CallFrame* flow_outer; // of the same flow
    IrpPrefix* prefix;
    bool completed; // the location was completed while the call was under way: the IRP may be gone
    bool marked;    // and it had been marked pending
};

// Stands before each IRP of IoAllocateIrp.
struct alignas(16) IrpPrefix {
    CallFrame* frame; // innermost call under way, of whichever flow; in a list of free IRPs: the next one
    // Of the buffer that the system buffer is copied back to. Of a lock request, which has no buffers: the length of the range, to
    // which its location's Parameters.LockControl.Length points.
    std::uint64_t output_size;
    void* auxiliary; // valid in attended requests: pool memory that the service made for the driver to read, or null
};

// IRP::AllocationFlags. The first three as on NT.
namespace allocation {
enum : UCHAR {
    quota = 0x01,
    fixed_size = 0x04, // from a list of IRPs of one size
    lookaside = 0x08,
    attended = 0x20, // ours: its end asks for more than a status block and an event, see attended.hpp
    prefixed = 0x40, // ours: has an IrpPrefix
    freed = 0x80,    // ours: in a list
};
}

[[nodiscard]] inline IrpPrefix* prefix_of(PIRP irp) noexcept {
    return (irp->AllocationFlags & allocation::prefixed) != 0 ? reinterpret_cast<IrpPrefix*>(irp) - 1 : nullptr;
}

// A zeroed IRP, or null when memory is exhausted. IRQL <= DISPATCH_LEVEL.
[[nodiscard]] PIRP allocate_irp(CCHAR stack_size) noexcept;
// One whose issuer queues it to its thread, or frees it: its ThreadListEntry and ApcEnvironment are not set.
[[nodiscard]] PIRP allocate_bare_irp(CCHAR stack_size) noexcept;
// For a driver, perhaps at the expense of the current process: null also when that may have no more.
[[nodiscard]] PIRP allocate_irp_for(CCHAR stack_size, bool charge_quota) noexcept;
void free_irp(PIRP irp) noexcept;

// The thread that an IRP was issued for owns it until its completion.
inline void queue_to_thread(PIRP irp, ke::Thread& thread) noexcept {
    InsertTailList(&thread.irp_list, &irp->ThreadListEntry);
}
inline void dequeue_from_thread(PIRP irp) noexcept {
    RemoveEntryList(&irp->ThreadListEntry);
    InitializeListHead(&irp->ThreadListEntry);
}

[[nodiscard]] inline ke::Thread& thread_of(PIRP irp) noexcept {
    return *reinterpret_cast<ke::Thread*>(irp->Tail.Overlay.Thread);
}

// The status of the request as its issuer sees it, after all drivers: copies back, signals, frees. In the issuing thread at
// APC_LEVEL (or wherever the request was deferred to its service).
void finish_request(PIRP irp, PFILE_OBJECT file) noexcept;

} // namespace dirql::io
